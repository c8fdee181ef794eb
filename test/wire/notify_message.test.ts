// Messages of sd_notify (spec 20 section 1).
import { describe, expect, test } from "bun:test";
import {
  NOTIFY_REFUSALS,
  NotifyMessage,
  SAID_BARRIER,
  SAID_BEAT,
  SAID_ERRNO,
  SAID_EXTEND_USEC,
  SAID_MAINPID,
  SAID_NAME,
  SAID_READY,
  SAID_RELOADING,
  SAID_STATUS,
  SAID_STOPPING,
  SAID_TRIGGER,
  SAID_WATCHDOG_USEC,
} from "../../src/wire/notify_message.ts";

const message = new NotifyMessage();
const AT = 7;

/** Reads it out of the middle of an arena whose other bytes would change what it says. */
function read(datagram: string | Uint8Array): string {
  const bytes = typeof datagram === "string" ? Buffer.from(datagram) : datagram;
  const arena = new Uint8Array(AT + bytes.length + AT).fill(0x31);
  arena.set(bytes, AT);
  const refusal = NOTIFY_REFUSALS[message.read(arena, AT, bytes.length)]!;
  arenaText = Buffer.from(arena);
  return refusal;
}

let arenaText = Buffer.alloc(0);

function said(datagram: string | Uint8Array): number {
  expect(read(datagram)).toBe("");
  return message.said;
}

const statusText = () =>
  arenaText.toString("utf8", message.statusAt, message.statusAt + message.statusBytes);

