import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { AuditWriterTwin, TWIN_HEADER, TWIN_ZEROS } from "../reference/audit_writer_twin.ts";
import { atLength } from "../support/at_length.ts";
import { outcomeOf } from "../support/outcome_of.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { AuditDirectory, DrivenLog, restart, verifyLog } from "./audit_fixture.ts";

setDefaultTimeout(TEST_MS_MAX);

const V1_HEADER = "# varta-watch recovery audit v1\n";
const COMPLETE_14 = ["complete", 42, 50, "reaped", 0, "-", 123, 0, 0, "false"];
const COMPLETE_16 = ["complete", 42, 51, "killed", "-", 9, 456, 7, 0, "true", "caf\u00e9\\n", "-"];

/** seq, prev_chain and reason of a boot row. */
function bootOf(row: readonly string[] | undefined): (string | undefined)[] {
  expect(row?.[3]).toBe("boot");
  return [row![0], row![5], row![6]];
}

async function rowsAfterRestart(directory: AuditDirectory, text: string | Uint8Array) {
  directory.write(text);
  const log = await restart(directory.log);
  return { log, rows: directory.rows() };
}

describe("a restart", () => {
  test("resumes seq and chain of a file that another writer made", async () => {
    using directory = new AuditDirectory();
    const twin = new AuditWriterTwin();
    twin.add("boot", 1, "-", "fresh");
    twin.add("spawn", 42, 50, "exec", "/bin/true", "inline", 9);
    twin.add(...COMPLETE_14);
    twin.add("refused", 43, "socket_mode_only");
    const { log, rows } = await rowsAfterRestart(directory, twin.text);
    expect(directory.read()).toStartWith(twin.text);
    expect(bootOf(rows.at(-1))).toEqual(["5", twin.chain, "resume"]);
    expect([log.bootReason, log.tornBytes]).toEqual(["resume", 0]);
    expect(verifyLog(directory.log).findings).toEqual([]);
  });

  test("writes what the other writer would have written", async () => {
    using directory = new AuditDirectory();
    const twin = new AuditWriterTwin();
    twin.add("boot", 1234, "-", "fresh");
    directory.write(twin.text);
    twin.add("boot", 1234, twin.chain, "resume");
    const unixMs = 1_700_000_000_002;
    const { log } = await DrivenLog.open(directory.log, { unixMs: () => unixMs });
    twin.add("refused", 42, "debounced");
    const outcome = outcomeOf("refused", { observerNs: 3e9, pid: 42 });
    log.record(outcome, 1_700_000_000_003);
    await log.close();
    expect(directory.read()).toBe(twin.text);
  });

  test.each([
    ["14", COMPLETE_14],
    ["16", COMPLETE_16],
  ])("reads a complete row of %s columns", async (_count, columns) => {
    using directory = new AuditDirectory();
    const twin = new AuditWriterTwin();
    twin.add("boot", 1, "-", "fresh");
    twin.add(...columns);
    const { rows } = await rowsAfterRestart(directory, twin.text);
    expect(bootOf(rows.at(-1))).toEqual(["3", twin.chain, "resume"]);
  });

  test("goes on from rows without a chain, linked to nothing", async () => {
    using directory = new AuditDirectory();
    const twin = new AuditWriterTwin();
    twin.addUnchained("boot", 1, "-", "fresh");
    twin.addUnchained("refused", 42, "debounced");
    const { rows } = await rowsAfterRestart(directory, twin.text);
    expect(bootOf(rows.at(-1))).toEqual(["3", "-", "resume"]);
    const { findings } = verifyLog(directory.log);
    expect(findings).toEqual(["audit.log:2: 2 rows without a chain"]);
  });

  test.each([0, 1, 4095, 4096, 4097, 200_000])(
    "finds the last record behind a comment of %d characters",
    async (length) => {
      using directory = new AuditDirectory();
      const twin = new AuditWriterTwin();
      twin.add("boot", 1, "-", "fresh");
      const { rows } = await rowsAfterRestart(directory, `${twin.text}#${"x".repeat(length)}\n`);
      expect(bootOf(rows.at(-1))).toEqual(["2", twin.chain, "resume"]);
    },
  );

  test.each([4000, 5000, 70_000])("reads a last record with a tail of %d bytes", async (length) => {
    using directory = new AuditDirectory();
    const twin = new AuditWriterTwin();
    twin.add("boot", 1, "-", "fresh");
    twin.add("complete", 1, 2, "reaped", 0, "-", 1, length, 0, "false", "y".repeat(length), "-");
    const { rows } = await rowsAfterRestart(directory, twin.text);
    expect(bootOf(rows.at(-1))).toEqual(["3", twin.chain, "resume"]);
  });

  test("treats an empty file and a header without records as fresh", async () => {
    for (const text of ["", TWIN_HEADER]) {
      using directory = new AuditDirectory();
      const { log, rows } = await rowsAfterRestart(directory, text);
      expect(log.bootReason).toBe("fresh");
      expect(rows.map((row) => bootOf(row))).toEqual([["1", "-", "fresh"]]);
      expect(directory.read()).toStartWith(TWIN_HEADER);
      expect(verifyLog(directory.log).findings).toEqual([]);
    }
  });

  test("appends a v2 section below a v1 file and leaves it alone the next time", async () => {
    using directory = new AuditDirectory();
    const v1 = `${V1_HEADER}1700000000000\t5\tspawn\t42\t50\n`;
    const { log, rows } = await rowsAfterRestart(directory, v1);
    expect(log.bootReason).toBe("legacy_v1");
    expect(directory.read()).toStartWith(`${v1}${TWIN_HEADER}1\t`);
    expect(bootOf(rows.at(-1))).toEqual(["1", "-", "legacy_v1"]);
    const again = await restart(directory.log);
    expect(again.bootReason).toBe("resume");
    expect(directory.read().split(TWIN_HEADER).length).toBe(2);
    const { findings, last } = verifyLog(directory.log, undefined, { allowLegacy: true });
    expect(findings.map((text) => text.replace(/:.*:/, ""))).toEqual([
      "audit.log a section of schema v1, whose rows have no chain",
      "audit.log the chain begins here, below records of schema v1",
    ]);
    expect(last).toStartWith("intact: 2 records, seq 1..2, ");
  });

  test("refuses a file of another user and leaves every byte of it", async () => {
    for (const foreign of ["binary \u0000 file\nwithout an end", "12 monkeys\n", "no line"]) {
      using directory = new AuditDirectory();
      await expect(rowsAfterRestart(directory, foreign)).rejects.toThrow(
        "found other content, want an audit log or an empty file",
      );
      expect(directory.read()).toBe(foreign);
    }
  });

  test("appends a section to damage of its own file and cuts nothing off it", async () => {
    const damages = [
      "\0".repeat(300),
      "# varta-watch recovery audit v3\nrows of\nanother kind\n",
      "# varta-watch recovery audit v9",
    ];
    for (const damage of damages) {
      using directory = new AuditDirectory();
      const { log } = await rowsAfterRestart(directory, damage);
      expect([log.bootReason, log.tornBytes]).toEqual(["schema_drift", 0]);
      const lineEnd = damage.endsWith("\n") ? "" : "\n";
      expect(directory.read()).toStartWith(`${damage}${lineEnd}${TWIN_HEADER}1\t`);
      expect((await restart(directory.log)).bootReason).toBe("resume");
    }
  });

  test("goes on from the last record that can be read, with a seq beyond the one that cannot", async () => {
    using directory = new AuditDirectory();
    const twin = new AuditWriterTwin();
    twin.add("boot", 1, "-", "fresh");
    twin.add("refused", 42, "debounced");
    const drift = "7\t1700000000000\t5\tpromoted\t42\t1\n";
    const { log, rows } = await rowsAfterRestart(directory, twin.text + drift);
    expect(log.bootReason).toBe("schema_drift");
    expect(bootOf(rows.at(-1))).toEqual(["8", "-", "schema_drift"]);
    expect(verifyLog(directory.log).problems).toEqual(["audit.log:4: not a record"]);
  });

  test("keeps a header it does not know, and the records below it", async () => {
    using directory = new AuditDirectory();
    const twin = new AuditWriterTwin("# varta-watch recovery audit v3\n");
    twin.add("boot", 1, "-", "fresh");
    const { rows } = await rowsAfterRestart(directory, twin.text);
    expect(directory.read()).toStartWith(`${twin.text}${TWIN_HEADER}2\t`);
    expect(bootOf(rows.at(-1))).toEqual(["2", "-", "schema_drift"]);
    const { verdict, problems } = verifyLog(directory.log);
    expect(verdict.worst).toBe("section");
    expect(problems).toEqual([
      'audit.log:1: a section under an unknown header "# varta-watch recovery audit v3"',
      "audit.log:2: row 1 stands under the header of another schema",
    ]);
  });

  test("ignores a number that would end the numbering", async () => {
    using directory = new AuditDirectory();
    const { rows } = await rowsAfterRestart(directory, `${TWIN_HEADER}9007199254740991\tdamaged\n`);
    expect(bootOf(rows.at(-1))).toEqual(["1", "-", "schema_drift"]);
  });

  test("survives any bytes, and the start after it resumes", async () => {
    const line = fc.oneof(
      fc.constant(TWIN_HEADER),
      fc.constant(V1_HEADER),
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.constant(`3\t4\t5\trefused\t6\tdebounced\t${TWIN_ZEROS}\n`),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 6 }), async (lines) => {
        using directory = new AuditDirectory();
        const bytes = Buffer.from(lines.join(""));
        const ours =
          /^\0*$|^# varta-watch recovery audit v|(^|\n)(# varta-watch recovery audit v2|3\t4\t5\trefused\t.*)\n/;
        const opening = rowsAfterRestart(directory, bytes);
        if (!ours.test(bytes.toString("latin1"))) {
          await expect(opening).rejects.toThrow("other content");
          expect(readFileSync(directory.log)).toEqual(bytes);
          return;
        }
        const first = await opening;
        const seq = Number(first.rows.at(-1)![0]);
        expect((await restart(directory.log)).bootReason).toBe("resume");
        expect(bootOf(directory.rows().at(-1))[0]).toBe(`${seq + 1}`);
      }),
      { numRuns: atLength(20, 200) },
    );
  });
});

