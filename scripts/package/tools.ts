// The programs that make packages, checked before anything is built: a build of minutes must not
// end for want of one.
import type { PackageFormat } from "./stage.ts";

interface Tool {
  readonly program: string;
  readonly formats: readonly PackageFormat[];
  /** Packages that have it: of Debian and Ubuntu, and of Fedora and RHEL. */
  readonly debian: string;
  readonly fedora: string;
}

const TOOLS: readonly Tool[] = [
  { program: "dpkg-deb", formats: ["deb"], debian: "dpkg", fedora: "dpkg" },
  { program: "rpmbuild", formats: ["rpm"], debian: "rpm", fedora: "rpm-build" },
  { program: "rpm2cpio", formats: ["rpm"], debian: "rpm2cpio", fedora: "rpm" },
  { program: "cpio", formats: ["rpm"], debian: "cpio", fedora: "cpio" },
];

/** What is missing for packages of these formats, and what to do about it; undefined = nothing. */
export function toolProblem(
  formats: readonly PackageFormat[],
  find: (program: string) => string | null = Bun.which,
): string | undefined {
  const needed = TOOLS.filter((tool) => tool.formats.some((format) => formats.includes(format)));
  const missing = needed.filter(({ program }) => find(program) === null);
  if (missing.length === 0) return undefined;
  const names = missing.map(({ program }) => program).join(", ");
  const debian = unique(missing.map((tool) => tool.debian));
  const fedora = unique(missing.map((tool) => tool.fedora));
  const lines = [
    `Cannot package: there is no ${names}`,
    `hint: apt-get install ${debian}  (Fedora, RHEL: dnf install ${fedora})`,
  ];
  const possible = formats.filter(
    (format) => !missing.some((tool) => tool.formats.includes(format)),
  );
  for (const format of possible)
    lines.push(`hint: for .${format} alone: npm run package -- --${format}`);
  return lines.join("\n");
}

function unique(words: readonly string[]): string {
  return [...new Set(words)].join(" ");
}
