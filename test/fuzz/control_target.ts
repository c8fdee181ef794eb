// Lines of the control socket against a slow reader: valid ones, damaged ones, blank ones and
// garbage, sent to the real server in pieces of any size. Each line that the slow reader knows gets
// its answer, in order; after bytes that are no line there is one error, and the end.
import { AF_UNIX, EAGAIN, SOCK_STREAM } from "../../ffi/constants.ts";
import { close, connect, openSocket, send, unixAddress } from "../../ffi/socket.ts";
import { shutdownWrite, StreamBuffer } from "../../ffi/stream.ts";
import { wholePiece } from "../../src/base/pieces.ts";
import { ControlServer } from "../../src/control/control_server.ts";
import { answerLine, type Request } from "../../src/control/request.ts";
import type { Random } from "../simulation/random.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { damage } from "./bytes.ts";
import { count, type FuzzTarget, same } from "./fuzz.ts";
import { sourcesWith } from "../control/sources.ts";

const CONNECTIONS_PER_ROUND = 8;
const LINES_MAX = 12;
const TURNS_MAX = 10_000;
const SLICE_NS = 1_000_000;

const GET: Request = {
  name: "get",
  right: "read",
  help: "",
  args: { n: { is: "integer", min: 0, max: 9, help: "" } },
  answer: "",
  run: (args) => wholePiece(answerLine({ n: args.get("n") ?? null })),
};

const LINES = [
  ...['{"v":1,"do":"get","n":3}', '{"v":1,"do":"get"}', ' {"do":"get","v":1}\r', "", " \t\r"],
  ...['{"v":1,"do":"get","n":10}', '{"v":1,"do":"get","n":"3"}', '{"v":1,"do":"get","m":1}'],
  ...['{"v":2,"do":"get"}', '{"do":"get"}', '{"v":1,"do":"got"}', '{"v":1,"do":7}', '{"v":1}'],
];
const NO_LINES = ["garbage", "[]", "7", "null", '{"v":1,"do":"get"', "\xff{}", "GET / HTTP/1.1"];

export class ControlTarget implements FuzzTarget {
  readonly counts = new Map<string, number>();
  readonly #directory = new TemporaryDirectory();
  readonly #server: ControlServer;
  readonly #buffer = new StreamBuffer(65_536);
  #nowNs = 1;

  constructor() {
    this.#server = new ControlServer({
      path: this.#directory.at("control.sock"),
      mode: 0o600,
      gid: undefined,
      operators: { uids: [], gids: [] },
      daemonUid: 0,
      requests: [GET],
      sources: sourcesWith({}),
      nowNs: () => this.#nowNs,
      acted: () => {},
      refusedAct: () => {},
    });
  }

  round(random: Random): void {
    for (let i = 0; i < CONNECTIONS_PER_ROUND; i++) this.#one(random);
  }

  [Symbol.dispose](): void {
    this.#server.beginClose();
    this.#directory[Symbol.dispose]();
  }

  #one(random: Random): void {
    const lines = Array.from({ length: random.below(LINES_MAX) }, () =>
      random.pick(random.chance(0.05) ? NO_LINES : LINES),
    );
    const bytes = Uint8Array.from(Buffer.from(lines.join("\n"), "latin1"));
    if (random.chance(0.2)) damage(random, bytes);
    const found = outcomes(this.#exchange(bytes, random));
    const wanted = referenceOutcomes(bytes);
    same(`the answers to ${JSON.stringify(Buffer.from(bytes).toString("latin1"))}`, found, wanted);
    for (const one of wanted) count(this, one);
  }

  /** All that comes back, until the server ends the connection. */
  #exchange(bytes: Uint8Array, random: Random): string {
    const fd = openSocket(AF_UNIX, SOCK_STREAM);
    try {
      if (connect(fd, unixAddress(this.#server.path)) < 0) throw new Error("no connection");
      let at = 0;
      let text = "";
      for (let turn = 0; turn < TURNS_MAX; turn++) {
        if (at < bytes.length) {
          const size = 1 + random.below(random.chance(0.5) ? 4 : 200);
          // A server that has ended the connection takes nothing more.
          if (send(fd, bytes.slice(at, at + size)) < 0) at = bytes.length;
          else at = Math.min(bytes.length, at + size);
        } else shutdownWrite(fd);
        this.#server.serveSlice(SLICE_NS);
        const came = this.#buffer.receive(fd, 0);
        if (came > 0) text += Buffer.from(this.#buffer.bytes.subarray(0, came)).toString();
        else if (came !== -EAGAIN) return text;
      }
      throw new Error("the connection does not end");
    } finally {
      close(fd);
      this.#server.serveSlice(SLICE_NS);
    }
  }
}

/** The error of each answer, or "ok". */
function outcomes(text: string): string[] {
  const answers = text.split('{"done":true}\n');
  if (answers.pop() !== "") throw new Error(`an answer has no end: ${text}`);
  return answers.map((answer) => {
    const lines = answer.trimEnd().split("\n");
    if (lines.length !== 1) throw new Error(`not one line: ${answer}`);
    return (JSON.parse(lines[0]!) as { error?: string }).error ?? "ok";
  });
}

function referenceOutcomes(bytes: Uint8Array): string[] {
  const found: string[] = [];
  for (const line of Buffer.from(bytes).toString("latin1").split("\n")) {
    if (/^[ \t\r]*$/.test(line)) continue;
    const one = referenceOutcome(Buffer.from(line, "latin1"));
    found.push(one);
    if (one === "bad_line") return found;
  }
  return found;
}

function referenceOutcome(line: Buffer): string {
  let value: unknown;
  try {
    // What is no UTF-8 comes out otherwise than it went in.
    if (!Buffer.from(line.toString("utf8"), "utf8").equals(line)) return "bad_line";
    value = JSON.parse(line.toString("utf8"));
  } catch {
    return "bad_line";
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "bad_line";
  const fields = new Map(Object.entries(value));
  if (fields.get("v") !== 1) return "bad_version";
  if (fields.get("do") !== "get") return "unknown_request";
  fields.delete("v");
  fields.delete("do");
  for (const [field, given] of fields) {
    if (field !== "n") return "unknown_field";
    if (![0, 1, 2, 3, 4, 5, 6, 7, 8, 9].includes(given as number)) return "bad_field";
  }
  return "ok";
}
