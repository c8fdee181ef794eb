// Every malformed header that control data can have (spec 05 section 3): the walk ends, and finds
// only what is wholly there.
import { describe, expect, test } from "bun:test";
import { ControlMessages } from "../../src/listener/control_messages.ts";
import { byNumber, referenceControl } from "../reference/control_messages.ts";

const SOL_SOCKET = 1;
const RIGHTS = 1;
const CREDENTIALS = 2;
const PIDFD = 4;
const BUFFER_BYTES = 96;

/** A message as it lies in the buffer: its stated length, level, type and data words. */
interface Message {
  readonly length: number;
  /** Upper half of the stated length. */
  readonly lengthHi?: number;
  readonly level?: number;
  readonly type: number;
  readonly data?: readonly number[];
  /** Where the next one is put; default: after the data, aligned. */
  readonly takesBytes?: number;
}

const UCRED = [4711, 1000, 100];
const ucred = (fields: Partial<Message> = {}): Message => ({
  length: 28,
  type: CREDENTIALS,
  data: UCRED,
  ...fields,
});
const pidfd = (fd: number, fields: Partial<Message> = {}): Message => ({
  length: 20,
  type: PIDFD,
  data: [fd],
  ...fields,
});
const rights = (fds: readonly number[]): Message => ({
  length: 16 + 4 * fds.length,
  type: RIGHTS,
  data: fds,
});

function bufferOf(messages: readonly Message[]): DataView {
  const view = new DataView(new ArrayBuffer(BUFFER_BYTES));
  let at = 0;
  for (const {
    length,
    lengthHi = 0,
    level = SOL_SOCKET,
    type,
    data = [],
    takesBytes,
  } of messages) {
    view.setUint32(at, length, true);
    view.setUint32(at + 4, lengthHi, true);
    view.setUint32(at + 8, level, true);
    view.setUint32(at + 12, type, true);
    for (const [i, word] of data.entries()) view.setInt32(at + 16 + 4 * i, word, true);
    at += takesBytes ?? Math.ceil((16 + 4 * data.length) / 8) * 8;
  }
  return view;
}

/** What is found in `messages`, of which `lengthBytes` are control data. */
function found(messages: readonly Message[], lengthBytes: number): string {
  const view = bufferOf(messages);
  const control = new ControlMessages();
  // Something is left from a datagram before it.
  control.read(new Uint32Array(bufferOf([ucred(), pidfd(3), rights([4])]).buffer), 0, 96);
  control.read(new Uint32Array(view.buffer), 0, lengthBytes);
  const wanted = referenceControl(view, 0, lengthBytes);
  expect(control.credentialsWord * 4).toBe(wanted.credentialsAt ?? -4);
  expect(control.pidfd).toBe(wanted.pidfd ?? -1);
  expect(control.pidfdFailed).toBe(wanted.pidfdFailed);
  expect(control.strays.toSorted(byNumber)).toEqual([...wanted.strays]);
  const parts = [
    control.credentialsWord >= 0 ? `credentials at ${control.credentialsWord * 4}` : "",
    control.pidfd >= 0 ? `pidfd ${control.pidfd}` : "",
    control.pidfdFailed ? "pidfd failed" : "",
    control.strays.length > 0 ? `strays ${control.strays.join(" ")}` : "",
  ];
  return parts.filter((part) => part !== "").join(", ") || "nothing";
}

