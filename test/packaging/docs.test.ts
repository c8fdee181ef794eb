// What the pages of documentation link to exists, and where a package puts a page, there the pages that it links to are.
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../../scripts/binary/target.ts";
import { mappedFiles } from "../../scripts/package/stage.ts";

/** Files that `page` links to, as they stand in it; links to the web and within the page are left out. */
function linksOf(page: string): string[] {
  const text = readFileSync(join(ROOT, page), "utf8");
  const targets = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, target]) => target!);
  return targets.filter((target) => !target.includes("://"));
}

const pages = ["README.md", ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`)];

test("every page links to files that exist", () => {
  const broken = pages.flatMap((page) =>
    linksOf(page)
      .filter((target) => !existsSync(join(ROOT, dirname(page), target)))
      .map((target) => `${page} -> ${target}`),
  );
  expect(broken).toEqual([]);
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
    expect(pages.filter((page) => page !== "README.md" && !shipped.has(page))).toEqual([]);
  });

  test("has what its pages link to, at the place that the link says", () => {
    const shippedPages = files.filter(
      ({ source }) => source.endsWith(".md") && source !== "CHANGELOG.md",
    );
    const missing = shippedPages.flatMap(({ source, destination }) =>
      linksOf(source)
        .map((target) => join(dirname(destination), target))
        .filter((target) => !destinations.has(target)),
    );
    expect(shippedPages.length).toBeGreaterThan(9);
    expect(missing).toEqual([]);
  });
});
