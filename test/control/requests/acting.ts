// Requests that act, on the real acts of a daemon's turn: what each answers, line by line.
import type { Arguments, Request } from "../../../src/control/request.ts";
import { parseRequestLine } from "../../../src/control/request_line.ts";
import { EventLog } from "../../../src/view/event_log.ts";
import { EventStreams } from "../../../src/view/event_streams.ts";
import { ActsHarness, DANA } from "../../daemon/acts_harness.ts";
import { THRESHOLD_NS } from "../../observer/harness.ts";
import { sourcesWith } from "../sources.ts";

const THRESHOLD_MS = THRESHOLD_NS / 1_000_000;
const PEER = { uid: DANA.uid, gid: DANA.uid, pid: DANA.pid };

export class Acting {
  readonly harness = new ActsHarness({ command: ["/bin/recover", "{pid}"] });
  readonly events = new EventLog();
  /** How often an answer said that it has more. */
  wakes = 0;
  /** Who waits for what the next turns decide. */
  readonly waiting: (() => void)[] = [];
  readonly #request: Request;

  /** Two workers and an api, which beat. */
  constructor(request: Request) {
    this.#request = request;
    this.harness.watch({ 100: "worker", 101: "worker", 200: "api" });
  }

  /** The name of the agent of a pid. */
  nameOf(pid: number): string {
    const { tracker } = this.harness.observer;
    return tracker.table.agents.nameOf(tracker.agentOf(pid));
  }

  /** The first worker stalls, the others beat. */
  stall(): void {
    const { harness } = this;
    for (const beats of [
      [101, 200],
      [101, 200],
    ]) {
      harness.pass(THRESHOLD_MS / 2);
      harness.beat(...beats);
      harness.turns();
    }
  }

  /** The answer, as it is made of a line that came in. */
  open(args: Readonly<Record<string, unknown>>) {
    const text = JSON.stringify({ v: 1, do: this.#request.name, ...args });
    const parsed = parseRequestLine(Buffer.from(text), [this.#request]);
    if ("refusal" in parsed) throw new Error(parsed.refusal.text);
    return this.#run(parsed.args);
  }

  /** All lines of an answer that is there at once; or why the line was refused. */
  ask(args: Readonly<Record<string, unknown>> = {}): Record<string, unknown>[] {
    const text = JSON.stringify({ v: 1, do: this.#request.name, ...args });
    const parsed = parseRequestLine(Buffer.from(text), [this.#request]);
    if ("refusal" in parsed) return [{ ...parsed.refusal }];
    return linesOf(this.#run(parsed.args));
  }

  #run(args: Arguments) {
    const { events } = this;
    const sources = sourcesWith({
      acts: this.harness.acts,
      events: new EventStreams(events, "boot"),
      later: (_ns, wake) => this.waiting.push(wake),
    });
    return this.#request.run(args, sources, { peer: PEER, wake: () => (this.wakes += 1) });
  }
}

/** What an answer has now; `undefined` at its end is left out. */
export function linesOf(answer: { next(): string | null | undefined }): Record<string, unknown>[] {
  let text = "";
  for (let piece = answer.next(); typeof piece === "string"; piece = answer.next()) text += piece;
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
