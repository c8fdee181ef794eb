// The beats of a batch that need no decision: valid frames of agents that are tracked, known and in
// time. They are the rule, so the batch is prepared column by column and runs of them are taken
// together (measured: a third of the time of the check order). Everything else is left to the
// intake, which knows the order of the checks (spec 04 section 5): nothing here rejects or reads
// /proc.
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import type { Datagram } from "../events/datagram.ts";
import type { Listener } from "../listener/listener.ts";
import { type ReceivedBatch, VERDICT_PASS } from "../listener/received_batch.ts";
import { BeatRun } from "../tracker/beat_run.ts";
import type { Tracker } from "../tracker/tracker.ts";
import { decodeFrame } from "../wire/decode.ts";
import { DECODE_OK } from "../wire/decode_error.ts";
import { WORD_PID } from "../wire/frame.ts";
import type { Admission } from "./admission.ts";
import type { EventRows } from "./event_rows.ts";

export class SteadyBeats {
  readonly #run = new BeatRun();
  readonly #tracker: Tracker;

  constructor(tracker: Tracker, observerInode: number) {
    this.#tracker = tracker;
    this.#run.namespaceInode = observerInode;
  }

  /**
   * Takes the `count` datagrams that `listener` has just received; `datagram` says when, and its
   * number.
   */
  prepare(datagram: Datagram, listener: Listener, count: number, pidMax: number): void {
    const run = this.#run;
    const { batch } = listener;
    run.words = batch.words;
    run.frameWord = batch.frameWord;
    run.nowNs = datagram.nowNs;
    run.listenerNumber = datagram.listenerNumber;
    // Texts and an allow list are for the check order.
    const isPlain = listener.allowList === undefined && batch.textLength === undefined;
    if (isPlain) attestedPids(batch, count, pidMax, run.pid);
    else run.pid.fill(0, 0, count);
    this.#tracker.slotsOf(run.pid, count, run.slot);
  }

  /**
   * Takes datagrams `from` up to `to` of the batch while they are steady, if the limits let them
   * in; returns how many.
   */
  take(from: number, to: number, admission: Admission): number {
    const run = this.#run;
    if (run.slot[from]! < 0) return 0;
    const { bucket, allowance } = admission;
    const affordable = bucket.available(run.nowNs);
    run.allowance = allowance;
    const taken = this.#tracker.refreshRun(run, from, Math.min(to, from + affordable));
    bucket.spend(taken);
    return taken;
  }

  /** Makes the rows of the `taken` beats that began at datagram `from`. */
  write(rows: EventRows, from: number, taken: number): void {
    rows.steadyBeats(this.#run, this.#tracker.slots, from, taken);
  }
}

/**
 * The pid of each valid frame that is the pid of its sender, below `pidMax`; 0 for every other
 * datagram.
 */
function attestedPids(
  batch: ReceivedBatch,
  count: number,
  pidMax: number,
  attested: Uint32Array,
): void {
  const { words, frameWord, verdict, origin, peerPid } = batch;
  for (let i = 0; i < count; i++) {
    const w = frameWord[i]!;
    const pid = words[w + WORD_PID]!;
    const isPlain =
      verdict[i]! === VERDICT_PASS &&
      origin[i]! === ORIGIN_KERNEL_ATTESTED &&
      peerPid[i]! === pid &&
      pid <= pidMax &&
      decodeFrame(words, w) === DECODE_OK;
    attested[i] = isPlain ? pid : 0;
  }
}
