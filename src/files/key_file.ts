// Key files of secure listeners (spec 02 section 3, 07 section 5): one key of 64 hex digits, or a list with one key per line.
// All files of a listener are read together, and no key is handed out unless all of them are valid. A message names a
// length or one wrong character and its place, never a digit of a key.
import { SHARED_KEYS_MAX } from "../base/limits.ts";
import { KEY_BYTES, sameKey } from "../wire/secure_frame.ts";
import { readSecretFile } from "./secret_file.ts";

const KEY_DIGITS = KEY_BYTES * 2;

export interface KeyFilePaths {
  /** The primary shared key. */
  readonly keyFile: string | undefined;
  /** Further shared keys that are accepted, for rotation. */
  readonly acceptedKeyFile: string | undefined;
  readonly masterKeyFile: string | undefined;
}

/** The keys of one listener; each is one array, which its user wipes. */
export interface KeySet {
  readonly shared: readonly Uint8Array[];
  readonly master: Uint8Array | undefined;
}

export type KeyFiles =
  | { readonly ok: true; readonly keys: KeySet }
  /** Sentences, one per file at fault. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** Reads the key files of a listener, which must belong to `ownerUid`. */
export function readKeyFiles(paths: KeyFilePaths, ownerUid: number): KeyFiles {
  const reader = new KeyReader(ownerUid);
  const primary = reader.one(paths.keyFile);
  const accepted = reader.list(paths.acceptedKeyFile);
  const master = reader.one(paths.masterKeyFile);
  const shared = primary === undefined ? accepted : [primary, ...accepted];
  const problems = [...reader.problems];
  if (problems.length === 0) problems.push(...setProblems(shared, master));
  if (problems.length === 0) return { ok: true, keys: { shared, master } };
  for (const key of shared) key.fill(0);
  master?.fill(0);
  return { ok: false, problems };
}

export type ParsedKey =
  | { readonly ok: true; readonly key: Uint8Array }
  /** Completes "found FOUND". */
  | { readonly ok: false; readonly found: string };

/** The 32 bytes of exactly 64 hex digits, in either case. */
export function parseKey(text: string): ParsedKey {
  if (text.length !== KEY_DIGITS) return { ok: false, found: `${text.length} characters` };
  const wrongAt = text.search(/[^0-9a-fA-F]/);
  if (wrongAt >= 0) {
    const found = `${JSON.stringify(text[wrongAt])} at position ${wrongAt + 1}`;
    return { ok: false, found };
  }
  return { ok: true, key: Uint8Array.fromHex(text) };
}

class KeyReader {
  readonly problems: string[] = [];
  readonly #ownerUid: number;

  constructor(ownerUid: number) {
    this.#ownerUid = ownerUid;
  }

  one(path: string | undefined): Uint8Array | undefined {
    const text = this.#text(path);
    return path === undefined || text === undefined ? undefined : this.#key(path, text, "");
  }

  list(path: string | undefined): Uint8Array[] {
    const text = this.#text(path);
    if (path === undefined || text === undefined) return [];
    const keys: Uint8Array[] = [];
    for (const [index, rawLine] of text.split("\n").entries()) {
      const line = rawLine.replace(/#.*/, "").trim();
      if (line === "") continue;
      const key = this.#key(path, line, ` in line ${index + 1}`);
      if (key !== undefined) keys.push(key);
    }
    if (keys.length === 0 && this.problems.length === 0)
      this.problems.push(`${path} has no key; want at least one of 64 hex digits, one per line`);
    return keys;
  }

  #text(path: string | undefined): string | undefined {
    if (path === undefined) return undefined;
    const secret = readSecretFile(path, this.#ownerUid);
    if (secret.ok) return secret.text;
    const comma = secret.found.startsWith("which") ? "," : "";
    this.problems.push(`found ${path}${comma} ${secret.found}; want ${secret.want}`);
    return undefined;
  }

  #key(path: string, text: string, where: string): Uint8Array | undefined {
    const parsed = parseKey(text);
    if (parsed.ok) return parsed.key;
    this.problems.push(`${path} has ${parsed.found}${where}; want exactly 64 hex digits`);
    return undefined;
  }
}

function setProblems(shared: readonly Uint8Array[], master: Uint8Array | undefined): string[] {
  const problems: string[] = [];
  if (shared.length === 0 && master === undefined)
    problems.push("there is no key at all; want a shared key or a master key");
  if (shared.length > SHARED_KEYS_MAX)
    problems.push(`there are ${shared.length} shared keys; want at most ${SHARED_KEYS_MAX}`);
  else if (shared.some((key, at) => shared.slice(0, at).some((other) => sameKey(key, other))))
    problems.push("a shared key is there twice; want each shared key once");
  return problems;
}
