// A manual page is a template in packaging/man with hand-written parts, and places for what is made
// from tables: a line that is "@NAME@" and nothing else.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../binary/target.ts";

/**
 * The page `name`, such as "varta-watch.8", with every place filled; one without a text, or a text
 * too many, throws.
 */
export function fillTemplate(name: string, texts: Readonly<Record<string, string>>): string {
  const unused = new Set(Object.keys(texts));
  const template = readFileSync(join(ROOT, "packaging/man", `${name}.in`), "utf8");
  const page = template.replaceAll(/^@([A-Z_]+)@$/gm, (_, place: string) => {
    if (!Object.hasOwn(texts, place)) throw new Error(`${name}.in has no text for @${place}@`);
    unused.delete(place);
    return texts[place]!;
  });
  if (unused.size > 0) throw new Error(`${name}.in has no place for ${[...unused].join(", ")}`);
  return page;
}
