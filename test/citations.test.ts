// Comments cite the specification by page and section ("spec 04 section 5"): every citation leads
// to a page and a section of docs/spec, so that a reader finds what the code promises.
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join, normalize } from "node:path";
import { Glob } from "bun";

const ROOT = normalize(join(import.meta.dir, ".."));
const SPEC = join(ROOT, "docs/spec");

/** Page number to the numbers of its sections, "5.1" included. */
const sections = new Map(
  readdirSync(SPEC)
    .filter((name) => /^\d\d-.*\.md$/.test(name))
    .map((name) => [name.slice(0, 2), sectionsOf(readFileSync(join(SPEC, name), "utf8"))]),
);
const invariants = new Set(
  [...pageText("06").matchAll(/^\| (I\d+) \|/gm)].map(([, invariant]) => invariant!),
);

function sectionsOf(text: string): ReadonlySet<string> {
  return new Set([...text.matchAll(/^#{2,3} (\d+(?:\.\d+)?)[. ]/gm)].map(([, number]) => number!));
}

function pageText(page: string): string {
  const name = readdirSync(SPEC).find((file) => file.startsWith(`${page}-`))!;
  return readFileSync(join(SPEC, name), "utf8");
}

interface Citation {
  /** "05", or "README". */
  readonly page: string;
  readonly section: string | undefined;
}

interface Comment {
  /** "src/wire/decode.ts:12", where it begins. */
  readonly place: string;
  /** On one line. */
  readonly text: string;
}

/** Comments of a file, each on one line: a citation may go over the end of a line. */
function commentsOf(path: string): Comment[] {
  const comments: { line: number; words: string[] }[] = [];
  let isInside = false;
  readFileSync(join(ROOT, path), "utf8")
    .split("\n")
    .forEach((line, at) => {
      const words = /(?:^|\s)(?:\/\/|\/\*\*?|\*(?!\/)|#)\s?(.*?)(?:\*\/)?$/.exec(line)?.[1];
      if (words === undefined) isInside = false;
      else if (isInside) comments.at(-1)!.words.push(words);
      else {
        isInside = true;
        comments.push({ line: at + 1, words: [words] });
      }
    });
  return comments.map(({ line, words }) => ({ place: `${path}:${line}`, text: words.join(" ") }));
}

const CITATION =
  /\bspec (?:README|\d\d)\b(?:(?: sections? |, | and | to )(?:sections? )?\d+(?:\.\d+)?\b)*/gi;

/**
 * What a citation names: "spec 07 sections 1, 2 and 7", "spec 03 section 3, 08 section 1", "spec
 * 04, 12". A number after "sections" is one of the page before it; after "section N" or a page
 * comes another page.
 */
function citationsOf(text: string): Citation[] {
  return [...text.matchAll(CITATION)].flatMap(([match]) => parse(match));
}

function parse(match: string): Citation[] {
  const words = match.split(/[ ,]+/).slice(1);
  const found: Citation[] = [];
  let page = "";
  let mode: "page" | "one" | "list" = "page";
  let hasSection = false;
  const endPage = (): void => {
    if (page !== "" && !hasSection) found.push({ page, section: undefined });
  };
  words.forEach((word, at) => {
    if (word === "section" || word === "sections") {
      mode = word === "section" ? "one" : "list";
      return;
    }
    const isPage = /^\d\d$/.test(word) && (word.startsWith("0") || words[at + 1] === "section");
    if (mode !== "page" && /^\d+(\.\d+)?$/.test(word) && !(mode === "list" && isPage)) {
      found.push({ page, section: word });
      hasSection = true;
      if (mode === "one") mode = "page";
    } else if (/^(\d\d|README)$/.test(word)) {
      endPage();
      page = word;
      mode = "page";
      hasSection = false;
    }
  });
  endPage();
  return found;
}

function isThere({ page, section }: Citation): boolean {
  if (page === "README") return true;
  const known = sections.get(page);
  return known !== undefined && (section === undefined || known.has(section));
}

const paths = [
  ...new Glob("{src,ffi,test,scripts,bench,packaging}/**/*.{ts,c,h,py,sh}").scanSync(ROOT),
].sort();
const comments = paths.filter((path) => !import.meta.path.endsWith(path)).flatMap(commentsOf);

describe("the words of a citation", () => {
  test.each([
    ["spec 04 section 5", ["04 5"]],
    ["(spec 03 sections 3 and 11)", ["03 3", "03 11"]],
    ["spec 07 sections 1, 2 and 7 say", ["07 1", "07 2", "07 7"]],
    ["spec 03 section 3, 08 section 1", ["03 3", "08 1"]],
    ["spec 07 section 7, 09, 11", ["07 7", "09", "11"]],
    ["spec 10 sections 5 to 7)", ["10 5", "10 7"]],
    ["spec 04, 12)", ["04", "12"]],
    ["spec 12 section 7, spec 06 I3", ["12 7", "06"]],
    ["spec 03 section 13: beats", ["03 13"]],
    ["spec 07 section 2.11", ["07 2.11"]],
    ["spec README, Conventions", ["README"]],
    ["the spec file says", []],
  ])("%s", (text, wanted) => {
    const found = citationsOf(text).map(({ page, section }) =>
      section === undefined ? page : `${page} ${section}`,
    );
    expect(found).toEqual(wanted);
  });
});

test("every citation leads to a page and a section of docs/spec", () => {
  const cited = comments.flatMap(({ place, text }) =>
    citationsOf(text).map((citation) => ({ place, citation })),
  );
  const lost = cited
    .filter(({ citation }) => !isThere(citation))
    .map(({ place, citation: { page, section } }) => `${place}: ${page} section ${section}`);
  expect(lost).toEqual([]);
  expect(cited.length).toBeGreaterThan(300);
});

test("every invariant that a comment names is one of the specification", () => {
  const named = comments.flatMap(({ place, text }) =>
    [...text.matchAll(/\bI\d{1,2}\b/g)].map(([invariant]) => ({ place, invariant })),
  );
  expect(named.filter(({ invariant }) => !invariants.has(invariant))).toEqual([]);
  expect(named.length).toBeGreaterThan(5);
});
