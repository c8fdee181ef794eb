// The form of a value: what the file may have, what becomes of it, and the words for what it may
// not have (spec 07 section 4). keys/forms.ts has the forms; a key is a form with a name
// (keys/key.ts).
import type { Accounts } from "../accounts.ts";
import type { Fault, Path } from "../problems/fault.ts";
import { foundText, type ValueKind } from "../problems/found.ts";
import { nearest } from "../problems/suggestion.ts";

/**
 * `Checked` is a value that is right by itself: rules between keys judge it, options replace it.
 * `Resolved` is what the configuration has, which is mostly the same.
 */
export interface Form<Checked, Resolved = Checked> {
  readonly name: string;
  readonly kind: ValueKind;
  /** What messages want. */
  readonly want: string;
  /** The same for the reference page, in few words. */
  readonly takes: string;
  readonly json: JsonSchema;
  /** The fixed set of words that it takes. */
  readonly words?: readonly string[];
  /** It is the path of a file with such a secret. */
  readonly secret?: SecretContent;
  /** It names one account or a list of them, which are looked up once. */
  readonly account?: AccountKind;
  /** Its words name accounts of both kinds: the one that a word names. */
  readonly accountOf?: (word: string) => { readonly kind: AccountKind; readonly name: string };
  /** Undefined after a fault was reported. */
  check(value: unknown, path: Path, faults: Fault[]): Checked | undefined;
  resolved?(value: Checked, accounts: AccountFiles): Resolved;
  /** As the file would have it; undefined = the value itself. */
  shown?(value: Resolved): EffectiveValue;
}

export type JsonSchema = Readonly<Record<string, unknown>>;

export type AccountKind = "user" | "group";

export type AccountFiles = Readonly<Record<AccountKind, Accounts>>;

/** One key of 64 hex digits, a list of them, or the words of a command. */
export type SecretContent = "key" | "keys" | "command";

export type EffectiveValue =
  | string
  | number
  | boolean
  | readonly (string | number)[]
  | readonly EffectiveTable[]
  | EffectiveTable;
type EffectiveTable = { readonly [name: string]: string | readonly string[] };

/** Better words for one particular wrong value. */
export interface Remark {
  readonly found?: string;
  readonly want?: string;
}

interface Words {
  readonly kind: ValueKind;
  readonly want: string;
  readonly remark?: (value: unknown) => Remark | undefined;
}

/** The fault of a value as a whole. */
export function valueFault({ kind, want, remark }: Words, value: unknown, path: Path): Fault {
  const better = remark?.(value);
  const found = better?.found ?? foundText(value, kind);
  return { path, anchor: "value", found, want: better?.want ?? want };
}

type ScalarForm<Checked, Resolved> = Omit<Form<Checked, Resolved>, "check" | "takes"> &
  Words & {
    readonly takes?: string;
    /** Undefined = refused. */
    readonly parse: (value: unknown) => Checked | undefined;
  };

/** A form that takes a value as a whole or refuses it as a whole. */
export function scalar<Checked, Resolved = Checked>(
  form: ScalarForm<Checked, Resolved>,
): Form<Checked, Resolved> {
  return {
    takes: form.want,
    ...form,
    check(value, path, faults) {
      const parsed = form.parse(value);
      if (parsed === undefined) faults.push(valueFault(form, value, path));
      return parsed;
    },
  };
}

/** The words for an item of an array or a table. */
interface ItemWords {
  readonly kind: ValueKind;
  readonly want: string;
  /** What an item that must not be empty should hold. */
  readonly wantInstead?: string;
  /** Its value is not shown. */
  readonly isHidden?: boolean;
  /** The fixed set of words that it is one of. */
  readonly words?: readonly string[];
}

/** What an array or a table of values holds. */
export interface Item<Value> extends ItemWords {
  readonly json: JsonSchema;
  readonly parse: (value: unknown) => Value | undefined;
}

export function itemFault(
  { kind, want, wantInstead = want, isHidden = false, words = [] }: ItemWords,
  value: unknown,
  path: Path,
): Fault {
  const fault = { path, anchor: "value" } as const;
  if (value === "") return { ...fault, found: "an empty string", want: wantInstead };
  if (typeof value === "string" && value.includes("\0")) {
    const found = isHidden ? "a string with a NUL" : foundText(value, kind);
    return { ...fault, found, want: "a string without a NUL" };
  }
  const suggestion = typeof value === "string" ? nearest(value, words) : undefined;
  return { ...fault, found: foundText(value, kind), want, suggestion };
}

/** A table as the parser of the file or an option makes it; undefined for everything else. */
export function tableOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) return undefined;
  return value as Readonly<Record<string, unknown>>;
}