describe("a torn tail", () => {
  test("is cut off at every byte of the last records, and the log stays intact", async () => {
    const twin = new AuditWriterTwin();
    const ends = [TWIN_HEADER.length];
    const add = (...columns: (string | number)[]) => {
      twin.add(...columns);
      ends.push(Buffer.byteLength(twin.text));
    };
    add("boot", 1, "-", "fresh");
    add("refused", 42, "debounced");
    add(...COMPLETE_16);
    const whole = Buffer.from(twin.text);
    for (let size = 1; size <= whole.length; size++) {
      using directory = new AuditDirectory();
      const { log, rows } = await rowsAfterRestart(directory, whole.subarray(0, size));
      const kept = ends.findLast((end) => end <= size) ?? 0;
      const recordCount = Math.max(0, ends.indexOf(kept));
      const isTorn = size !== kept;
      expect(log.tornBytes).toBe(size - kept);
      expect(rows.length).toBe(recordCount + 1);
      const clean = recordCount === 0 ? "fresh" : "resume";
      expect(log.bootReason).toBe(isTorn ? "corrupt_tail" : clean);
      const { verdict, problems } = verifyLog(directory.log);
      expect(problems).toEqual([]);
      expect(verdict.seqLast).toBe(recordCount + 1);
    }
  });

  test("costs a v1 file its last line only", async () => {
    using directory = new AuditDirectory();
    const { log } = await rowsAfterRestart(directory, `${V1_HEADER}whole\nto`);
    expect([log.bootReason, log.tornBytes]).toEqual(["legacy_v1", 2]);
    expect(directory.read()).toStartWith(`${V1_HEADER}whole\n${TWIN_HEADER}1\t`);
  });
});
