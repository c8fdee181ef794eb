import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import {
  AuditWriterTwin,
  TWIN_HEADER,
  TWIN_ZEROS,
  twinChain,
  twinKeyId,
} from "../reference/audit_writer_twin.ts";
import { atLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { chainKey } from "../../src/audit/chain.ts";
import type { VerifierOptions } from "../../src/audit/verify.ts";
import { AuditDirectory, verifyLog } from "./audit_fixture.ts";

setDefaultTimeout(TEST_MS_MAX);

/** A boot record and five refusals. */
function healthy(): AuditWriterTwin {
  const twin = new AuditWriterTwin();
  twin.add("boot", 1234, "-", "fresh");
  for (let pid = 1; pid <= 5; pid++) twin.add("refused", pid, "debounced");
  return twin;
}

function verifyText(text: string, expectedHead?: string, options: Partial<VerifierOptions> = {}) {
  using directory = new AuditDirectory();
  directory.write(text);
  return verifyLog(directory.log, expectedHead, options);
}

/** The lines of the healthy log, changed; the header is at index 0. */
function damaged(change: (lines: string[]) => unknown) {
  const lines = healthy().text.trimEnd().split("\n");
  change(lines);
  return verifyText(`${lines.join("\n")}\n`);
}

function broken(line: number, seq: number): string {
  return `audit.log:${line}: chain broken: row ${seq} was changed, or a row before it was removed, inserted or moved`;
}

describe("Verifier", () => {
  test("finds nothing in a healthy log and reports its head", () => {
    const twin = healthy();
    const { findings, last, verdict } = verifyText(twin.text);
    expect(findings).toEqual([]);
    expect(last).toBe(`intact: 6 records, seq 1..6, head ${twin.chain}`);
    expect(verdict).toEqual({
      isIntact: true,
      worst: "note",
      recordCount: 6,
      seqFirst: 1,
      seqLast: 6,
      head: twin.chain,
      keyId: undefined,
      firstProblem: undefined,
    });
  });

  test("does not take a log without records for intact: the daemon begins with one", () => {
    for (const text of ["", TWIN_HEADER, `${TWIN_HEADER}# a note\n`]) {
      const { findings, verdict } = verifyText(text);
      expect(findings).toEqual([
        `audit.log:${Math.max(1, text.split("\n").length - 1)}: an empty section: no record in this file`,
      ]);
      expect(verdict.worst).toBe("section");
    }
  });

  test("skips comments", () => {
    expect(damaged((lines) => lines.splice(3, 0, "# a note")).findings).toEqual([]);
  });

  test("finds a row that was changed into a comment, the last one as well", () => {
    const hide = (index: number) =>
      damaged((lines) => {
        lines[index] = `#${lines[index]!.slice(1)}`;
      }).findings;
    expect(hide(6)).toEqual(["audit.log:7: a record was changed into a comment"]);
    expect(hide(5)).toEqual([broken(7, 6)]);
  });

  test("finds an edited column at its line", () => {
    const { findings, last } = damaged((lines) => {
      lines[3] = lines[3]!.replace("\trefused\t2\t", "\trefused\t7\t");
    });
    expect(findings).toEqual([broken(4, 3)]);
    expect(last).toMatch(/^NOT intact: first problem at .*audit\.log:4$/);
  });

  test("finds an edited chain at its line and at the next, which continues it", () => {
    const { findings } = damaged((lines) => {
      lines[3] = lines[3]!.replace(/[0-9a-f]{64}$/, TWIN_ZEROS);
    });
    expect(findings).toEqual([broken(4, 3), broken(5, 4)]);
  });

  test("finds a deleted row at the row after it", () => {
    expect(damaged((lines) => lines.splice(3, 1)).findings).toEqual([broken(4, 4)]);
  });

  test("finds an inserted row and the row after it", () => {
    const { findings } = damaged((lines) => {
      lines.splice(3, 0, `3\t1700000000003\t1\trefused\t9\tdebounced\t${TWIN_ZEROS}`);
    });
    expect(findings).toEqual([broken(4, 3), broken(5, 3), "audit.log:5: sequence goes back"]);
  });

  test("finds two rows that changed places", () => {
    const { findings } = damaged((lines) => {
      [lines[3], lines[4]] = [lines[4]!, lines[3]!];
    });
    expect(findings).toEqual([
      broken(4, 4),
      broken(5, 3),
      "audit.log:5: sequence goes back",
      broken(6, 5),
    ]);
  });

  test("finds rows cut from the front", () => {
    expect(damaged((lines) => lines.splice(1, 2)).findings).toEqual([broken(2, 3)]);
  });

  test("cannot find rows cut from the end, but the anchored head can", () => {
    const twin = healthy();
    const lines = twin.text.trimEnd().split("\n").slice(0, -1);
    const cut = `${lines.join("\n")}\n`;
    expect(verifyText(cut).verdict.isIntact).toBe(true);
    const { findings, verdict } = verifyText(cut, twin.chain);
    const head = lines.at(-1)!.split("\t").at(-1);
    expect(verdict.isIntact).toBe(false);
    expect(findings).toEqual([`audit.log:6: the head is ${head}, no record has the expected one`]);
  });

  test("finds a last line without its end", () => {
    const { text } = healthy();
    expect(verifyText(text.slice(0, -1)).findings).toEqual(["audit.log:7: not a record"]);
    expect(verifyText(text.slice(0, -30)).findings).toEqual(["audit.log:7: not a record"]);
  });

  test.each([
    "",
    "garbage",
    "0\t1\t2\trefused\t3\tdebounced\t-",
    `01\t1\t2\trefused\t3\tdebounced\t${TWIN_ZEROS}`,
    `4\tx\t2\trefused\t3\tdebounced\t${TWIN_ZEROS}`,
    `4\t1\t2\trefused\t3\tdebounced\textra\t${TWIN_ZEROS}`,
    `4\t1\t2\trefused\t3\t${TWIN_ZEROS}`,
    `4\t1\t2\tunknown\t3\tdebounced\t${TWIN_ZEROS}`,
    `4\t1\t2\tboot\t3\tnot-a-chain\tresume\t${TWIN_ZEROS}`,
    `4\t1\t2\trefused\t3\tdebounced\t${TWIN_ZEROS.slice(1)}`,
    `4\t1\t2\trefused\t3\tdebounced\t${"A".repeat(64)}`,
    `4\t1\t2\tcomplete\t3\t4\treaped\t0\t-\t5\t0\t0\tfalse\ttail\t${TWIN_ZEROS}`,
    `99999999999999999999\t1\t2\trefused\t3\tdebounced\t${TWIN_ZEROS}`,
  ])("calls %p not a record", (line) => {
    const { findings } = damaged((lines) => lines.splice(4, 0, line));
    expect(findings).toEqual(["audit.log:5: not a record"]);
  });

  test("notes a gap with an intact chain", () => {
    const twin = healthy();
    twin.seq += 3;
    twin.add("refused", 9, "debounced");
    const { findings, last } = verifyText(twin.text);
    expect(findings).toEqual(["audit.log:8: records 7..9 were lost (ring overflow)"]);
    expect(last).toStartWith("intact: 7 records, seq 1..10, ");
  });

  test("finds a seq that goes back although its chain fits", () => {
    const twin = healthy();
    twin.seq = 5;
    twin.add("refused", 9, "debounced");
    expect(verifyText(twin.text).findings).toEqual(["audit.log:8: sequence goes back"]);
  });

  test("counts rows without a chain, reported at the first one", () => {
    const twin = new AuditWriterTwin();
    twin.addUnchained("boot", 1, "-", "fresh");
    twin.addUnchained("refused", 2, "debounced");
    twin.add("boot", 1, "-", "resume");
    const { findings, last } = verifyText(`${twin.text}garbage\n`);
    expect(findings).toEqual(["audit.log:5: not a record", "audit.log:2: 2 rows without a chain"]);
    expect(last).toEndWith("audit.log:2");
  });

  test("follows a resume that names the chain before it, and no other", () => {
    const twin = healthy();
    const good = new AuditWriterTwin();
    Object.assign(good, twin);
    good.add("boot", 1234, good.chain, "resume");
    expect(verifyText(good.text).findings).toEqual([]);
    const before = twin.chain;
    twin.chain = twinChain(before, "boot", "another section");
    twin.add("boot", 1234, twin.chain, "resume");
    expect(verifyText(twin.text).findings).toEqual([
      "audit.log:8: link to the previous section broken",
    ]);
  });

  test("finds a section that was cut off before a resume at the very front", () => {
    const twin = new AuditWriterTwin();
    twin.seq = 7;
    twin.chain = "ab".repeat(32);
    twin.add("boot", 1234, twin.chain, "resume");
    expect(verifyText(twin.text).problems).toEqual([
      "audit.log:2: link to the previous section broken",
    ]);
  });

  test.each([
    ["corrupt_tail", "the line before it was torn by a crash and cut off"],
    ["schema_drift", "the daemon could not read what was before it"],
  ])("notes a boot record %s, which continues the chain without naming it", (reason, text) => {
    const twin = healthy();
    twin.add("boot", 1234, "-", reason);
    const { findings, verdict } = verifyText(twin.text);
    expect(findings).toEqual([`audit.log:8: boot ${reason}: ${text}`]);
    expect(verdict.isIntact).toBe(true);
  });

  test("accepts a schema drift of a daemon that could read nothing", () => {
    const twin = healthy();
    twin.chain = TWIN_ZEROS;
    twin.add("boot", 1234, "-", "schema_drift");
    expect(verifyText(twin.text).verdict.isIntact).toBe(true);
  });

  test("takes sections of schema v1 only where a history begins, and only if told to", () => {
    const v1 = "# varta-watch recovery audit v1\n";
    const twin = new AuditWriterTwin();
    twin.add("boot", 1, "-", "legacy_v1");
    const text = `${v1}old\nrows\n${twin.text}`;
    const strict = verifyText(text);
    expect(strict.problems).toEqual([
      "audit.log:1: a section of schema v1, whose rows have no chain (--allow-legacy takes it where a history begins)",
    ]);
    expect(strict.verdict.worst).toBe("section");
    const allowed = verifyText(text, undefined, { allowLegacy: true });
    expect(allowed.findings[0]).toBe(
      "audit.log:1: a section of schema v1, whose rows have no chain",
    );
    expect(allowed.last).toStartWith("intact: 1 records, seq 1..1, ");
    const hidden = damaged((lines) => lines.splice(3, 0, v1.trimEnd(), "hidden"));
    expect(hidden.problems).toEqual([
      "audit.log:4: a section of schema v1, whose rows have no chain",
      "audit.log:6: row 3 stands under the header of another schema",
    ]);
  });

  test.each([true, false])(
    "does not let a changed header hide rows, --allow-legacy %p",
    (allow) => {
      for (const version of ["v1", "v3", "v", "v22"]) {
        const { verdict, findings } = verifyText(
          healthy().text.replace("audit v2", `audit ${version}`),
          undefined,
          { allowLegacy: allow },
        );
        expect(verdict.recordCount).toBe(6);
        expect(findings).toContain("audit.log:2: row 1 stands under the header of another schema");
        expect(verdict.worst).toBe("section");
        const [header, ...rows] = healthy().text.split("\n");
        const edited = [header!.replace("v2", version), ...rows]
          .join("\n")
          .replace("debounced", "x");
        expect(verifyText(edited, undefined, { allowLegacy: allow }).problems).toContain(
          broken(3, 2),
        );
      }
    },
  );

  test("finds a first record that names a chain although only v1 sections are before it", () => {
    using directory = new AuditDirectory();
    const live = new AuditWriterTwin();
    Object.assign(live, { seq: 41, chain: "cd".repeat(32) });
    live.add("boot", 1234, live.chain, "rotation");
    directory.write("# varta-watch recovery audit v1\nold\n", ".1");
    directory.write(live.text);
    const { problems } = verifyLog(directory.log, undefined, { allowLegacy: true });
    expect(problems).toEqual([
      "audit.log:2: row 42 does not begin a chain, and there is none before it",
    ]);
  });

  test("finds a file without a header, and a file that was emptied beside others", () => {
    expect(damaged((lines) => lines.splice(0, 1)).problems).toEqual([
      "audit.log:1: no header: the file begins with other lines",
    ]);
    using directory = new AuditDirectory();
    directory.write(healthy().text, ".1");
    for (const text of ["", TWIN_HEADER]) {
      directory.write(text);
      const { problems, verdict } = verifyLog(directory.log);
      expect(problems).toEqual(["audit.log:1: an empty section: no record in this file"]);
      expect(verdict.worst).toBe("section");
    }
  });

  test("reads the old files first and checks the links between them", () => {
    using directory = new AuditDirectory();
    const old = healthy();
    const live = new AuditWriterTwin();
    Object.assign(live, { seq: old.seq, chain: old.chain });
    live.add("boot", 1234, old.chain, "rotation");
    directory.write(old.text, ".1");
    directory.write(live.text);
    expect(verifyLog(directory.log).findings).toEqual([]);
    const lines = old.text.trimEnd().split("\n").slice(0, -1);
    directory.write(`${lines.join("\n")}\n`, ".1");
    expect(verifyLog(directory.log).findings).toEqual([
      "audit.log:2: link to the previous section broken",
    ]);
    directory.write(old.text, ".2");
    directory.write("", ".1");
    expect(verifyLog(directory.log).findings).toEqual([
      "audit.log.1:1: an empty section: no record in this file",
    ]);
  });

  test("notes where the first file that exists is anchored", () => {
    const twin = new AuditWriterTwin();
    Object.assign(twin, { seq: 41, chain: "cd".repeat(32) });
    twin.add("boot", 1234, twin.chain, "rotation");
    expect(verifyText(twin.text).findings).toEqual([
      `audit.log:2: starts at seq 42, anchored at ${"cd".repeat(32)}`,
    ]);
  });

  test("accepts the expected head, and says how far a log has grown beyond it", () => {
    const twin = healthy();
    const anchor = twin.chain;
    expect(verifyText(twin.text, anchor).findings).toEqual([]);
    twin.add("refused", 7, "debounced");
    twin.add("refused", 8, "debounced");
    expect(verifyText(twin.text, anchor).findings).toEqual([
      `audit.log:9: the head is ${twin.chain}, the expected one is 2 records back`,
    ]);
    expect(verifyText("", anchor).problems).toEqual([
      "audit.log:1: the head is -, no record has the expected one",
      "audit.log:1: an empty section: no record in this file",
    ]);
  });

  test("finds the change of any one byte, of the header as well", () => {
    const bytes = Buffer.from(healthy().text);
    const range = fc.integer({ min: 0, max: bytes.length - 1 });
    fc.assert(
      fc.property(range, fc.integer({ min: 1, max: 255 }), (at, flip) => {
        using directory = new AuditDirectory();
        const changed = Uint8Array.from(bytes);
        changed[at]! ^= flip;
        directory.write(changed);
        expect(verifyLog(directory.log).verdict.isIntact).toBe(false);
      }),
      { numRuns: atLength(60, 600) },
    );
  });

  test("finds every line that is removed, doubled or moved, unless it is the last one", () => {
    const lines = healthy().text.trimEnd().split("\n");
    for (let from = 1; from < lines.length; from++) {
      for (let to = 1; to < lines.length; to++) {
        if (from === to) continue;
        expect(damaged((all) => all.splice(to, 0, ...all.splice(from, 1))).verdict.isIntact).toBe(
          false,
        );
      }
      expect(damaged((all) => all.splice(from, 0, all[from]!)).verdict.isIntact).toBe(false);
      const removed = damaged((all) => all.splice(from, 1));
      expect(removed.verdict.isIntact).toBe(from === lines.length - 1);
    }
  });
});

describe("Verifier with keys", () => {
  const [KEY, OTHER] = ["1f".repeat(32), "2e".repeat(32)];
  const keys = [KEY, OTHER].map((hex) => chainKey(Buffer.from(hex, "hex")));
  const [key, other] = keys as [(typeof keys)[0], (typeof keys)[0]];

  /** Two rows under no key and three under one that was added later. */
  function keyedLater(): AuditWriterTwin {
    const twin = new AuditWriterTwin();
    twin.add("boot", 1, "-", "fresh");
    twin.add("refused", 1, "debounced");
    const before = twin.chain;
    twin.keyHex = KEY;
    twin.add("boot", 1, before, "keyed", twinKeyId(KEY));
    twin.add("refused", 2, "debounced");
    twin.add("refused", 3, "debounced");
    return twin;
  }

  test("finds nothing in a log under the key, with rows before it under none", () => {
    const { problems, last, verdict } = verifyText(keyedLater().text, undefined, { keys: [key] });
    expect(problems).toEqual([]);
    expect(verdict.keyId).toBe(twinKeyId(KEY));
    expect(last).toEndWith(`, under key ${twinKeyId(KEY)}`);
  });

  test("wants the key, and finds what can be found without it", () => {
    const { problems, verdict, last } = verifyText(keyedLater().text);
    expect(problems).toEqual([
      `audit.log:4: 3 rows from seq 3 on are under key ${twinKeyId(KEY)}, which was not given`,
    ]);
    expect(verdict.worst).toBe("key");
    expect(last).toMatch(/^NOT verified: a key is wanted, first at .*audit\.log:4$/);
    const wrong = verifyText(keyedLater().text, undefined, { keys: [other] });
    expect(wrong.verdict.worst).toBe("key");
    const cut = keyedLater()
      .text.replace(/^4\t.*\n/m, "")
      .replace(/^5\t/m, "3\t");
    expect(verifyText(cut).verdict.worst).toBe("broken");
  });

  test("finds a chain that was recomputed without the key", () => {
    const forged = new AuditWriterTwin();
    forged.add("boot", 1, "-", "fresh");
    forged.add("refused", 1, "debounced");
    forged.add("boot", 1, forged.chain, "keyed", twinKeyId(KEY));
    forged.add("refused", 9, "forged");
    const { problems, verdict } = verifyText(forged.text, undefined, { keys: [key] });
    expect(problems).toEqual([broken(4, 3), broken(5, 4)]);
    expect(verdict.worst).toBe("broken");
  });

  test("finds a log, and the end of one, that is under no key", () => {
    const plain = verifyText(healthy().text, undefined, { keys: [key] });
    expect(plain.problems).toEqual(["audit.log:7: the last section is under no key"]);
    expect(plain.verdict.worst).toBe("section");
    for (const reason of ["unkeyed", "resume"]) {
      const twin = keyedLater();
      const before = twin.chain;
      twin.keyHex = undefined;
      twin.add("boot", 1, before, reason);
      const { problems, verdict } = verifyText(twin.text, undefined, { keys: [key] });
      expect(problems).toEqual([
        `audit.log:7: a section without a key, after rows under key ${twinKeyId(KEY)}`,
        "audit.log:7: the last section is under no key",
      ]);
      expect(verdict.worst).toBe("section");
    }
  });

  test("follows a change of the key with both keys, and wants the older one without it", () => {
    const twin = keyedLater();
    const before = twin.chain;
    twin.keyHex = OTHER;
    twin.add("boot", 1, before, "keyed", twinKeyId(OTHER));
    twin.add("refused", 4, "debounced");
    expect(verifyText(twin.text, undefined, { keys }).problems).toEqual([]);
    expect(verifyText(twin.text, undefined, { keys: [other] }).verdict.worst).toBe("key");
  });

  test("finds the change of any one byte of a log under a key", () => {
    const bytes = Buffer.from(keyedLater().text);
    const range = fc.integer({ min: 0, max: bytes.length - 1 });
    fc.assert(
      fc.property(range, fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Uint8Array.from(bytes);
        changed[at]! ^= flip;
        const isLast = at > bytes.lastIndexOf(0x0a, bytes.length - 2);
        if (changed[at] === 0x23 && isLast) return;
        using directory = new AuditDirectory();
        directory.write(changed);
        const { verdict } = verifyLog(directory.log, undefined, { keys: [key] });
        expect(verdict.isIntact).toBe(false);
      }),
      { numRuns: atLength(60, 600) },
    );
  });
});

