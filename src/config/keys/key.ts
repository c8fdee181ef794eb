// A key of varta.toml says once all that there is to say of it: its form, its default, its place in
// the configuration, how a change is taken over, and one line of help. Its name in the file is its
// name in the table of its section (keys/tables.ts); the types of checked and resolved values are
// derived from the rows.
import type { Form, SecretContent } from "./form.ts";

/** How a changed value can be taken over: while the daemon runs, or only by a new start. */
type Reload = "live" | "restart";

/** What not every key has to say. */
interface KeyFacts {
  /** As the file would have it. */
  readonly byDefault?:
    | string
    | number
    | boolean
    | readonly string[]
    | Readonly<Record<string, string>>;
  /** What the configuration has without the key, when that is none of its values. */
  readonly absent?: unknown;
  /** The file must have it. */
  readonly required?: true;
  /** Without the key its value is worked out from others, in the words of the reference page. */
  readonly computed?: string;
  readonly unit?: string;
  /** Of a live key: a value above this one takes a restart all the same. */
  readonly liveMax?: number;
  /** Of a secret file: the field that has what is in it. */
  readonly loads?: string;
}

interface KeyBasics {
  /** Its name in the configuration; durations end in Ns. */
  readonly field: string;
  readonly form: Form<unknown, unknown> & { readonly milliseconds?: Form<unknown> };
  /** Editors, the reference page and the JSON Schema show it. */
  readonly help: string;
  readonly reload: Reload;
}

export type Key = KeyBasics & KeyFacts;

/** The keys of one table of the file, in its order. */
export type Keys = Readonly<Record<string, Key>>;

type Row<Field, F, Facts> = KeyBasics & { readonly field: Field; readonly form: F } & Facts;

/** A key that can be taken over while the daemon runs. */
export function live<
  const Field extends string,
  F extends Form<unknown, unknown>,
  const Facts extends KeyFacts = KeyFacts,
>(field: Field, form: F, help: string, facts?: Facts): Row<Field, F, Facts> {
  return { field, form, help, reload: "live", ...facts! };
}

/** A key that needs a new start. */
export function restart<
  const Field extends string,
  F extends Form<unknown, unknown>,
  const Facts extends KeyFacts = KeyFacts,
>(field: Field, form: F, help: string, facts?: Facts): Row<Field, F, Facts> {
  return { field, form, help, reload: "restart", ...facts! };
}

type CheckedBy<F> = F extends Form<infer Checked, infer _Resolved> ? Checked : never;
type ResolvedBy<F> = F extends Form<infer _Checked, infer Resolved> ? Resolved : never;

/** The values of a table that are right by themselves; what is wrong or absent is not there. */
export type CheckedValues<K extends Keys> = { -readonly [N in keyof K]?: CheckedBy<K[N]["form"]> };

type AlwaysThere =
  | { readonly byDefault: unknown }
  | { readonly absent: unknown }
  | { readonly required: true }
  | { readonly computed: string };

type Secret<Content extends SecretContent | undefined> =
  | (Content extends "command" ? readonly string[] : Uint8Array)
  | undefined;

/** A table of the configuration. */
export type ConfigOf<K extends Keys> = {
  readonly [N in keyof K as K[N]["field"]]:
    | ResolvedBy<K[N]["form"]>
    | (K[N] extends AlwaysThere ? never : undefined);
} & {
  readonly [N in keyof K as K[N] extends { readonly loads: infer Field extends string }
    ? Field
    : never]: Secret<K[N]["form"]["secret"]>;
};

/** Every name that a table of the file may have: a duration has a second one, in milliseconds. */
export function keyNames(keys: Keys): string[] {
  return Object.entries(keys).flatMap(([name, { form }]) =>
    form.milliseconds === undefined ? [name] : [name, `${name}_ms`],
  );
}

/** The form of a name that may be a second one; undefined = no such key. */
export function formOf(keys: Keys, name: string): Key["form"] | undefined {
  if (Object.hasOwn(keys, name)) return keys[name]!.form;
  const base = baseName(name);
  return base !== name && Object.hasOwn(keys, base) ? keys[base]!.form.milliseconds : undefined;
}

/** "threshold" for "threshold_ms". */
export function baseName(name: string): string {
  return name.replace(/_ms$/, "");
}

/** The checked value of the default; undefined = there is none. */
export function defaultOf({ form, byDefault }: Key): unknown {
  return byDefault === undefined ? undefined : form.check(byDefault, [], []);
}
