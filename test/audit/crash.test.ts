// kill -9 at random moments: also inside a write, a sync and a rotation. What was reported as
// written must be there, and the log that the next start goes on with must verify, and hold the
// head that was remembered of it.
import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { atLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { AuditDirectory, openMemory, restart, verifyLog } from "./audit_fixture.ts";

setDefaultTimeout(TEST_MS_MAX);

const WRITER = join(import.meta.dir, "crashing_writer.ts");
const KILLS = atLength(4, 20);
/** Small enough for a rotation every few records. */
const BYTES_MAX = 1_200;
/** So large that nothing is rotated away and every record can be counted. */
const BYTES_NEVER = 2 ** 40;
const ATONCE = 2;

test(
  `a writer that is killed ${KILLS} times loses nothing that it reported, and its log verifies each time`,
  async () => {
    const each = Array.from({ length: ATONCE }, (_, lane) => lane);
    await Promise.all(each.map((lane) => killRepeatedly(lane, Math.ceil(KILLS / ATONCE))));
  },
  Math.max(TEST_MS_MAX, KILLS * 6_000),
);

async function killRepeatedly(lane: number, kills: number): Promise<void> {
  const rotates = lane % 2 === 0;
  using directory = new AuditDirectory();
  let seqLast = 0;
  for (let kill = 0; kill < kills; kill++) {
    const reported = await killedWriter(directory.log, rotates ? BYTES_MAX : BYTES_NEVER);
    const { difference } = await restart(directory.log, {
      memory: await openMemory(directory.log),
    });
    expect(difference).toBeUndefined();
    const { verdict, problems } = verifyLog(directory.log);
    expect(problems).toEqual([]);
    // The writer's boot record, what it reported, and the boot record of the restart.
    expect(verdict.seqLast!).toBeGreaterThanOrEqual(seqLast + reported + 2);
    if (!rotates) expect(verdict.recordCount).toBe(verdict.seqLast!);
    seqLast = verdict.seqLast!;
  }
}

/**
 * Runs the writer, kills it a random while after it began to write, and returns the last number
 * that it reported.
 */
async function killedWriter(path: string, bytesMax: number): Promise<number> {
  const child = Bun.spawn([process.execPath, WRITER, path, `${bytesMax}`], { stderr: "inherit" });
  let text = "";
  const lines = 1 + Math.floor(Math.random() * 40);
  const decoder = new TextDecoder();
  let isKilled = false;
  for await (const bytes of child.stdout) {
    text += decoder.decode(bytes, { stream: true });
    if (isKilled || text.split("\n").length <= lines) continue;
    isKilled = true;
    // Somewhere inside what comes next.
    await Bun.sleep(Math.random() * 2);
    child.kill("SIGKILL");
  }
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");
  return Number(text.slice(0, text.lastIndexOf("\n")).split("\n").at(-1));
}
