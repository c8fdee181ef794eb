// Datagrams that no honest client sends: descriptors attached, forged credentials, sizes of every
// kind. Bun has no sendmsg, so a Python process does it; where there is none, the tests that need
// it are skipped.

export const HAS_PYTHON: boolean = Bun.which("python3") !== null;

export interface HostileDatagrams {
  readonly path: string;
  readonly count: number;
  readonly sizeBytes: number;
  /** Descriptors attached to each datagram. */
  readonly descriptors?: number;
  /** Stated in SCM_CREDENTIALS; only root may lie. */
  readonly credentials?: { readonly pid: number; readonly uid: number; readonly gid: number };
}

const SCRIPT = `
import array, json, os, socket, struct, sys
for line in sys.stdin:
    wish = json.loads(line)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    control = []
    if wish.get("credentials"):
        c = wish["credentials"]
        ucred = struct.pack("iII", c["pid"], c["uid"], c["gid"])
        control.append((socket.SOL_SOCKET, socket.SCM_CREDENTIALS, ucred))
    if wish.get("descriptors"):
        fds = array.array("i", [0] * wish["descriptors"])
        control.append((socket.SOL_SOCKET, socket.SCM_RIGHTS, fds.tobytes()))
    for _ in range(wish["count"]):
        s.sendmsg([b"V" * wish["sizeBytes"]], control, 0, wish["path"])
    s.close()
`;

/** A process that sends what it is asked to and blocks while the observer's queue is full. */
export class HostileSender {
  readonly #child = Bun.spawn(["python3", "-c", SCRIPT], {
    stdin: "pipe",
    stdout: "ignore",
    stderr: "inherit",
  });

  get pid(): number {
    return this.#child.pid;
  }

  send(datagrams: HostileDatagrams): void {
    this.#child.stdin.write(`${JSON.stringify(datagrams)}\n`);
    this.#child.stdin.flush();
  }

  /**
   * Waits for its end: until then the runtime holds descriptors for it, and other tests count
   * those.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }
}
