import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import {
  actFields,
  bootFields,
  escapeTail,
  kindOfFields,
  outcomeFields,
} from "../../src/audit/record.ts";
import { parseRow } from "../../src/audit/row.ts";
import { outcomeOf } from "../support/outcome_of.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const COMPLETE = outcomeOf("complete", { exitCode: 3 });

describe("outcomeFields()", () => {
  test("writes the columns of a spawn", () => {
    const fields = outcomeFields(
      outcomeOf("spawn", { observerNs: 5_000_000_000, program: "/usr/bin/systemctl" }),
      1_700_000_001_000,
    );
    const columns = ["1700000001000", "5000000000", "spawn", "4242", "5001", "exec"];
    expect(fields!.split("\t")).toEqual([...columns, "/usr/bin/systemctl", "inline", "31"]);
  });

  test("writes the columns of a refusal", () => {
    const outcome = outcomeOf("refused", {
      observerNs: 5_000_000_000,
      reason: "socket_mode_only",
    });
    expect(outcomeFields(outcome, 1_700_000_001_000)).toBe(
      "1700000001000\t5000000000\trefused\t4242\tsocket_mode_only",
    );
  });

  test("writes the 14 columns of a completion without capture", () => {
    expect(outcomeFields(COMPLETE, 1)).toBe(
      "1\t7000000000\tcomplete\t4242\t5001\treaped\t3\t-\t12345678\t0\t0\tfalse",
    );
    const killed = { ...COMPLETE, completion: "killed", exitCode: Number.NaN, signal: 15 } as const;
    expect(outcomeFields(killed, 1)).toBe(
      "1\t7000000000\tcomplete\t4242\t5001\tkilled\t-\t15\t12345678\t0\t0\tfalse",
    );
  });

  test("writes the 16 columns of a completion with capture, an empty tail as absent", () => {
    const captured = {
      isAudited: true,
      stdoutSizeBytes: 9000,
      stderrSizeBytes: 0,
      truncated: true,
      stdoutTail: Buffer.from("done\n\tC:\\ \u00e9"),
      stderrTail: new Uint8Array(0),
    };
    expect(outcomeFields({ ...COMPLETE, captured }, 1)).toBe(
      "1\t7000000000\tcomplete\t4242\t5001\treaped\t3\t-\t12345678\t9000\t0\ttrue\tdone\\n\\tC:\\\\ \u00e9\t-",
    );
  });

  test("writes nothing of an output that is for the log alone", () => {
    const captured = {
      ...{ isAudited: false, stdoutSizeBytes: 6, stderrSizeBytes: 0, truncated: false },
      ...{ stdoutTail: Buffer.from("secret"), stderrTail: new Uint8Array(0) },
    };
    expect(outcomeFields({ ...COMPLETE, captured }, 1)).toBe(outcomeFields(COMPLETE, 1));
  });

  test("turns tab, LF and CR in free text into spaces", () => {
    const spawn = outcomeOf("spawn", {
      observerNs: 0,
      pid: 1,
      childPid: 2,
      program: "/opt/a\tb\nc\rd",
      source: "/etc/x\ny",
      templateSizeBytes: 9,
    });
    expect(outcomeFields(spawn, 1)).toBe("1\t0\tspawn\t1\t2\texec\t/opt/a b c d\t/etc/x y\t9");
  });

  const STEP = outcomeOf("step", { observerNs: 5_000, pid: 42 });

  test("reports a signal to an agent as a spawn without a child", () => {
    const fields = outcomeFields({ ...STEP, step: "signal", dryRun: false }, 7);
    expect(fields).toBe("7\t5000\tspawn\t42\t0\tsignal\tSIGTERM\tinline\t0");
    expect(kindOfFields(fields!)).toBe("spawn");
    const line = Buffer.from(`1\t${fields}\t${"0".repeat(64)}`);
    expect(parseRow(line)?.kind).toBe("spawn");
  });

  test("has no record of a step that only waits", () => {
    expect(outcomeFields({ ...STEP, step: "wait", dryRun: false }, 7)).toBeUndefined();
  });

  test("says of a dry run what would have been done, and what would not", () => {
    for (const step of ["signal", "exec", "wait"] as const) {
      const fields = outcomeFields({ ...STEP, step, dryRun: true }, 7);
      expect(fields).toBe("7\t5000\trefused\t42\tdry_run");
      expect(kindOfFields(fields!)).toBe("refused");
    }
    const refused = outcomeOf("refused", { observerNs: 1, pid: 2, dryRun: true });
    expect(outcomeFields(refused, 7)).toBe("7\t1\trefused\t2\tdry_run_debounced");
  });

  test.each(["timeout", "deferred", "end", "verdict", "storm"] as const)(
    "has no record of a %s",
    (kind) => {
      expect(outcomeFields(outcomeOf(kind), 1)).toBeUndefined();
    },
  );

  test("keeps its columns when the clock is wrong", () => {
    const outcome = outcomeOf("refused", { observerNs: 1.75, pid: 1 });
    expect(outcomeFields(outcome, -5)).toBe("0\t1\trefused\t1\tdebounced");
  });
});

