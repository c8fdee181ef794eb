// Key files of secure listeners (spec 02 section 3, 07 section 5): one key of 64 hex digits, or a
// list with one key per line. All files of a listener are read together, and no key is handed out
// unless all of them are valid. What was read is wiped, also after a file at fault; no message
// holds a digit of a key.
import { SHARED_KEYS_MAX } from "../base/limits.ts";
import { sameKey } from "../wire/secure_frame.ts";
import { type KeyLine, type ParsedKey, parseKey, parseKeyList } from "./key_text.ts";
import { foundText, type SecretFault } from "./secret_fault.ts";
import { readSecretFile } from "./secret_file.ts";

export interface KeyFilePaths {
  /** The primary shared key. */
  readonly keyFile: string | undefined;
  /** Further shared keys that are accepted, for rotation. */
  readonly acceptedKeyFile: string | undefined;
  readonly masterKeyFile: string | undefined;
}

/** The keys of one listener; each is one array, which its user wipes. */
interface KeySet {
  readonly shared: readonly Uint8Array[];
  readonly master: Uint8Array | undefined;
}

type KeyFiles =
  | { readonly ok: true; readonly keys: KeySet }
  /** Sentences, one per file at fault. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** What the file with one key holds; its user wipes the key. */
export function readKeyFile(path: string, ownerUid: number): ParsedKey | SecretFault {
  return readInto(path, ownerUid, parseKey);
}

/** What the file with a list of keys holds; its user wipes the keys. */
export function readKeyListFile(path: string, ownerUid: number): readonly KeyLine[] | SecretFault {
  return readInto(path, ownerUid, parseKeyList);
}

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

function readInto<Parsed>(
  path: string,
  ownerUid: number,
  parse: (bytes: Uint8Array) => Parsed,
): Parsed | SecretFault {
  const secret = readSecretFile(path, ownerUid);
  if (!secret.ok) return secret;
  try {
    return parse(secret.bytes);
  } finally {
    secret.bytes.fill(0);
  }
}

class KeyReader {
  readonly problems: string[] = [];
  readonly #ownerUid: number;

  constructor(ownerUid: number) {
    this.#ownerUid = ownerUid;
  }

  one(path: string | undefined): Uint8Array | undefined {
    if (path === undefined) return undefined;
    const read = readKeyFile(path, this.#ownerUid);
    if ("want" in read) return this.#unreadable(path, read);
    return this.#key(path, read, "");
  }

  list(path: string | undefined): Uint8Array[] {
    if (path === undefined) return [];
    const read = readKeyListFile(path, this.#ownerUid);
    if ("want" in read) {
      this.#unreadable(path, read);
      return [];
    }
    if (read.length === 0)
      this.problems.push(`${path} has no key; want at least one of 64 hex digits, one per line`);
    return read.flatMap(({ line, parsed }) => this.#key(path, parsed, ` in line ${line}`) ?? []);
  }

  #key(path: string, parsed: ParsedKey, where: string): Uint8Array | undefined {
    if (parsed.ok) return parsed.key;
    this.problems.push(`${path} has ${parsed.found}${where}; want exactly 64 hex digits`);
    return undefined;
  }

  #unreadable(path: string, fault: SecretFault): undefined {
    this.problems.push(`found ${foundText(path, fault)}; want ${fault.want}`);
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
