// State files: random ones, which are read as they were written; the same cut and damaged; and
// damaged with their checksums made right again, as somebody would who may write the file. What is
// not whole is refused, what is read can be written again and restored, and nothing is thrown.
import { continuationOf } from "../../src/snapshot/continuation.ts";
import { decodeState } from "../../src/snapshot/decoder.ts";
import { checksumOf, SECTION_HEAD_BYTES, TITLE_BYTES } from "../../src/snapshot/format.ts";
import type { State } from "../../src/snapshot/records.ts";
import { restoreMembers } from "../../src/snapshot/restored_members.ts";
import { restoreRest } from "../../src/snapshot/restored_rest.ts";
import type { Random } from "../simulation/random.ts";
import { EventLog } from "../../src/view/event_log.ts";
import { StallNotes } from "../../src/view/stall_notes.ts";
import {
  bytesOf,
  DONE_JSON,
  EMPTY,
  EVENT_JSON,
  FULL,
  memberRows,
  MOMENT,
  randomised,
} from "../snapshot/states.ts";
import { damage, randomBytes } from "./bytes.ts";
import { count, type FuzzTarget, same } from "./fuzz.ts";

export class StateTarget implements FuzzTarget {
  readonly counts = new Map<string, number>();

  round(random: Random): void {
    const state = randomState(random);
    const bytes = bytesOf(state);
    same("what was written", decodeState(bytes), { ok: true, state });
    count(this, "whole");
    this.#restore(random, state);
    const cut = bytes.subarray(0, random.below(bytes.length));
    if (decodeState(cut).ok) throw new Error("a state that was cut is read");
    this.#damaged(random, bytes);
    this.#forged(random, bytes);
    decodeState(randomBytes(random, random.below(200)));
  }

  [Symbol.dispose](): void {}

  #damaged(random: Random, whole: Uint8Array): void {
    const bytes = Uint8Array.from(whole);
    damage(random, bytes);
    if (Buffer.compare(bytes, whole) === 0) return;
    if (decodeState(bytes).ok) throw new Error("a state that was changed is read");
    count(this, "damaged");
  }

  #forged(random: Random, whole: Uint8Array): void {
    const bytes = Uint8Array.from(whole);
    const body = bytes.subarray(TITLE_BYTES);
    damage(random, body);
    reseal(bytes);
    const decoded = decodeState(bytes);
    count(this, decoded.ok ? "forged, read" : "forged, refused");
    if (!decoded.ok) return;
    this.#restore(random, decoded.state);
    same("a forged state, written again", decodeState(bytesOf(decoded.state)), decoded);
  }

  #restore(random: Random, state: State): void {
    const here = random.chance(0.5) ? MOMENT : randomised(random, MOMENT);
    const nowNs = here.observerNs;
    const continuation = continuationOf(state.moment, here, random.chance(0.5));
    count(this, continuation.otherBoot === "" ? "same boot" : "other boot");
    const options = { capacity: 3, hasEnded: () => random.chance(0.3) };
    const { members } = restoreMembers(memberRows(state.member), continuation, options);
    for (const { lastNs, firstNs } of members)
      if (!(lastNs <= nowNs && firstNs <= nowNs)) throw new Error("a beat that has not come yet");
    const { mute, pace, storm } = restoreRest(state, continuation, nowNs);
    for (const { untilNs, beganNs } of mute)
      if (!(untilNs > nowNs) || !(untilNs - nowNs <= 7 * 86_400e9) || !(beganNs < untilNs))
        throw new Error(`a mute from ${beganNs} to ${untilNs}`);
    this.#told(random, state);
    for (const { starts } of [...pace, ...storm])
      if (starts.some((startNs) => !(startNs <= nowNs))) throw new Error("a start to come");
  }

  /** What people were told: whatever is written there, no more is believed than is an event. */
  #told(random: Random, { history, note, done }: State): void {
    const log = new EventLog();
    const altered = (json: string): string => {
      const bytes = Buffer.from(json);
      if (bytes.length >= 64 && random.chance(0.7)) damage(random, bytes);
      return bytes.toString();
    };
    const events = [EVENT_JSON, DONE_JSON, ...history.map(({ json }) => json)].map(altered);
    log.restore(events.map((json) => ({ agent: "worker", unixMs: 0, json })));
    const believed = log.historyOf("worker");
    for (const event of believed)
      if (event.agent !== "worker" || !Number.isFinite(Date.parse(event.time)))
        throw new Error(`an event ${JSON.stringify(event)}`);
    count(this, believed.length > 0 ? "told, read" : "told, refused");
    new StallNotes().restore(note, done);
  }
}

function randomState(random: Random): State {
  const lists = Object.entries(FULL).filter(([kind]) => kind !== "moment");
  const entries = lists.map(([kind, [like]]) => {
    const isOne = ["storm", "auditHead", "guard"].includes(kind);
    const records = Array.from({ length: random.below(isOne ? 2 : 5) }, () =>
      randomised(random, like),
    );
    return [kind, records];
  });
  const moment = random.chance(0.5) ? MOMENT : randomised(random, MOMENT);
  return { ...EMPTY, ...Object.fromEntries(entries), moment };
}

/** Makes the checksums right of as many sections as there still are. */
function reseal(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = TITLE_BYTES; at + SECTION_HEAD_BYTES <= bytes.length; ) {
    const end = at + SECTION_HEAD_BYTES + view.getUint32(at + 16, true);
    if (end > bytes.length) return;
    view.setUint32(at, checksumOf(bytes.subarray(at + 4, end)), true);
    at = end;
  }
}