describe("Verifier with a remembered head", () => {
  const remembered = (twin: AuditWriterTwin) => ({ seq: twin.seq, chain: twin.chain });

  test("accepts a log that ends with it, has grown beyond it, or has dropped it by rotation", () => {
    const twin = healthy();
    const head = remembered(twin);
    expect(verifyText(twin.text, undefined, { remembered: head }).findings).toEqual([]);
    twin.add("refused", 7, "debounced");
    expect(verifyText(twin.text, undefined, { remembered: head }).findings).toEqual([]);
    const later = new AuditWriterTwin();
    Object.assign(later, { seq: 41, chain: "cd".repeat(32) });
    later.add("boot", 1234, later.chain, "rotation");
    expect(verifyText(later.text, undefined, { remembered: head }).problems).toEqual([]);
  });

  test("finds rows cut from the end, and a log that was emptied", () => {
    const twin = healthy();
    const cut = `${twin.text.trimEnd().split("\n").slice(0, -2).join("\n")}\n`;
    const { problems, verdict } = verifyText(cut, undefined, { remembered: remembered(twin) });
    expect(problems).toEqual([
      "audit.log:5: the last row is 4, the remembered head is row 6: rows are missing",
    ]);
    expect(verdict.worst).toBe("behind");
    const empty = verifyText(TWIN_HEADER, undefined, { remembered: remembered(twin) });
    expect(empty.verdict.worst).toBe("section");
    expect(empty.problems.length).toBe(2);
  });

  test("knows a rotation that was interrupted from a file that was emptied or removed", () => {
    using directory = new AuditDirectory();
    const old = healthy();
    directory.write(old.text, ".1");
    const note = "no record yet: a rotation was interrupted, the next start completes it";
    const lost = { seq: old.seq + 1, chain: "ef".repeat(32) };
    for (const live of [undefined, "", TWIN_HEADER]) {
      if (live !== undefined) directory.write(live);
      const interrupted = verifyLog(directory.log, undefined, { remembered: remembered(old) });
      expect(interrupted.findings).toEqual([`audit.log:1: ${note}`]);
      expect(interrupted.last).toStartWith("intact: 6 records, ");
      const emptied = verifyLog(directory.log, undefined, { remembered: lost });
      expect(emptied.verdict.worst).toBe("section");
      expect(emptied.problems.length).toBe(2);
      expect(verifyLog(directory.log).verdict.worst).toBe("section");
    }
  });

  test("finds a history that was rewritten", () => {
    const twin = healthy();
    const forged = new AuditWriterTwin();
    forged.add("boot", 1234, "-", "fresh");
    for (let pid = 11; pid <= 16; pid++) forged.add("refused", pid, "debounced");
    const { problems, verdict } = verifyText(forged.text, undefined, {
      remembered: remembered(twin),
    });
    expect(problems).toEqual([
      "audit.log:7: row 6 is not the one that is remembered: history was rewritten",
    ]);
    expect(verdict.worst).toBe("behind");
  });

  test("finds that the remembered row itself is missing", () => {
    const twin = healthy();
    twin.seq += 1;
    twin.add("refused", 9, "debounced");
    const head = { seq: 7, chain: "ef".repeat(32) };
    expect(verifyText(twin.text, undefined, { remembered: head }).problems).toEqual([
      "audit.log:8: row 7, the remembered head, is missing",
    ]);
  });
});
