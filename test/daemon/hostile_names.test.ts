// What a process calls itself comes from the process, and any byte of it may be meant to deceive: a
// name goes through every text that leaves the daemon, and strict readers read it back whole. Each
// text holds by itself, too, if a name came to it as it is.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AgentTable } from "../../src/agents/agent_table.ts";
import { fitName, nameFor } from "../../src/agents/naming.ts";
import { outcomeFields } from "../../src/audit/record.ts";
import { parseRow } from "../../src/audit/row.ts";
import { PLACEHOLDERS } from "../../src/base/placeholders.ts";
import { TextBuffer } from "../../src/base/text_buffer.ts";
import { UNPRINTABLE_CLASS } from "../../src/base/unprintable.ts";
import { Log } from "../../src/daemon/log.ts";
import { Reports } from "../../src/daemon/reports.ts";
import { EVENT_WORDS } from "../../src/events/event_kinds.ts";
import { EventLines } from "../../src/export/event_lines.ts";
import { AgentRows } from "../../src/metrics/agent_rows.ts";
import { ArgvTemplate, placeholderValues } from "../../src/recovery/argv_template.ts";
import { makeMetrics, renderPage } from "../metrics/fixture.ts";
import { linesWith, parsePage, sampleAt } from "../metrics/page.ts";
import { stallOf } from "../recovery/harness.ts";
import { readLogfmt } from "../support/logfmt.ts";
import { outcomeOf } from "../support/outcome_of.ts";

const AGENT = 9;
const UNPRINTABLE = new RegExp(`[${UNPRINTABLE_CLASS}]`, "u");
/** What /proc and D-Bus may hold, one byte a character, the dangerous ones often. */
const BYTES = fc.string({
  unit: fc.oneof(
    fc.constantFrom(..."\n\t\r\0\x1b\"'\\={}[]$`,;|&<> %/-#\x7f\x9b\xff"),
    fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  ),
  maxLength: 80,
});
/** Any text, with halves of pairs that are no characters. */
const TEXT = fc.oneof(BYTES, fc.string({ unit: "binary", maxLength: 80 }));

/** What is known of a process that says whatever it likes of itself, and what its rule says. */
const PROCESSES = fc
  .record({
    unit: BYTES,
    unitUser: BYTES,
    container: BYTES,
    script: BYTES,
    comm: BYTES,
    user: BYTES,
  })
  .chain((texts) =>
    fc.constantFrom(undefined, "{comm}", "{script}-{user}", "{unit}/{container}").map((name) => {
      const identity = { uid: 1000, gid: 1000, exe: texts.comm, mark: 1, ...texts };
      const { user } = texts;
      const facts = { pid: 42, uid: 1000, user, identity, listener: "local", address: "" };
      return { facts, called: nameFor(facts, { name, bindsOwner: false }) };
    }),
  );

const NAMES = PROCESSES.map(({ called }) => fitName(called.text));

