// Secret files of the configuration: key files, the metrics token and the recovery command (spec 07
// section 5). Their content is checked here and never repeated in a message.
import { SHARED_KEYS_MAX } from "../base/limits.ts";
import { keysDigest } from "../secrets/key_digest.ts";
import { readKeyFile, readKeyListFile } from "../secrets/key_file.ts";
import type { KeyLine } from "../secrets/key_text.ts";
import { foundText, type SecretFault } from "../secrets/secret_fault.ts";
import { readSecretFile } from "../secrets/secret_file.ts";
import { sameKey } from "../wire/secure_frame.ts";
import type { CheckedDocument, CheckedListener } from "./checks/check_document.ts";
import type { Fault } from "./problems/fault.ts";
import { pathText } from "./problems/found.ts";
import { conflictFault, type KeyRef } from "./checks/key_ref.ts";
import type { Key } from "./keys/key.ts";
import { TABLE_NAMES, TABLES } from "./keys/tables.ts";

const COMMAND_WORDS_MAX = 64;

/** What is in the secret files, by table and the field that has it: "metrics.token". */
export type Secrets = ReadonlyMap<string, Uint8Array | readonly string[] | undefined>;

/** Reads every secret file that the configuration names. */
export function readSecrets(document: CheckedDocument, uid: number, faults: Fault[]): Secrets {
  const reader = new SecretReader(document, uid, faults);
  const secrets = new Map<string, Uint8Array | readonly string[] | undefined>();
  for (const [index, listener] of document.listeners.entries())
    for (const [field, digest] of Object.entries(checkKeyFiles(listener, reader)))
      secrets.set(listenerSecret(index, field), digest);
  for (const table of TABLE_NAMES) {
    const values: Readonly<Record<string, unknown>> = document.tables[table].values;
    for (const [key, { form, loads }] of Object.entries<Key>(TABLES[table])) {
      if (loads === undefined) continue;
      const path = values[key] as string | undefined;
      const ref: KeyRef = { table, key };
      const held = form.secret === "command" ? reader.command(ref, path) : reader.key(ref, path);
      secrets.set(`${table}.${loads}`, held);
    }
  }
  for (const [index, row] of document.plans.entries()) {
    const path = row.values.command_file;
    secrets.set(planSecret(index), reader.command({ row, key: "command_file" }, path));
  }
  return secrets;
}

/** Where what a key file of a listener holds is among the secrets, as a digest. */
export function listenerSecret(index: number, field: string): string {
  return `listener[${index}].${field}`;
}

/** Where the command of a plan is among the secrets. */
export function planSecret(index: number): string {
  return `recovery.plan[${index}].command`;
}

/** The words of a command file: that of [recovery], or that of a plan by its name there. */
export function secretCommand(
  secrets: Secrets,
  name = "recovery.command",
): readonly string[] | undefined {
  const words = secrets.get(name);
  return words instanceof Uint8Array ? undefined : words;
}

class SecretReader {
  readonly #document: CheckedDocument;
  readonly #uid: number;
  readonly #faults: Fault[];

  constructor(document: CheckedDocument, uid: number, faults: Fault[]) {
    this.#document = document;
    this.#uid = uid;
    this.#faults = faults;
  }

