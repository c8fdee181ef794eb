// The commands that read what the daemon has left on disk.
import { command, FLAG, TEXT } from "../command.ts";

export const RECORDS_COMMANDS = [
  command({
    name: "audit",
    summary: "check or print the audit log of recoveries",
    operands: { usage: "verify FILE... | show FILE", max: 64, first: ["verify", "show"] },
    about: [
      "verify reads FILE.5 to FILE.1 and FILE, oldest first, recomputes the chain and",
      "reports every row that was changed, removed, inserted or moved. Rows cut from the",
      "end are found by the remembered head: audit.head in the directory of FILE, or in",
      "the one of --state. show prints the records of one file. Both may run beside",
      "the daemon.",
    ],
    own: [
      {
        name: "expect-head",
        value: "HEX",
        form: TEXT,
        help: "verify: the last chain must be this one, kept elsewhere",
      },
      { name: "key-file", value: "FILE", form: TEXT, help: "verify: the key of audit.key_file" },
      {
        name: "state",
        value: "DIR",
        form: TEXT,
        help: "verify: where the daemon keeps audit.head",
      },
      {
        name: "allow-legacy",
        form: FLAG,
        help: "verify: rows of schema v1 may come before the first record",
      },
      { name: "json", form: FLAG, help: "print JSON: one object per FILE, or per record" },
    ],
    examples: [
      ["varta-watch audit verify /var/lib/varta/audit.log", "is the log as it was written?"],
      ["varta-watch audit show --json audit.log.1", "records for other programs"],
    ],
    exits: [
      ["0", "intact; or every record printed"],
      ["1", "not intact, a line that is no record, or a file that cannot be read"],
      ["2", "a legacy, foreign or empty section"],
      ["3", "after the remembered head: rows are missing or were rewritten"],
      ["4", "a key is wanted"],
      ["64", "wrong use"],
    ],
    load: () => import("../audit.ts"),
  }),
];
