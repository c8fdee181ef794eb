// Secret files of the configuration: key files, the metrics token and the recovery command (spec 07 section 5). Their
// content is checked here and never repeated in a message.
import { readSecretFile } from "../files/secret_file.ts";
import type { CheckedDocument, CheckedListener } from "./check_document.ts";
import type { Fault } from "./fault.ts";
import { pathText } from "./found.ts";
import { conflictFault, type KeyRef } from "./key_ref.ts";

export const SHARED_KEYS_MAX = 8;
const COMMAND_WORDS_MAX = 64;
const KEY_PATTERN = /^[0-9a-fA-F]{64}$/;

export interface Secrets {
  readonly token: Uint8Array | undefined;
  /** The words of recovery.command_file. */
  readonly command: readonly string[] | undefined;
}

/** Reads every secret file that the configuration names. */
export function readSecrets(document: CheckedDocument, uid: number, faults: Fault[]): Secrets {
  const reader = new SecretReader(document, uid, faults);
  for (const listener of document.listeners) checkKeyFiles(listener, reader);
  const { metrics, recovery } = document.tables;
  const token = reader.key({ table: "metrics", key: "token_file" }, metrics.values.token_file);
  const commandRef: KeyRef = { table: "recovery", key: "command_file" };
  const text = reader.text(commandRef, recovery.values.command_file);
  const command = text === undefined ? undefined : commandWords(text, commandRef, reader);
  return { token: token === undefined ? undefined : Buffer.from(token, "hex"), command };
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

  /** Trimmed content of the file; undefined if there is no path or the file is at fault. */
  text(ref: KeyRef, path: string | undefined): string | undefined {
    if (path === undefined) return undefined;
    const secret = readSecretFile(path, this.#uid);
    if (secret.ok) return secret.text;
    const comma = secret.found.startsWith("which") ? "," : "";
    this.report(ref, `${pathText(path)}${comma} ${secret.found}`, secret.want);
    return undefined;
  }

  /** The one key in the file, in lower case. */
  key(ref: KeyRef, path: string | undefined): string | undefined {
    const text = this.text(ref, path);
    if (text === undefined || path === undefined) return undefined;
    if (KEY_PATTERN.test(text)) return text.toLowerCase();
    const found = `${pathText(path)} with other content`;
    this.report(ref, found, "exactly 64 hex digits in it");
    return undefined;
  }

  /** A secret file at fault is a matter of the configuration, whoever named it: exit 78. */
  report(ref: KeyRef, found: string, want: string): void {
    const fault = conflictFault(this.#document, { at: ref, anchor: "value", found, want });
    this.#faults.push({ ...fault, onlyOptions: false });
  }
}

function checkKeyFiles(listener: CheckedListener, reader: SecretReader): void {
  const { key_file, accepted_key_file, master_key_file } = listener.values;
  const primary = reader.key({ listener, key: "key_file" }, key_file);
  reader.key({ listener, key: "master_key_file" }, master_key_file);
  const ref: KeyRef = { listener, key: "accepted_key_file" };
  const text = reader.text(ref, accepted_key_file);
  if (text === undefined || accepted_key_file === undefined) return;
  checkKeyList({ ref, text, path: pathText(accepted_key_file), primary, reader });
}

interface KeyList {
  readonly ref: KeyRef;
  readonly text: string;
  readonly path: string;
  readonly primary: string | undefined;
  readonly reader: SecretReader;
}

function checkKeyList({ ref, text, path, primary, reader }: KeyList): void {
  const keys = new Set(primary === undefined ? [] : [primary]);
  let count = keys.size;
  for (const [index, rawLine] of text.split("\n").entries()) {
    const line = rawLine.replace(/#.*/, "").trim();
    if (line === "") continue;
    const place = `${path} with`;
    const where = `in line ${index + 1}`;
    if (!KEY_PATTERN.test(line)) {
      reader.report(ref, `${place} other content ${where}`, "64 hex digits in each line");
    } else if (keys.has(line.toLowerCase())) {
      reader.report(ref, `${place} a key ${where} that is already in use`, "each shared key once");
    }
    keys.add(line.toLowerCase());
    count++;
  }
  if (count === (primary === undefined ? 0 : 1)) {
    reader.report(ref, `${path} without a key`, "at least one key of 64 hex digits in it");
  }
  if (count > SHARED_KEYS_MAX) {
    const found = `${count} shared keys with those of ${path}`;
    reader.report(ref, found, `at most ${SHARED_KEYS_MAX} in all`);
  }
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
