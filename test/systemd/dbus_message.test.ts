// The D-Bus messages that the daemon writes and reads (spec 14 section 2.1), beside an encoder that
// was written from the specification of D-Bus.
import { describe, expect, test } from "bun:test";
import {
  messageSize,
  methodCall,
  readMessage,
  readProperties,
} from "../../src/systemd/dbus_message.ts";
import { ENDED_SERVICE, encodeMessage, i, propertiesReply, s, t, u } from "./dbus_encoder.ts";

const NAMES = new Set(["ExecMainPID", "ExecMainStatus", "ActiveState", "MemoryMax", "Names"]);

function read(bytes: Uint8Array) {
  const message = readMessage(bytes);
  return message && readProperties(message.body, NAMES);
}

describe("methodCall()", () => {
  test("writes what the specification of D-Bus says", () => {
    const call = {
      serial: 2,
      destination: "org.freedesktop.systemd1",
      path: "/org/freedesktop/systemd1/unit/app_2eservice",
      interfaceName: "org.freedesktop.DBus.Properties",
      member: "GetAll",
      argument: "",
    };
    const wanted = encodeMessage({
      type: 1,
      serial: 2,
      fields: [
        [1, "o", call.path],
        [2, "s", call.interfaceName],
        [3, "s", call.member],
        [6, "s", call.destination],
      ],
      signature: "s",
      body: [""],
    });
    // No service is to be started in order to answer.
    wanted[2] = 2;
    expect(methodCall(call)).toEqual(wanted);
  });
});

describe("readProperties()", () => {
  test.each([false, true])("finds those it is asked for among all types, big endian %p", (big) => {
    const bytes = propertiesReply(ENDED_SERVICE, 2, big);
    expect(messageSize(bytes)).toBe(bytes.length);
    expect(messageSize(bytes.subarray(0, 15))).toBe(0);
    const message = readMessage(bytes)!;
    expect(message).toMatchObject({ type: 2, replySerial: 2, errorName: "", signature: "a{sv}" });
    expect(Object.fromEntries(read(bytes)!)).toEqual({
      ExecMainPID: 4_711,
      ExecMainStatus: 3,
      ActiveState: "failed",
      MemoryMax: 2 ** 64,
    });
  });

  test("reads a number below 0, and the name of an error", () => {
    expect(read(propertiesReply({ ExecMainStatus: i(-1) }))!.get("ExecMainStatus")).toBe(-1);
    const name = "org.freedesktop.DBus.Error.ServiceUnknown";
    const error = encodeMessage({
      type: 3,
      fields: [
        [4, "s", name],
        [5, "u", 2],
      ],
    });
    expect(readMessage(error)).toMatchObject({ type: 3, replySerial: 2, errorName: name });
  });

  test("takes nothing from an answer that was cut, wherever", () => {
    const bytes = propertiesReply(ENDED_SERVICE);
    for (let length = 16; length < bytes.length; length++)
      expect(read(bytes.subarray(0, length))).toBeUndefined();
  });

  test.each<[string, Uint8Array]>([
    ["a type that there is not", propertiesReply({ X: { signature: "z", value: 1 } })],
    ["a variant of two values", withSignature(propertiesReply({ X: s("ab") }), "s", "ss")],
    ["an array without a type", withSignature(propertiesReply({ X: s("") }), "s", "a")],
    ["a structure that does not end", withSignature(propertiesReply({ X: u(7) }), "u", "(")],
    ["variants in variants without an end", propertiesReply({ X: nested(40) })],
  ])("refuses %s", (_what, bytes) => {
    expect(read(bytes)).toBeUndefined();
  });
});

describe("messageSize()", () => {
  test("refuses what is no message", () => {
    const bytes = propertiesReply({ ExecMainPID: t(1) });
    for (const [at, value] of [
      [0, 0x78],
      [3, 2],
      [7, 0xff],
    ] as const) {
      const wrong = Uint8Array.from(bytes);
      wrong[at] = value;
      expect(messageSize(wrong)).toBe(-1);
    }
  });
});

function nested(depth: number): { signature: string; value: never } {
  const value = depth === 0 ? u(1) : { signature: "v", value: nested(depth - 1) };
  return value as { signature: string; value: never };
}

/** The signature of the last variant becomes another one, of any length. */
function withSignature(bytes: Uint8Array, before: string, after: string): Uint8Array {
  const text = Buffer.from(bytes).toString("latin1");
  const old = `${String.fromCharCode(before.length)}${before}\0`;
  const fresh = `${String.fromCharCode(after.length)}${after}`;
  const at = text.lastIndexOf(old);
  return Uint8Array.from(
    Buffer.from(text.slice(0, at) + fresh + text.slice(at + fresh.length), "latin1"),
  );
}
