// Events as server-sent events (spec 16 section 11): what a client gets that comes for the first
// time, that comes again, and that comes again after the daemon was started anew.
import { describe, expect, test } from "bun:test";
import { EVENTS_KEPT_MAX } from "../../src/base/limits.ts";
import { eventSource } from "../../src/control/event_source.ts";
import { EventLog } from "../../src/view/event_log.ts";
import { EVENT_STREAMS_MAX, EventStreams } from "../../src/view/event_streams.ts";
import type { EventFilter } from "../../src/view/event_reader.ts";

interface Message {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

class Subject {
  readonly log = new EventLog();
  readonly streams: EventStreams;

  constructor(bootId = "0a1b") {
    this.streams = new EventStreams(this.log, bootId);
  }

  happen(count: number, agent = "worker"): void {
    for (let at = 0; at < count; at++)
      this.log.add({ time: "2026-11-28T02:12:13.115Z", kind: "stall", agent }, 0);
  }

  open(lastEventId?: string, filter: EventFilter = {}) {
    return eventSource(this.streams, { filter, lastEventId, wallMs: () => 0, wake: () => {} });
  }

  /** All that there is now, without the first word about coming again. */
  messages(lastEventId?: string, filter: EventFilter = {}): Message[] {
    const pieces = this.open(lastEventId, filter)!;
    let text = "";
    for (let piece = pieces.next(); typeof piece === "string"; piece = pieces.next()) text += piece;
    expect(text).toStartWith("retry: 2000\n\n");
    return text.slice("retry: 2000\n\n".length).split("\n\n").slice(0, -1).map(messageOf);
  }
}

function messageOf(text: string): Message {
  const fields = new Map(
    text.split("\n").map((line) => line.split(/: (.*)/, 2) as [string, string]),
  );
  const fieldOf = (name: string) => fields.get(name);
  return {
    id: fieldOf("id"),
    event: fieldOf("event")!,
    data: JSON.parse(fieldOf("data")!) as Record<string, unknown>,
  };
}

function idsOf(messages: readonly Message[]): (string | undefined)[] {
  return messages.map(({ id, event }) => id ?? event);
}

describe("eventSource()", () => {
  test("has each event under its kind, with a number of this run of the daemon", () => {
    const subject = new Subject();
    subject.happen(2);
    const messages = subject.messages();
    expect(idsOf(messages)).toEqual(["0a1b-1", "0a1b-2", "replayed"]);
    expect(messages[1]).toMatchObject({ event: "stall", data: { v: 1, seq: 2, agent: "worker" } });
    expect(messages[2]!.data).toEqual({ v: 1, shown: 2, left_out: 0 });
  });

  test("goes on after what a client had, however long ago that was", () => {
    const subject = new Subject();
    subject.happen(5);
    const filter = { sinceUnixMs: 1 };
    expect(idsOf(subject.messages("0a1b-3", filter))).toEqual(["0a1b-4", "0a1b-5", "replayed"]);
    expect(idsOf(subject.messages("0a1b-5"))).toEqual(["replayed"]);
    expect(idsOf(subject.messages(undefined, filter))).toEqual(["replayed"]);
  });

  test("says how many a client has lost that comes too late", () => {
    const subject = new Subject();
    subject.happen(EVENTS_KEPT_MAX + 10);
    const messages = subject.messages("0a1b-4");
    expect(messages[0]).toMatchObject({ event: "lost", id: undefined, data: { count: 6 } });
    expect(messages[1]!.id).toBe("0a1b-11");
  });

  test.each(["ffff-3", "0a1b-6", "0a1b-0", "0a1b", "3", "0a1b-3x"])(
    "says that %s is no number of this run, and begins anew",
    (lastEventId) => {
      const subject = new Subject();
      subject.happen(5);
      const messages = subject.messages(lastEventId);
      expect(messages[0]).toEqual({
        id: undefined,
        event: "reset",
        data: { v: 1, boot: "0a1b" },
      });
      expect(messages).toHaveLength(7);
    },
  );

  test("lets 16 follow at a time, and gives a place back", () => {
    const subject = new Subject();
    const followers = Array.from({ length: EVENT_STREAMS_MAX }, () => subject.open());
    expect(subject.open()).toBeUndefined();
    followers[3]!.end!();
    expect(subject.open()).toBeDefined();
  });

  test("has a word that a page hears when nothing happens", () => {
    expect(new Subject().open()!.keepAlive).toBe('event: alive\ndata: {"v":1,"alive":true}\n\n');
  });
});
