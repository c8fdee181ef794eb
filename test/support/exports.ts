// Which exports of the program are not imported. It reads the text of every file, as the test of
// the layers does: an export counts as used when another file names it in an import of its file,
// takes the file whole (`import * as`) and writes `name.EXPORT`, or loads it late with `import()`.
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { Glob } from "bun";

export interface Export {
  /** From the root: "src/wire/decode.ts". */
  readonly path: string;
  readonly name: string;
  /** An interface or a type: what it describes may be all that is used. */
  readonly isType: boolean;
  /** Files that import it. */
  readonly users: readonly string[];
}

const ROOT = normalize(join(import.meta.dir, "../.."));
const EXPORT =
  /^export\s+(?:declare\s+)?(?:async\s+)?(?:abstract\s+)?(const|let|function\*?|class|interface|type)\s+([A-Za-z_$][\w$]*)/gm;
const EXPORT_LIST = /^export\s*(?:type\s*)?\{([^}]*)\}(?:\s*from\s*"[^"]+")?/gm;
/** `export const { A, B } = table;` */
const EXPORT_PARTS = /^export\s+const\s*\{([^}]*)\}\s*=/gm;
const NAMED = /\b(?:import|export)\s+(?:type\s+)?(?:[\w$]+\s*,\s*)?\{([^}]*)\}\s*from\s*"([^"]+)"/g;
const WHOLE = /\b(?:import|export)\s+(?:type\s+)?\*\s*as\s+([\w$]+)\s+from\s*"([^"]+)"/g;
const LATE = /\bimport\s*\(\s*"([^"]+)"\s*\)/g;

/** Every export of src/ and ffi/, with the files that import it. */
export function exportsWithUsers(): Export[] {
  const paths = [...new Glob("{src,ffi,test,bench,scripts}/**/*.ts").scanSync(ROOT)].sort();
  const texts = new Map(paths.map((path) => [path, readFileSync(join(ROOT, path), "utf8")]));
  const users = new Map<string, Set<string>>();
  for (const [path, text] of texts)
    for (const key of usesIn(path, text, texts)) {
      const known = users.get(key) ?? new Set();
      users.set(key, known.add(path));
    }
  return paths
    .filter((path) => /^(src|ffi)\//.test(path))
    .flatMap((path) =>
      exportsIn(texts.get(path)!).map(({ name, isType }) => ({
        path,
        name,
        isType,
        users: [...(users.get(`${path} ${name}`) ?? [])],
      })),
    );
}

function exportsIn(text: string): Pick<Export, "name" | "isType">[] {
  const found = [...text.matchAll(EXPORT)].map(([, kind, name]) => ({
    name: name!,
    isType: kind === "interface" || kind === "type",
  }));
  for (const [, list] of text.matchAll(EXPORT_PARTS))
    found.push(...namesOf(list!).map(([, name]) => ({ name, isType: false })));
  for (const [whole, list] of text.matchAll(EXPORT_LIST)) {
    const isType = /^export\s*type/.test(whole);
    found.push(...namesOf(list!).map(([, name]) => ({ name, isType })));
  }
  return found;
}

/** "src/wire/decode.ts decodeFrame" for each export that `path` uses. */
function usesIn(path: string, text: string, texts: ReadonlyMap<string, string>): string[] {
  const target = (specifier: string) => normalize(join(dirname(path), specifier));
  const uses: string[] = [];
  for (const [, list, specifier] of text.matchAll(NAMED))
    for (const [name] of namesOf(list!)) uses.push(`${target(specifier!)} ${name}`);
  for (const [, as, specifier] of text.matchAll(WHOLE))
    for (const [, name] of text.matchAll(new RegExp(`\\b${as}\\.([\\w$]+)`, "g")))
      uses.push(`${target(specifier!)} ${name}`);
  for (const [, specifier] of text.matchAll(LATE)) {
    const late = texts.get(target(specifier!));
    if (late === undefined) continue;
    for (const { name } of exportsIn(late))
      if (new RegExp(`\\b${name}\\b`).test(text)) uses.push(`${target(specifier!)} ${name}`);
  }
  return uses;
}

/** The names of an import or export list: as the other file has it, and as it is called here. */
function namesOf(list: string): [string, string][] {
  return list
    .replaceAll(/\/\/.*$/gm, "")
    .split(",")
    .map((one) => one.trim().replace(/^type\s+/, ""))
    .filter((one) => one !== "")
    .map((one) => {
      const [name, as] = one.split(/\s+as\s+/);
      return [name!, as ?? name!];
    });
}
