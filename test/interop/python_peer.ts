// The independent implementation in Python as a child process: one command in, one answer out.

const python = Bun.which("python3");

export const HAS_PYTHON: boolean = python !== null;
/** For names of tests: why they are skipped. */
export const NEEDS_PYTHON: string = HAS_PYTHON ? "" : " (skipped: there is no python3)";

/** Fields of a frame as Python sees them, or the reason why it is none. */
export interface Explained {
  readonly error?: string;
  readonly status?: string;
  readonly pid?: number;
  readonly timestamp?: string;
  readonly nonce?: string;
  readonly payload?: number;
}

export class PythonPeer implements AsyncDisposable {
  readonly #child = Bun.spawn([python ?? "python3", `${import.meta.dir}/varta_peer.py`], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  readonly #reader = this.#child.stdout.getReader();
  #heard = "";

  get pid(): number {
    return this.#child.pid;
  }

  /** Its answer; throws with what Python printed if it died instead. */
  async ask(command: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`);
    this.#child.stdin.flush();
    while (!this.#heard.includes("\n")) {
      const { done, value } = await this.#reader.read();
      if (done) throw new Error(await new Response(this.#child.stderr).text());
      this.#heard += new TextDecoder().decode(value);
    }
    const end = this.#heard.indexOf("\n");
    const answer = JSON.parse(this.#heard.slice(0, end)) as Record<string, unknown>;
    this.#heard = this.#heard.slice(end + 1);
    return answer;
  }

  async explain(datagram: Uint8Array, keys: { key?: string; master?: string }): Promise<Explained> {
    return await this.ask({ do: "explain", datagram: datagram.toHex(), ...keys });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#child.exited;
  }
}
