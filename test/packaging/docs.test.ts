// What the pages of documentation link to exists, down to the heading, and where a package puts a
// page, there the pages that it links to are.
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../../scripts/binary/target.ts";
import { mappedFiles } from "../../scripts/package/stage.ts";

interface Link {
  /** As it stands in the page; "" = the page itself. */
  readonly target: string;
  /** The heading within the target, "" = none. */
  readonly anchor: string;
}

/** The links of `page` but those to the web. Code is no text, and has none. */
function linksOf(page: string): Link[] {
  const text = readFileSync(join(ROOT, page), "utf8").replace(/^```.*?^```/gms, "");
  return [...text.matchAll(/\]\(([^)#\s]*)(?:#([^)\s]*))?\)/g)]
    .map(([, target, anchor]) => ({ target: target!, anchor: anchor ?? "" }))
    .filter(({ target }) => !target.includes("://"));
}

/** The files among them. */
function targetsOf(page: string): string[] {
  return linksOf(page).flatMap(({ target }) => (target === "" ? [] : [target]));
}

/** What a heading is linked to by: lower case, spaces as hyphens, without other marks. */
function anchorsOf(page: string): ReadonlySet<string> {
  const text = readFileSync(join(ROOT, page), "utf8").replace(/^```.*?^```/gms, "");
  const headings = [...text.matchAll(/^#{1,6} (.*)$/gm)].map(([, heading]) => heading!);
  return new Set(
    headings.map((heading) =>
      heading
        .replace(/\]\([^)]*\)/g, "]")
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "test/README.md",
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

test("every page links to files that exist", () => {
  const broken = pages.flatMap((page) =>
    targetsOf(page)
      .filter((target) => !existsSync(join(ROOT, dirname(page), target)))
      .map((target) => `${page} -> ${target}`),
  );
  expect(broken).toEqual([]);
});

test("every link to a heading names one", () => {
  const broken = pages.flatMap((page) =>
    linksOf(page)
      .map(({ target, anchor }) => ({
        path: target === "" ? page : join(dirname(page), target),
        anchor,
      }))
      .filter(({ path, anchor }) => anchor !== "" && !anchorsOf(path).has(anchor))
      .map(({ path, anchor }) => `${page} -> ${path}#${anchor}`),
  );
  expect(broken).toEqual([]);
});

test("the pages for developers name files and scripts that exist", () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  const lost = ["CONTRIBUTING.md", "SECURITY.md", "test/README.md"].flatMap((page) => {
    const text = readFileSync(join(ROOT, page), "utf8");
    const paths = [
      ...text.matchAll(/\b(?:src|ffi|test|bench|scripts|packaging|docs)\/[\w./-]*\w/g),
    ];
    const runs = [...text.matchAll(/npm (?:run )?(?!run\b|ci\b)([a-z:]+)/g)];
    return [
      ...paths.map(([path]) => path).filter((path) => !existsSync(join(ROOT, path))),
      ...runs.map(([, name]) => name!).filter((name) => scripts[name] === undefined),
    ].map((what) => `${page}: ${what}`);
  });
  expect(lost).toEqual([]);
});

test("no page shows a command that fetches from an address that does not exist", () => {
  const impossible = pages.flatMap((page) => {
    const text = readFileSync(join(ROOT, page), "utf8");
    const blocks = [...text.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block]) => block!);
    const addresses = blocks.flatMap(
      (block) => block.match(/https?:\/\/[\w.-]+\.example\b/g) ?? [],
    );
    return addresses.map((address) => `${page}: ${address}`);
  });
  expect(impossible).toEqual([]);
});

describe.each(["deb", "rpm"] as const)("the %s", (format) => {
  const files = mappedFiles(format);
  const destinations = new Set(files.map(({ destination }) => destination));

  test("has every page of docs/", () => {
    const shipped = new Set(files.map(({ source }) => source));
    const docs = pages.filter((page) => page.startsWith("docs/"));
    expect(docs.filter((page) => !shipped.has(page))).toEqual([]);
  });

  test("has what its pages link to, at the place that the link says", () => {
    const shippedPages = files.filter(
      ({ source }) => source.endsWith(".md") && source !== "CHANGELOG.md",
    );
    const missing = shippedPages.flatMap(({ source, destination }) =>
      targetsOf(source)
        .map((target) => join(dirname(destination), target))
        .filter((target) => !destinations.has(target)),
    );
    expect(shippedPages.length).toBeGreaterThan(9);
    expect(missing).toEqual([]);
  });
});

test("the RPM package owns every directory that it makes for documentation and clients", () => {
  const spec = readFileSync(join(ROOT, "packaging/rpm/varta-watch.spec"), "utf8");
  const owned = [...spec.matchAll(/^%dir \S+ (\S+)$/gm)].map(([, directory]) => directory!);
  const made = mappedFiles("rpm")
    .map(({ destination }) => dirname(destination))
    .filter((directory) => /^\/usr\/share\/(doc|varta-watch)\//.test(directory));
  expect([...new Set(made)].filter((directory) => !owned.includes(directory))).toEqual([]);
  expect(made.length).toBeGreaterThan(20);
});
