import { PLACEHOLDERS } from "../../src/base/placeholders.ts";
import { describe, expect, test } from "bun:test";
import {
  ORIGIN_NETWORK_UNVERIFIED,
  ORIGIN_OPERATOR_ATTESTED,
  ORIGIN_SOCKET_MODE_ONLY,
} from "../../src/base/origin.ts";
import { exitedVerdict } from "../../src/events/stall_verdict.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import {
  ArgvTemplate,
  type PlaceholderContext,
  placeholderValues,
} from "../../src/recovery/argv_template.ts";
import { stallOf } from "./harness.ts";

const CONTEXT: PlaceholderContext = {
  nowNs: 7.25 * NS_PER_S,
  isPidGone: false,
  listenerNames: ["main", "aux"],
  agentName: "worker@3",
  unixMsAtStart: 1_700_000_000_000,
};

function textOf(word: (typeof PLACEHOLDERS)[number], fields: Parameters<typeof stallOf>[0] = {}) {
  return placeholderValues(stallOf(fields), CONTEXT)[PLACEHOLDERS.indexOf(word)];
}

describe("placeholderValues()", () => {
  test("gives the text of every placeholder of a stall", () => {
    expect(placeholderValues(stallOf({ thresholdNs: 1_500 * NS_PER_MS }), CONTEXT)).toEqual([
      "4242",
      "degraded",
      "3000000000",
      "aux",
      "17",
      "5250",
      "1700000002000",
      "1500",
      "kernel_attested",
      "777",
      "4026531836",
      "worker@3",
      "",
    ]);
  });

  test("says what its process was doing, if that was looked at", () => {
    expect(textOf("verdict", { verdict: exitedVerdict(9) })).toBe("exited");
  });

  test("gives no name that a program would take for an option", () => {
    const values = placeholderValues(stallOf(), { ...CONTEXT, agentName: "--help" });
    expect(values[PLACEHOLDERS.indexOf("agent")]).toBe("%2D-help");
  });

  test("names each status and origin", () => {
    expect([0, 1, 2].map((status) => textOf("status", { status }))).toEqual([
      "ok",
      "degraded",
      "critical",
    ]);
    expect(textOf("origin", { origin: ORIGIN_OPERATOR_ATTESTED })).toBe("operator_attested");
    expect(textOf("origin", { origin: ORIGIN_SOCKET_MODE_ONLY })).toBe("socket_mode_only");
    expect(textOf("origin", { origin: ORIGIN_NETWORK_UNVERIFIED })).toBe("network_unverified");
  });

  test("gives a nonce above 2^53 exactly", () => {
    const nonce = { lastNonceHi: 0xffff_ffff, lastNonceLo: 0xffff_ffff };
    expect(textOf("last_nonce", nonce)).toBe("18446744073709551615");
    expect(textOf("last_nonce", { lastNonceHi: 0x20_0000, lastNonceLo: 1 })).toBe(
      "9007199254740993",
    );
  });

  test("leaves an unknown generation and an unknown or hidden namespace empty", () => {
    expect(textOf("generation", { generation: NaN })).toBe("");
    expect(textOf("namespace", { namespaceInode: NaN })).toBe("");
    expect(textOf("namespace", { namespaceInode: 0 })).toBe("");
  });

  test("takes a last beat after now as no silence", () => {
    expect(textOf("silence_ms", { lastNs: 8 * NS_PER_S })).toBe("0");
  });

  test("rounds times down to whole milliseconds", () => {
    expect(textOf("last_beat_unix_ms", { lastNs: 2_990_000 })).toBe("1700000000002");
    expect(textOf("silence_ms", { lastNs: 7.25 * NS_PER_S - 1_999_999 })).toBe("1");
  });
});

describe("ArgvTemplate.expand()", () => {
  function expand(command: string[], appendPid = false): string[] {
    const template = new ArgvTemplate(command, appendPid);
    return template.expand(placeholderValues(stallOf(), CONTEXT));
  }

  test("replaces every placeholder", () => {
    expect(expand(["x", ...PLACEHOLDERS.map((word) => `{${word}}`)])).toEqual([
      "x",
      ...placeholderValues(stallOf(), CONTEXT),
    ]);
  });

  test("replaces each occurrence inside an item", () => {
    expect(expand(["x", "--agent={pid}:{status}", "{pid}{pid}", "a{pid}b{listener}c"])).toEqual([
      "x",
      "--agent=4242:degraded",
      "42424242",
      "a4242bauxc",
    ]);
  });

  test("uses the first item verbatim", () => {
    expect(expand(["/opt/{pid}/x", "{pid}"])).toEqual(["/opt/{pid}/x", "4242"]);
  });

  test("leaves other braces, shell words and empty items as they are", () => {
    const items = ["", "{}", "{PID}", "{ pid }", "{pid", "pid}", "$(id)", "; rm *", "{nope}"];
    expect(expand(["x", ...items])).toEqual(["x", ...items]);
    expect(expand(["x", "{{pid}}"])).toEqual(["x", "{4242}"]);
  });

  test("does not look for placeholders in a value", () => {
    const context = { ...CONTEXT, listenerNames: ["main", "{pid}$&$1"] };
    const argv = new ArgvTemplate(["x", "{listener}"], false).expand(
      placeholderValues(stallOf(), context),
    );
    expect(argv).toEqual(["x", "{pid}$&$1"]);
  });

  test("appends the pid only when asked to", () => {
    expect(expand(["x"])).toEqual(["x"]);
    expect(expand(["x", "y"], true)).toEqual(["x", "y", "4242"]);
  });

  test("makes a new array each time", () => {
    const template = new ArgvTemplate(["x", "{pid}"], false);
    const values = placeholderValues(stallOf(), CONTEXT);
    template.expand(values).push("changed");
    expect(template.expand(values)).toEqual(["x", "4242"]);
  });
});

test("ArgvTemplate has its program and the bytes of its items joined by one space", () => {
  const template = new ArgvTemplate(["/bin/é", "{pid}", ""], true);
  expect(template.program).toBe("/bin/é");
  expect(template.sizeBytes).toBe("/bin/".length + 2 + 1 + "{pid}".length + 1);
});

test("an ArgvTemplate knows whether the pid is among its arguments", () => {
  const names = (command: string[], appendPid = false) =>
    new ArgvTemplate(command, appendPid).namesPid;
  expect(names(["/bin/x", "{payload}", "{generation}"])).toBe(false);
  expect(names(["/bin/x", "{payload}", "--pid={pid}"])).toBe(true);
  expect(names(["/bin/x"], true)).toBe(true);
  // The program is used as it is written.
  expect(names(["/bin/{pid}"])).toBe(false);
});

test("placeholderValues() has no pid where no process has it any more", () => {
  const values = placeholderValues(stallOf(), { ...CONTEXT, isPidGone: true });
  expect(values[PLACEHOLDERS.indexOf("pid")]).toBe("");
});