  /** The words of the file; undefined if there is no path or the file is at fault. */
  command(ref: KeyRef, path: string | undefined): readonly string[] | undefined {
    if (path === undefined) return undefined;
    const secret = readSecretFile(path, this.#uid);
    if (!secret.ok) return this.#unreadable(ref, path, secret);
    return commandWords(Buffer.from(secret.bytes).toString("utf8"), ref, this);
  }

  /** The one key in the file. */
  key(ref: KeyRef, path: string | undefined): Uint8Array | undefined {
    if (path === undefined) return undefined;
    const read = readKeyFile(path, this.#uid);
    if ("want" in read) return this.#unreadable(ref, path, read);
    if (read.ok) return read.key;
    this.report(ref, `${pathText(path)} with other content`, "exactly 64 hex digits in it");
    return undefined;
  }

  /** The keys of a list, and the lines that hold something else. */
  list(ref: KeyRef, path: string | undefined): readonly KeyLine[] | undefined {
    if (path === undefined) return undefined;
    const read = readKeyListFile(path, this.#uid);
    return "want" in read ? this.#unreadable(ref, path, read) : read;
  }

  /** A bad secret file is a fault of the configuration, even if an option named it: exit 78. */
  report(ref: KeyRef, found: string, want: string): void {
    const fault = conflictFault(this.#document, { at: ref, anchor: "value", found, want });
    this.#faults.push({ ...fault, onlyOptions: false });
  }

  #unreadable(ref: KeyRef, path: string, fault: SecretFault): undefined {
    this.report(ref, foundText(pathText(path), fault), fault.want);
  }
}

// The listener reads its keys for itself when it is opened, so those read here are wiped; a digest
// of each file says whether a reload finds others in it.
function checkKeyFiles(
  listener: CheckedListener,
  reader: SecretReader,
): Readonly<Record<string, Uint8Array | undefined>> {
  const { key_file, accepted_key_file, master_key_file } = listener.values;
  const primary = reader.key({ listener, key: "key_file" }, key_file);
  const master = reader.key({ listener, key: "master_key_file" }, master_key_file);
  const ref: KeyRef = { listener, key: "accepted_key_file" };
  const lines = reader.list(ref, accepted_key_file);
  const accepted = lines?.flatMap(({ parsed }) => (parsed.ok ? [parsed.key] : []));
  const digests = {
    keyDigest: primary && keysDigest([primary]),
    acceptedKeysDigest: accepted && keysDigest(accepted),
    masterKeyDigest: master && keysDigest([master]),
  };
  if (lines !== undefined && accepted_key_file !== undefined)
    checkKeyList({ ref, lines, path: pathText(accepted_key_file), primary, reader });
  for (const key of [primary, master, ...(accepted ?? [])]) key?.fill(0);
  return digests;
}

interface KeyList {
  readonly ref: KeyRef;
  readonly lines: readonly KeyLine[];
  readonly path: string;
  readonly primary: Uint8Array | undefined;
  readonly reader: SecretReader;
}

function checkKeyList({ ref, lines, path, primary, reader }: KeyList): void {
  const keys = primary === undefined ? [] : [primary];
  const count = keys.length + lines.length;
  for (const { line, parsed } of lines) {
    const where = `in line ${line}`;
    if (!parsed.ok) {
      reader.report(ref, `${path} with other content ${where}`, "64 hex digits in each line");
      continue;
    }
    const { key } = parsed;
    if (keys.some((other) => sameKey(key, other)))
      reader.report(
        ref,
        `${path} with a key ${where} that is already in use`,
        "each shared key once",
      );
    keys.push(key);
  }
  if (lines.length === 0)
    reader.report(ref, `${path} without a key`, "at least one key of 64 hex digits in it");
  if (count > SHARED_KEYS_MAX) {
    const found = `${count} shared keys with those of ${path}`;
    reader.report(ref, found, `at most ${SHARED_KEYS_MAX} in all`);
  }
  for (const key of keys) key.fill(0);
}

function commandWords(text: string, ref: KeyRef, reader: SecretReader): string[] | undefined {
  const words = text.split(/\s+/).filter((word) => word !== "");
  if (words.length === 0) {
    reader.report(
      ref,
      "a file without a command",
      "a command in it, such as systemctl restart app",
    );
  } else if (words.length > COMMAND_WORDS_MAX) {
    reader.report(ref, `a command of ${words.length} words`, `at most ${COMMAND_WORDS_MAX} words`);
  } else if (text.includes("\0")) {
    reader.report(ref, "a command with a NUL in it", "a command without a NUL");
  } else return words;
  return undefined;
}