describe("ControlMessages.read() finds", () => {
  const ROWS: readonly [string, readonly Message[], number, string][] = [
    ["credentials alone", [ucred()], 32, "credentials at 16"],
    ["credentials without their padding", [ucred()], 28, "credentials at 16"],
    [
      "credentials and a pidfd, as the kernel writes them",
      [ucred(), pidfd(9)],
      56,
      "credentials at 16, pidfd 9",
    ],
    ["a pidfd without its padding", [ucred(), pidfd(9)], 52, "credentials at 16, pidfd 9"],
    ["them in the other order", [pidfd(9), ucred()], 56, "credentials at 40, pidfd 9"],
    [
      "them with descriptors in between",
      [ucred(), rights([5, 6]), pidfd(9)],
      80,
      "credentials at 16, pidfd 9, strays 5 6",
    ],
    ["descriptors in front", [rights([5]), ucred()], 56, "credentials at 40, strays 5"],
    ["descriptor 0", [pidfd(0)], 24, "pidfd 0"],
    [
      "them behind a message of another kind",
      [{ length: 20, type: 29, data: [1] }, ucred()],
      56,
      "credentials at 40",
    ],
    [
      "them behind a message of another level",
      [ucred({ level: 41 }), ucred()],
      64,
      "credentials at 48",
    ],
    ["the first of two", [ucred(), ucred()], 64, "credentials at 16"],
    ["two pidfds, of which nobody wants the second", [pidfd(8), pidfd(9)], 48, "pidfd 8, strays 9"],
    ["longer credentials", [ucred({ length: 32, data: [...UCRED, 7] })], 32, "credentials at 16"],
    [
      "that there was no number for a pidfd",
      [ucred(), pidfd(-24)],
      56,
      "credentials at 16, pidfd failed",
    ],
  ];
  test.each(ROWS)("%s", (_what, messages, lengthBytes, wanted) => {
    expect(found(messages, lengthBytes)).toBe(wanted);
  });
});

describe("ControlMessages.read() takes nothing from", () => {
  const ROWS: readonly [string, readonly Message[], number][] = [
    ["no control data", [ucred()], 0],
    ["less than a header", [ucred()], 15],
    ["a header alone", [ucred()], 16],
    ["credentials that are cut off", [ucred()], 27],
    ["credentials that say they are shorter", [ucred({ length: 27 })], 32],
    ["credentials that say they are a header", [ucred({ length: 16 })], 32],
    ["credentials of length 0", [ucred({ length: 0 })], 32],
    ["credentials of length 15", [ucred({ length: 15 })], 32],
    ["a message longer than what is left", [ucred({ length: 33 })], 32],
    ["a message of the largest length", [ucred({ length: 0xffff_ffff })], 32],
    ["a length with an upper half", [ucred({ lengthHi: 1 })], 32],
    ["a length of all ones", [ucred({ length: 0xffff_ffff, lengthHi: 0xffff_ffff })], 32],
    ["another level", [ucred({ level: 0 })], 32],
    ["another type", [ucred({ type: 3 })], 32],
    ["what lies behind a message that is too long", [ucred({ length: 65, level: 0 }), ucred()], 64],
    ["credentials off their alignment", [{ length: 20, type: 29, takesBytes: 20 }, ucred()], 56],
    ["a pidfd that is cut off", [pidfd(9)], 19],
    ["a pidfd that says it is shorter", [pidfd(9, { length: 19 })], 24],
    ["descriptors that were not made", [rights([-1])], 24],
    ["half a descriptor", [{ length: 19, type: RIGHTS, data: [5] }], 24],
  ];
  test.each(ROWS)("%s", (_what, messages, lengthBytes) => {
    expect(found(messages, lengthBytes)).toBe("nothing");
  });
});

describe("ControlMessages.read() goes on after", () => {
  const ROWS: readonly [string, Message][] = [
    ["a message of length 0", { length: 0, type: CREDENTIALS, takesBytes: 16 }],
    ["a message of length 1", { length: 1, type: CREDENTIALS, takesBytes: 16 }],
    ["a message of length 15", { length: 15, type: PIDFD, takesBytes: 16 }],
    ["a header without data", { length: 16, type: RIGHTS, takesBytes: 16 }],
    ["a message whose length is not aligned", { length: 17, type: 29, takesBytes: 24 }],
  ];
  test.each(ROWS)("%s", (_what, message) => {
    const at = message.takesBytes! + 16;
    expect(found([message, ucred()], at + 16)).toBe(`credentials at ${at}`);
  });

  test("a whole buffer of empty messages, and ends", () => {
    const empty = { length: 0, type: CREDENTIALS, takesBytes: 16 };
    expect(found([empty, empty, empty, empty, empty, empty], BUFFER_BYTES)).toBe("nothing");
  });
});
