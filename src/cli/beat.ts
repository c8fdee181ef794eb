// "varta-watch beat": beats from the shell, one or a series. One line per beat on stdout; the first
// of each kind of failure is explained on stderr with what to do about it. Each run is a new
// process with a new pid, so only a series looks like one living agent to the observer.
import { isatty } from "node:tty";
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";
import type { AgentStatus, BeatResult, Client } from "../client/mod.ts";
import { beatFailure } from "./beat_failure.ts";
import { beatTarget } from "./beat_target.ts";
import { type Invocation, ownFlag, ownNumber, ownText } from "./invocation.ts";
import { print, printError, printHint } from "./output.ts";

const EXIT_OK = 0;
const EXIT_NOT_SENT = 1;
/** EX_UNAVAILABLE: no beat found an observer. */
const EXIT_NO_OBSERVER = 69;

const STDERR = 2;
/** Longest time that a runtime timer can wait. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Sends the beats; 0 = all were sent, 69 = none found an observer, 1 = anything else. */
export async function run(invocation: Invocation): Promise<number> {
  if (ownNumber(invocation, "for") !== undefined || ownFlag(invocation, "stdin")) {
    const { beatForAnother } = await import("./beat_for.ts");
    return await beatForAnother(invocation);
  }
  const target = beatTarget(invocation);
  if (!target.ok) {
    printError(target.error);
    printHint(target.hint);
    return target.exit;
  }
  using client = target.client;
  const isUdp = ownText(invocation, "udp") !== undefined;
  const status = (ownText(invocation, "status") ?? "ok") as AgentStatus;
  const payload = ownNumber(invocation, "payload") ?? 0;
  const count = ownNumber(invocation, "count") ?? 1;
  const intervalMs = (ownNumber(invocation, "interval") ?? NS_PER_S) / NS_PER_MS;
  const isQuiet = ownFlag(invocation, "quiet");
  const explained = new Set<BeatResult>();
  for (let i = 0; i < count; i++) {
    if (i > 0) await wait(intervalMs);
    const nonce = client.nextNonce;
    const result = client.beat(status, payload);
    if (!isQuiet) print(resultLine(client, nonce, result));
    if (isQuiet || result.kind === "sent" || explained.has(result)) continue;
    explained.add(result);
    const { error, hint } = beatFailure(client.endpoint, isUdp, result);
    printError(error);
    if (hint !== "") printHint(hint);
  }
  if (client.counters.sent === count) {
    if (!isQuiet && isatty(STDERR)) adviseAfterSuccess(client.pid, count, isUdp);
    return EXIT_OK;
  }
  return client.counters.noObserver === count ? EXIT_NO_OBSERVER : EXIT_NOT_SENT;
}

function adviseAfterSuccess(pid: number, count: number, isUdp: boolean): void {
  if (count === 1)
    printHint(
      `pid ${pid} ends now and will be reported silent; to see a living agent, send a series from one process: --count 60 --interval 1s`,
    );
  if (isUdp)
    printHint(
      "UDP gives no answer: varta_datagrams_accepted_total and varta_datagrams_rejected_total on the metrics page of the observer show whether the beat was accepted",
    );
}

function resultLine(client: Client, nonce: bigint, result: BeatResult): string {
  const beat = `nonce ${nonce} pid ${client.pid} to ${client.endpoint}`;
  if (result.kind === "sent") return `sent ${beat}\n`;
  return `not sent ${beat}: ${result.reason}\n`;
}

async function wait(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= TIMER_MS_MAX) await Bun.sleep(Math.min(left, TIMER_MS_MAX));
}
