// What is inside the executable, in the form of CycloneDX 1.6
// (https://cyclonedx.org/docs/1.6/json/): the packages that are bundled, and the runtime with the
// libraries that are linked into it. Made from package-lock.json and packaging/copyright alone,
// without a serial number, so that the same commit gives the same bytes.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  bundledPackages,
  type LockedPackage,
  lockedPackage,
  ROOT,
  TARGETS,
} from "../binary/target.ts";

interface Component {
  readonly type: "application" | "library" | "platform" | "file";
  readonly "bom-ref": string;
  readonly name: string;
  readonly version?: string;
  readonly licenses: readonly { readonly expression: string }[];
  readonly hashes?: readonly { readonly alg: "SHA-512"; readonly content: string }[];
  readonly purl?: string;
  readonly components?: readonly Component[];
}

export interface BillOptions {
  readonly version: string;
  readonly epochSeconds: number;
}

export function billOfMaterials({ version, epochSeconds }: BillOptions): string {
  const packages = bundledPackages();
  const runtime = runtimeComponent(readFileSync(join(ROOT, "packaging/copyright"), "utf8"));
  const program: Component = {
    type: "application",
    "bom-ref": `pkg:generic/varta-watch@${version}`,
    name: "varta-watch",
    version,
    licenses: [{ expression: "MIT OR Apache-2.0" }],
    purl: `pkg:generic/varta-watch@${version}`,
  };
  const bill = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      timestamp: new Date(epochSeconds * 1000).toISOString().replace(".000Z", "Z"),
      component: program,
    },
    components: [...Object.entries(packages).map(packageComponent), runtime],
    dependencies: dependencies(program, packages, runtime),
  };
  return `${JSON.stringify(bill, undefined, 2)}\n`;
}

function packageComponent([name, locked]: readonly [string, LockedPackage]): Component {
  const { version, license } = locked;
  return {
    type: "library",
    "bom-ref": purlOf(name, version),
    name,
    version,
    licenses: [{ expression: license }],
    hashes: hashesOf(locked),
    purl: purlOf(name, version),
  };
}

/**
 * The runtime, with its executables for the released targets and the libraries in them, whose
 * versions it fixes itself.
 */
function runtimeComponent(copyright: string): Component {
  const { version } = lockedPackage("bun");
  const notices = [...copyright.matchAll(/^Files: (bun\/.*)\n(?:.+\n)*?License: (.*)$/gm)];
  const parts = notices.flatMap(([, files, license]) =>
    files!.split(" ").map((file) => ({
      name: file.split("/")[1]!,
      licenses: [{ expression: spdx(license!) }],
    })),
  );
  const [own] = parts.filter(({ name }) => name === "*");
  const libraries = parts.filter(({ name }) => name !== "*");
  return {
    type: "platform",
    "bom-ref": `pkg:github/oven-sh/bun@bun-v${version}`,
    name: "bun",
    version,
    licenses: own!.licenses,
    purl: `pkg:github/oven-sh/bun@bun-v${version}`,
    components: [
      ...TARGETS.map(({ runtimePackage }) => ({
        ...packageComponent([runtimePackage, lockedPackage(runtimePackage)]),
        type: "file" as const,
      })),
      ...libraries.map(
        (library): Component => ({
          type: "library",
          "bom-ref": `bun/${library.name}`,
          ...library,
        }),
      ),
    ],
  };
}

function dependencies(
  program: Component,
  packages: Readonly<Record<string, LockedPackage>>,
  runtime: Component,
): object[] {
  const refOf = (name: string): string => purlOf(name, packages[name]!.version);
  const needed = (names: readonly string[]): string[] =>
    names.filter((name) => name in packages).map(refOf);
  const inner = Object.values(packages).flatMap((each) => Object.keys(each.dependencies ?? {}));
  const direct = Object.keys(packages).filter((name) => !inner.includes(name));
  return [
    { ref: program["bom-ref"], dependsOn: [...direct.map(refOf), runtime["bom-ref"]] },
    ...Object.entries(packages).map(([name, { dependencies: wanted }]) => ({
      ref: refOf(name),
      dependsOn: needed(Object.keys(wanted ?? {})),
    })),
    { ref: runtime["bom-ref"], dependsOn: runtime.components!.map((part) => part["bom-ref"]) },
  ];
}

function purlOf(name: string, version: string): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

/** The registry states them of the archive of a package, in base64. */
function hashesOf({ integrity }: LockedPackage): NonNullable<Component["hashes"]> {
  const content = Buffer.from(integrity.replace("sha512-", ""), "base64").toString("hex");
  return [{ alg: "SHA-512", content }];
}

/** Debian's names of licences that differ from those of SPDX. */
const SPDX: Readonly<Record<string, string>> = {
  Expat: "MIT",
  "LGPL-2+": "LGPL-2.0-or-later",
  "LGPL-2.1+": "LGPL-2.1-or-later",
  "public-domain": "blessing",
};

/** "LGPL-2+ and BSD-2-Clause" as an expression of SPDX. */
function spdx(license: string): string {
  return license
    .split(" ")
    .map((word) => SPDX[word] ?? (/^(and|or)$/.test(word) ? word.toUpperCase() : word))
    .join(" ");
}
