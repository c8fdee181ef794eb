// The screens of `status` in docs/operating.md are what the program prints: each command of a
// block is run against a daemon's control socket that answers with the view of one night.
import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { wholePiece } from "../../src/base/pieces.ts";
import { MEMBERS } from "../../src/control/requests/members.ts";
import { STATUS } from "../../src/control/requests/status.ts";
import { ControlHarness } from "../control/harness.ts";
import { PROGRAM } from "../support/program.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { ONE_STALLED, WORKER_MEMBERS } from "./screens/status_views.ts";

setDefaultTimeout(TEST_MS_MAX);

const PAGE = readFileSync(join(import.meta.dir, "../../docs/operating.md"), "utf8");
const COMMAND = /^\$ (?:COLUMNS=(\d+) )?varta-watch (status.*)$/;

interface Block {
  readonly columns: string;
  readonly words: readonly string[];
  readonly printed: string;
}

const BLOCKS: readonly Block[] = [...PAGE.matchAll(/^```console\n([\s\S]*?)^```$/gm)].flatMap(
  ([, text = ""]) => {
    const end = text.indexOf("\n");
    const [, columns = "80", words = ""] = COMMAND.exec(text.slice(0, end)) ?? [];
    return words === "" ? [] : [{ columns, words: words.split(" "), printed: text.slice(end + 1) }];
  },
);

test("the page has the screen at 80 and at 120 columns, and the members of an agent", () => {
  const commands = BLOCKS.map(({ columns, words }) => `${columns} ${words.join(" ")}`);
  expect(commands).toEqual(["80 status", "120 status", "80 status worker --members"]);
});

test.each(BLOCKS.map((block) => [`${block.columns} ${block.words.join(" ")}`, block] as const))(
  "%s is printed as the page has it",
  async (_name, { columns, words, printed }) => {
    using control = new ControlHarness({
      requests: [
        { ...STATUS, run: () => wholePiece(`${JSON.stringify(ONE_STALLED)}\n`) },
        { ...MEMBERS, run: () => wholePiece(`${JSON.stringify(WORKER_MEMBERS)}\n`) },
      ],
    });
    const child = Bun.spawn([...PROGRAM, ...words, "--human", "--control", control.server.path], {
      env: { ...process.env, COLUMNS: columns, LC_ALL: "C.UTF-8", TZ: "Europe/Berlin" },
      stderr: "inherit",
    });
    let stdout: string | undefined;
    void new Response(child.stdout).text().then((text) => {
      stdout = text;
    });
    await control.turn("the command to end", () => stdout !== undefined);
    expect(stdout).toBe(printed);
  },
);