describe("NotifyMessage.read()", () => {
  test.each([
    ["WATCHDOG=1", SAID_BEAT],
    ["WATCHDOG=1\n", SAID_BEAT],
    ["WATCHDOG=1\0", SAID_BEAT],
    ["WATCHDOG=trigger", SAID_TRIGGER],
    ["WATCHDOG=1\nWATCHDOG=trigger", SAID_BEAT | SAID_TRIGGER],
    ["READY=1", SAID_READY],
    ["STOPPING=1\n", SAID_STOPPING],
    ["RELOADING=1\nMONOTONIC_USEC=123", SAID_RELOADING],
    ["BARRIER=1", SAID_BARRIER],
    ["\n\nREADY=1\n\nWATCHDOG=1\n", SAID_READY | SAID_BEAT],
  ])("understands %j", (datagram, wanted) => {
    expect(said(datagram)).toBe(wanted);
  });

  test.each([
    ..."WATCHDOG=,WATCHDOG=11,WATCHDOG=0,WATCHDOG=1 ,WATCHDOG= 1,WATCHDOG=TRIGGER".split(","),
    ..."WATCHDOG,watchdog=1,XWATCHDOG=1,WATCHDOG1=1,WATCHDOG=1\r, WATCHDOG=1,=1,=,\n".split(","),
    ..."FDSTORE=1,NOTIFYACCESS=all,STOPPING=2,READY=0,X_OTHER=1,constructor=1".split(","),
  ])("ignores %j", (datagram) => {
    expect(said(datagram)).toBe(0);
  });

  test("forgets what the message before said", () => {
    said("READY=1\nWATCHDOG=1");
    expect(said("HELLO=1")).toBe(0);
    read("READY=1");
    expect(read("")).toBe("empty");
    expect(message.said).toBe(0);
  });

  test("refuses whole what is empty, too long or has a NUL in it", () => {
    const line = "WATCHDOG=1\n";
    expect(read("")).toBe("empty");
    expect(read(line + "x".repeat(4096 - line.length))).toBe("");
    expect(read(line + "x".repeat(4097 - line.length))).toBe("too_long");
    expect(read(`${line}STATUS=a\0b`)).toBe("nul");
    expect(read(`${line}\0\0`)).toBe("nul");
    expect(read("\0")).toBe("nul");
    expect(message.said).toBe(0);
  });

  test("goes by the length of the datagram, of which not all may lie in the arena", () => {
    const arena = new Uint8Array(16);
    arena.set(Buffer.from("WATCHDOG=1\n"));
    expect(NOTIFY_REFUSALS[message.read(arena, 0, 5_000)]!).toBe("too_long");
  });

  test.each([
    ["1", 1],
    ["2000000", 2_000_000],
    ["0000000000000000001", 1],
    ["9007199254740992000", 9_007_199_254_740_992_000],
    ["0", 0],
    ["0000", 0],
    ["18446744073709551616", 0],
    ["5s", 0],
    ["infinity", 0],
    ["-1", 0],
    ["+1", 0],
    ["1 ", 0],
    [" 1", 0],
    ["1e3", 0],
    ["0x10", 0],
    ["", 0],
    ["1.5", 0],
  ])("of WATCHDOG_USEC=%s and EXTEND_TIMEOUT_USEC has %p; 0 = nothing", (text, usec) => {
    const both = said(`WATCHDOG_USEC=${text}\nEXTEND_TIMEOUT_USEC=${text}`);
    expect(both).toBe(usec === 0 ? 0 : SAID_WATCHDOG_USEC | SAID_EXTEND_USEC);
    if (usec > 0) expect([message.watchdogUsec, message.extendUsec]).toEqual([usec, usec]);
  });

  test("has 19 nines for so many that no bound lets them through", () => {
    expect(said(`WATCHDOG_USEC=${"9".repeat(19)}`)).toBe(SAID_WATCHDOG_USEC);
    expect(message.watchdogUsec / 1e19).toBeCloseTo(1, 9);
  });

  test("of a field that comes twice has the last good value", () => {
    said("WATCHDOG_USEC=5\nWATCHDOG_USEC=7\nWATCHDOG_USEC=no\nSTATUS=a\nSTATUS=b");
    expect(message.watchdogUsec).toBe(7);
    expect(statusText()).toBe("b");
  });

  test.each([
    ["1234", 1234],
    ["4194304", 4_194_304],
    ["4194305", 0],
    ["0", 0],
    ["-1", 0],
    ["", 0],
    ["99999999999999999999", 0],
  ])("names pid %p by MAINPID=%s, and never nobody", (text, pid) => {
    expect(said(`MAINPID=${text}`)).toBe(SAID_MAINPID);
    expect(message.mainPid).toBe(pid as number);
  });

  test("has an errno of the kernel", () => {
    expect(said("ERRNO=2")).toBe(SAID_ERRNO);
    expect(message.errno).toBe(2);
    expect(said("ERRNO=0")).toBe(SAID_ERRNO);
    for (const text of ["4096", "-2", ""]) expect(said(`ERRNO=${text}`)).toBe(0);
  });

  test("keeps what fits of a status, and no half of a character", () => {
    for (const [text, kept] of [
      ["", ""],
      ["a=b \u001b[31m", "a=b \u001b[31m"],
      ["x".repeat(256), "x".repeat(256)],
      ["x".repeat(257), "x".repeat(256)],
      [`${"x".repeat(255)}\u00e9y`, "x".repeat(255)],
      [`${"x".repeat(253)}\u{1f600}y`, "x".repeat(253)],
      [`${"x".repeat(252)}\u{1f600}y`, `${"x".repeat(252)}\u{1f600}`],
    ] as const) {
      expect(said(`STATUS=${text}`)).toBe(SAID_STATUS);
      expect(statusText()).toBe(kept);
    }
    said(Buffer.concat([Buffer.from("STATUS="), Buffer.alloc(300, 0xbf)]));
    expect(message.statusBytes).toBe(256);
  });

  test("has a name only if it is one", () => {
    expect(said("X_VARTA_NAME=web-1@eu:a.b_c")).toBe(SAID_NAME);
    expect(arenaText.toString("latin1", message.nameAt, message.nameAt + message.nameBytes)).toBe(
      "web-1@eu:a.b_c",
    );
    for (const name of ["", "12", "other", "a/b", "a b", "a%41", "\u00e9", "x".repeat(41)])
      expect(said(`X_VARTA_NAME=${name}`)).toBe(0);
    for (const name of ["1a", "others", "Other", "x".repeat(40)])
      expect(said(`X_VARTA_NAME=${name}`)).toBe(SAID_NAME);
  });
});
