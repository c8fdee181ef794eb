// Rows that say which recovery it was, of which agent, and with which verdict (spec 11 section 1):
// beside rows that do not, in one chain, whatever an agent is called.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { outcomeFields } from "../../src/audit/record.ts";
import { columnNames, parseRow } from "../../src/audit/row.ts";
import { AuditWriterTwin } from "../reference/audit_writer_twin.ts";
import { outcomeOf } from "../support/outcome_of.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { AuditDirectory, DrivenLog, restart, UNIX_MS, verifyLog } from "./audit_fixture.ts";

setDefaultTimeout(TEST_MS_MAX);

const CAPTURED = {
  isAudited: true,
  ...{ stdoutSizeBytes: 3, stderrSizeBytes: 0, truncated: false },
  ...{ stdoutTail: Buffer.from("a\tb"), stderrTail: new Uint8Array(0) },
};
const OUTCOMES = [
  outcomeOf("spawn"),
  outcomeOf("step", { step: "signal" }),
  outcomeOf("complete"),
  outcomeOf("complete", { captured: CAPTURED }),
  outcomeOf("refused"),
] as const;
const agentName = (agent: number): string => (agent === 9 ? "worker@3" : "");

function rowOf(fields: string | undefined) {
  const line = Buffer.from(`1\t${fields}\t${"0".repeat(64)}`);
  return parseRow(line);
}

describe("outcomeFields() with the name of an agent", () => {
  test("adds number of the recovery, agent and verdict behind what the kind has", () => {
    for (const outcome of OUTCOMES) {
      const fields = outcomeFields({ ...outcome, verdict: "hung" }, 7, "worker@3");
      expect(fields).toBe(`${outcomeFields(outcome, 7)}\t51\tworker@3\thung`);
      const row = rowOf(fields)!;
      expect(columnNames(row).slice(-4)).toEqual(["recovery_id", "agent", "verdict", "chain"]);
      expect(columnNames(rowOf(outcomeFields(outcome, 7))!)).not.toContain("agent");
    }
  });

  test("says what is not known as absent, and never takes a name for that", () => {
    const refused = outcomeOf("refused", { recoveryId: 0 });
    expect(outcomeFields(refused, 7, "")).toEndWith("\tdebounced\t-\t-\t-");
    expect(outcomeFields(refused, 7, "-")).toEndWith("\tdebounced\t-\t%2D\t-");
  });

  test("makes one row of its columns of every name that there can be", () => {
    const text = fc.string({ unit: "binary", maxLength: 200 });
    fc.assert(
      fc.property(text, fc.constantFrom(...OUTCOMES), (name, outcome) => {
        const fields = outcomeFields(outcome, 7, name)!;
        expect(/[\n\r\u0000-\u0008\u001b\u007f-\u009f\u2028-\u202e]/.test(fields)).toBe(false);
        const row = rowOf(fields)!;
        expect(row.columns).toHaveLength(
          rowOf(outcomeFields(outcome, 7, "worker"))!.columns.length,
        );
        expect(row.columns.at(-4)).toBe("51");
        expect(row.columns.at(-2)).toBe("-");
        expect(row.columns.at(-3)!.length).toBeLessThanOrEqual(64 * 10);
      }),
    );
  });
});

describe("an audit log over an upgrade", () => {
  test("has rows of both forms in one chain, and every change of them is found", async () => {
    using directory = new AuditDirectory();
    const twin = new AuditWriterTwin();
    twin.add("boot", 1, "-", "fresh");
    twin.add("spawn", 42, 50, "exec", "/bin/true", "inline", 9);
    twin.add("complete", 42, 50, "reaped", 0, "-", 123, 0, 0, "false");
    twin.add("refused", 43, "socket_mode_only");
    directory.write(twin.text);
    const upgraded = await DrivenLog.open(directory.log, { agentName });
    await upgraded.record(...OUTCOMES.map((outcome) => ({ ...outcome, verdict: "hung" as const })));
    await upgraded.log.close();
    // Back to the options alone, and to the file again.
    const alone = await DrivenLog.open(directory.log);
    await alone.record(outcomeOf("refused"));
    await alone.log.close();
    await restart(directory.log, { agentName });
    const rows = directory.rows();
    expect(rows.map(({ length }) => length)).toEqual([
      ...[8, 11, 14, 7],
      ...[8, 14, 14, 17, 19, 10],
      ...[8, 7, 8],
    ]);
    expect(rows.slice(5, 10).map((row) => row.slice(-4, -1))).toEqual(
      OUTCOMES.map(() => ["51", "worker@3", "hung"]),
    );
    expect(verifyLog(directory.log).verdict).toMatchObject({ isIntact: true, recordCount: 13 });
    const text = directory.read();
    for (const [from, to] of [
      ["worker@3", "worker@4"],
      ["\thung\t", "\tfrozen\t"],
      ["\t51\tworker@3\thung\t", "\t"],
    ] as const) {
      directory.write(text.replace(from, to));
      expect(verifyLog(directory.log).verdict.isIntact).toBe(false);
    }
  });

  test("goes on after a row of the new form as after any other", async () => {
    using directory = new AuditDirectory();
    const { log } = await DrivenLog.open(directory.log, { agentName });
    for (const outcome of OUTCOMES) log.record(outcome, UNIX_MS);
    await log.close();
    expect((await restart(directory.log, { agentName })).bootReason).toBe("resume");
    expect(verifyLog(directory.log).findings).toEqual([]);
  });
});
