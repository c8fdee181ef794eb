// The last configuration that worked, kept where the daemon keeps what outlives it, so that a typo
// cannot leave a machine unwatched by a restart (spec 17 section 8): a copy of the file byte for
// byte, and beside it what it has to be. Secret files are not in it. Only a service manager, which
// starts the daemon whatever anybody has written, is given it; a person at a terminal is not.
import { createHash } from "node:crypto";
import { join } from "node:path";
import { REAL_FILE_CALLS } from "../files/append_file.ts";
import { readSmallFile, replaceSmallFile, type SmallFile } from "../files/small_file.ts";
import { stateDirectory } from "../files/state_directory.ts";

const COPY_BYTES_MAX = 1_048_576;
const SUMS_BYTES_MAX = 16_384;

interface LastGoodOptions {
  /** Absolute path of the file of which it is a copy. */
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly ownerUid: number;
  /** stderr is a terminal. */
  readonly isTerminal: boolean;
}

export class LastGood {
  readonly #options: LastGoodOptions;
  readonly #directory: string;
  /** Of what is kept; undefined = that is not known yet. */
  #kept: string | undefined = undefined;
  /** Writings come one after the other. */
  #last: Promise<void> = Promise.resolve();

  /** Undefined = no service manager runs the daemon, or gave it no directory of its own. */
  static of(options: LastGoodOptions): LastGood | undefined {
    const { env, isTerminal, ownerUid } = options;
    const isManaged = [env["NOTIFY_SOCKET"], env["INVOCATION_ID"]].some((value) => value);
    if (isTerminal || !isManaged || !env["STATE_DIRECTORY"]) return undefined;
    const directory = stateDirectory({ env, otherwise: "", ownerUid });
    return directory.ok ? new LastGood(options, directory.path) : undefined;
  }

  private constructor(options: LastGoodOptions, directory: string) {
    this.#options = options;
    this.#directory = directory;
  }

  /** The path of the copy; undefined = there is none that can be trusted. Never throws. */
  async find(): Promise<string | undefined> {
    try {
      const { copy, sums, lines } = await this.#place();
      const bytes = await readSmallFile(copy, COPY_BYTES_MAX);
      const isMeant = bytes !== undefined && lines.some((line) => line === this.#line(bytes));
      return sums !== undefined && isMeant ? copy.path : undefined;
    } catch {
      return undefined;
    }
  }

  /** Keeps a configuration that works. Throws the system's error. */
  keep(text: string): Promise<void> {
    const kept = this.#last.then(() => this.#keep(Buffer.from(text)));
    this.#last = kept.catch(() => {});
    return kept;
  }

  async #keep(bytes: Buffer): Promise<void> {
    const line = this.#line(bytes);
    if (line === this.#kept || bytes.length > COPY_BYTES_MAX) return;
    const { copy, sums, lines } = await this.#place();
    // The one that is there counts until the new one is: the machine may end between the two.
    const before = lines.filter((one) => one !== line).slice(0, 1);
    const text = [line, ...before].map((one) => `${one}\n`).join("");
    await replaceSmallFile(sums, Buffer.from(text));
    await replaceSmallFile(copy, bytes);
    this.#kept = line;
  }

  /** Two files of one directory are two daemons: the second one has names of its own. */
  async #place(): Promise<{ copy: SmallFile; sums: SmallFile; lines: readonly string[] }> {
    const { file } = this.#options;
    const own = await this.#named("last-good");
    if (own.lines.every((line) => line.endsWith(`  ${file}`))) return own;
    const digits = createHash("sha256").update(file).digest("hex").slice(0, 16);
    return await this.#named(`last-good-${digits}`);
  }

  async #named(name: string) {
    const copy = this.#small(`${name}.toml`);
    const sums = this.#small(`${name}.sum`);
    const bytes = await readSmallFile(sums, SUMS_BYTES_MAX);
    const lines = bytes?.toString("utf8").split("\n").slice(0, -1) ?? [];
    return { copy, sums, lines };
  }

  #small(name: string): SmallFile {
    const path = join(this.#directory, name);
    return { path, ownerUid: this.#options.ownerUid, calls: REAL_FILE_CALLS };
  }

  /** As sha256sum(1) writes it, but for the file that it is a copy of. */
  #line(bytes: Uint8Array): string {
    return `${createHash("sha256").update(bytes).digest("hex")}  ${this.#options.file}`;
  }
}
