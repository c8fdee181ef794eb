// A strict reader of logfmt, as a log shipper has one: fields with one space between them, each key
// once, a value bare or in quotes that JSON understands. Anything else is an error, because a
// shipper would lose the line or, worse, read another field out of a value.
import { UNPRINTABLE_CLASS } from "../../src/base/unprintable.ts";

const KEY = /^[a-z][a-z0-9_]*$/;
const BARE = new RegExp(`^[^\\s"=\\\\${UNPRINTABLE_CLASS}]+$`, "u");
const UNPRINTABLE = new RegExp(`[${UNPRINTABLE_CLASS}]`, "u");
/** A field and the space or the end behind it. */
const FIELD = /([^\s="]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)( |$)/y;

export function readLogfmt(line: string): Map<string, string> {
  const fields = new Map<string, string>();
  if (UNPRINTABLE.test(line)) throw new Error(`a character that a terminal obeys: ${line}`);
  FIELD.lastIndex = 0;
  while (FIELD.lastIndex < line.length || fields.size === 0) {
    const at = FIELD.lastIndex;
    const [, key, value, space] = FIELD.exec(line) ?? [];
    if (key === undefined || !KEY.test(key)) throw new Error(`no field at ${at}: ${line}`);
    if (fields.has(key)) throw new Error(`${key} is there twice: ${line}`);
    if (!value!.startsWith('"') && !BARE.test(value!))
      throw new Error(`the value of ${key} is not in quotes: ${line}`);
    if (space === " " && FIELD.lastIndex === line.length)
      throw new Error(`it ends in a space: ${line}`);
    fields.set(key, value!.startsWith('"') ? (JSON.parse(value!) as string) : value!);
  }
  return fields;
}