describe("a name that a process made up is read back whole", () => {
  test("from the log", () => {
    fc.assert(
      fc.property(NAMES, (name) => {
        for (const line of logOf(name, "logfmt")) expect(readLogfmt(line).get("agent")).toBe(name);
        for (const line of logOf(name, "json")) expect(JSON.parse(line).agent).toBe(name);
      }),
    );
  });

  test("from either format of the export", () => {
    fc.assert(
      fc.property(NAMES, (name) => {
        for (const line of exportOf(name, "jsonl")) expect(JSON.parse(line).agent).toBe(name);
        for (const line of exportOf(name, "tsv"))
          expect(line.split("\t")[7]).toBe(name === "-" ? "%2D" : name);
      }),
    );
  });

  test("from the audit log", () => {
    fc.assert(
      fc.property(NAMES, (name) => {
        for (const columns of auditOf(name))
          expect(columns.at(-3)).toBe(name === "-" ? "%2D" : name);
      }),
    );
  });

  test("from the arguments of a recovery, and is neither an option nor a piece of a shell", () => {
    fc.assert(
      fc.property(NAMES, (name) => {
        const argument = argvOf(name)[1]!;
        expect(argument.replace(/^%2D/, "-")).toBe(name);
        expect(argument).not.toMatch(/^-|[\s'"$`;&|<>(){}*?#~!\\]/);
      }),
    );
  });
});

describe("the metrics page", () => {
  test("has the name as a label, and what else is known of the process breaks out of none", () => {
    fc.assert(
      fc.property(PROCESSES, ({ facts, called }) => {
        const agents = new AgentTable();
        const nobody = { numbers: [], expectedOf: () => 0, missingOf: () => 0 };
        const places = { rowsMax: 5, kept: [], expected: nobody, nowNs: () => 0 };
        const rows = new AgentRows({ agents, ...places });
        const totals = { begin: () => rows.beginTotals(), step: () => true };
        const { metrics } = makeMetrics({ agents: { rows, totals, recovers: false } });
        const number = agents.numberFor(called);
        agents.join(number);
        rows.named(number, facts);
        const page = renderPage(metrics);
        expect(page.replaceAll("\n", "")).not.toMatch(UNPRINTABLE);
        const name = fitName(called.text);
        expect(sampleAt(parsePage(page), `varta_agent_muted{agent="${name}"}`)).toBe(0);
        expect(linesWith(page, "varta_agent_info{")).toHaveLength(1);
      }),
      { numRuns: 30 },
    );
  });
});

describe("a name that came to it as it is breaks out of no", () => {
  test("line of the log", () => {
    fc.assert(
      fc.property(TEXT, (name) => {
        for (const line of logOf(name, "logfmt")) readLogfmt(line);
        for (const line of logOf(name, "json")) {
          expect(line).not.toMatch(UNPRINTABLE);
          expect(Object.keys(JSON.parse(line))).not.toContain("forged");
        }
      }),
    );
  });

  test("line and no column of the export", () => {
    fc.assert(
      fc.property(TEXT, (name) => {
        for (const line of exportOf(name, "jsonl")) {
          expect(line).not.toMatch(UNPRINTABLE);
          expect(JSON.parse(line).pid).toBe(42);
        }
        const lines = exportOf(name, "tsv");
        expect(lines.map((line) => line.split("\t").length)).toEqual(lines.map(() => 20));
        for (const line of lines) expect(line.replaceAll("\t", "")).not.toMatch(UNPRINTABLE);
      }),
    );
  });

  test("row of the audit log", () => {
    fc.assert(
      fc.property(TEXT, (name) => {
        for (const columns of auditOf(name)) expect(columns.at(-2)).toBe("hung");
      }),
    );
  });
});

function logOf(name: string, format: "logfmt" | "json"): string[] {
  const written: string[] = [];
  const reports = new Reports({
    log: new Log({
      level: "debug",
      format,
      write: (line) => written.push(line),
      wallMs: () => 0,
      monotonicNs: () => 0,
      journal: false,
      sessionId: "",
    }),
    listenerNames: ["local", "lab"],
    agentName: () => name,
    nowNs: () => 0,
    wallMs: () => 0,
    namespaceConflict: () => {},
  });
  reports.stalled(stallOf());
  const back = { key: 42, pid: 42, listener: 0, status: 0 };
  reports.resumed({ ...back, agent: AGENT, observerNs: 0 });
  reports.outcome(outcomeOf("spawn"));
  reports.outcome({ ...outcomeOf("refused"), reason: "gave_up", label: "gave_up" });
  return linesOf(written.join(""), 4);
}

function exportOf(name: string, format: "jsonl" | "tsv"): string[] {
  const lines = new EventLines(
    {
      format,
      events: EVENT_WORDS,
      observerColumns: false,
      listeners: ["local", "lab"],
      agentName: () => name,
      errnoText: String,
      observerNamespaceInode: Number.NaN,
    },
    new TextBuffer(1_024),
  );
  lines.onStall(stallOf({ pid: 42, key: 42 }));
  const end = { observerNs: 6e9, agent: AGENT, pid: 42, generation: 5 };
  lines.add("exit", {
    ...end,
    listener: 1,
    how: "unclean",
    isBySystemd: false,
    endedNs: 6e9,
    recoveryId: NaN,
    exitStatus: 3,
    signal: NaN,
    dumpedCore: false,
  });
  lines.onOutcome({ ...outcomeOf("spawn"), pid: 42 });
  return linesOf(new TextDecoder("utf-8", { fatal: true }).decode(lines.text.view()), lines.count);
}

function auditOf(name: string): (readonly string[])[] {
  const outcomes = [outcomeOf("spawn"), outcomeOf("refused"), outcomeOf("complete")];
  return outcomes.map((outcome) => {
    const fields = outcomeFields({ ...outcome, verdict: "hung" }, 0, name)!;
    const row = parseRow(new TextEncoder().encode(`1\t${fields}\t-`));
    if (row === undefined) throw new Error(`no row: ${JSON.stringify(fields)}`);
    return row.columns;
  });
}

function argvOf(agentName: string): string[] {
  const context = { nowNs: 0, listenerNames: [], agentName, isPidGone: false, unixMsAtStart: 0 };
  const values = placeholderValues(stallOf(), context);
  expect(values).toHaveLength(PLACEHOLDERS.length);
  return new ArgvTemplate(["/bin/recover", "{agent}"], false).expand(values);
}

/** Whole lines, as many as were written. */
function linesOf(text: string, count: number): string[] {
  const lines = text.split("\n");
  expect(lines.pop()).toBe("");
  expect(lines).toHaveLength(count);
  return lines;
}