describe("bootFields()", () => {
  test("writes observer time 0, the pid, the link and the reason", () => {
    const boot = { unixMs: 1_700_000_000_000, daemonPid: 1234, reason: "fresh" } as const;
    expect(bootFields({ ...boot, previousChain: undefined, keyId: undefined })).toBe(
      "1700000000000\t0\tboot\t1234\t-\tfresh",
    );
    expect(bootFields({ ...boot, previousChain: "ab", reason: "resume", keyId: undefined })).toBe(
      "1700000000000\t0\tboot\t1234\tab\tresume",
    );
    expect(bootFields({ ...boot, previousChain: "ab", reason: "keyed", keyId: "cd" })).toBe(
      "1700000000000\t0\tboot\t1234\tab\tkeyed\tcd",
    );
  });
});

describe("escapeTail()", () => {
  test.each([
    [[0x5c, 0x09, 0x0a, 0x0d], "\\\\\\t\\n\\r"],
    [[0x00, 0x1b, 0x7f], "\\x00\\x1b\\x7f"],
    [[0xc3, 0xa9], "\u00e9"],
    [[0xc2, 0x80, 0xc2, 0x9b, 0xc2, 0xa0], "\\xc2\\x80\\xc2\\x9b\u00a0"],
    [[0xe2, 0x80, 0xae, 0xe2, 0x80, 0xa8], "\\xe2\\x80\\xae\\xe2\\x80\\xa8"],
    [[0xd8, 0x9c, 0xf3, 0xa0, 0x81, 0x81], "\\xd8\\x9c\\xf3\\xa0\\x81\\x81"],
    [[0xf0, 0x9f, 0x98, 0x80], "\u{1f600}"],
    [[0xc3], "\\xc3"],
    [[0xa9, 0x61], "\\xa9a"],
    [[0xc0, 0x80], "\\xc0\\x80"],
    [[0xed, 0xa0, 0x80], "\\xed\\xa0\\x80"],
    [[0xf4, 0x90, 0x80, 0x80], "\\xf4\\x90\\x80\\x80"],
    [[0xe2, 0x82], "\\xe2\\x82"],
  ])("writes %p as %p", (bytes, text) => {
    expect(escapeTail(Uint8Array.from(bytes))).toBe(text);
  });

  test("can be undone, and holds no tab and no line end", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const text = escapeTail(bytes);
        expect(text).not.toMatch(/[\t\n\r]/);
        expect(undone(text)).toEqual(Buffer.from(bytes));
      }),
    );
  });
});

function undone(text: string): Buffer {
  const parts = text.match(/\\x[0-9a-f]{2}|\\.|[^\\]+/gu) ?? [];
  const short: Record<string, string> = { "\\\\": "\\", "\\t": "\t", "\\n": "\n", "\\r": "\r" };
  return Buffer.concat(
    parts.map((part) =>
      part.startsWith("\\x") ? Buffer.from(part.slice(2), "hex") : Buffer.from(short[part] ?? part),
    ),
  );
}

test("actFields() says what was asked, by whom, and what came of it, in columns that are read back", () => {
  const act = {
    observerNs: 5,
    act: "recover",
    target: "worker",
    pid: 4_711,
    byUid: 1_001,
    byPid: 5_001,
    by: "varta\twatch",
    detail: "recovery 3, passed over gave_up",
    isRefused: false,
  } as const;
  const columns = "5\tact\t4711\t1001\t5001\tvarta watch\trecover\tworker\tdone\t";
  const fields = actFields(act, 1_700_000_000_000);
  expect(fields).toBe(`1700000000000\t${columns}recovery 3, passed over gave_up`);
  const daemon = {
    ...act,
    act: "log_level",
    target: "",
    pid: Number.NaN,
    isRefused: true,
  } as const;
  expect(actFields(daemon, 0)).toStartWith(
    "0\t5\tact\t-\t1001\t5001\tvarta watch\tlog_level\t-\trefused\t",
  );
  const row = parseRow(Buffer.from(`7\t${fields}\t${"ab".repeat(32)}`));
  expect(row).toMatchObject({ kind: "act", seq: 7 });
});
