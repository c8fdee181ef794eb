// The state file on a disk that is full, and one that is not what was written (spec 18 sections 4
// and 7), read and written by the real program: the old file is whole, it is said once what is
// wrong and once that it is over, and every start is a start.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { IS_LINUX } from "../../../ffi/constants.ts";
import { effectiveUid } from "../../../ffi/process.ts";
import { decodeState } from "../../../src/snapshot/decoder.ts";
import { Crew, crewProgram, NEEDS_CREW } from "../../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { until } from "../../support/until.ts";
import { Random } from "../../simulation/random.ts";
import { FULL, sectionsOf } from "../../snapshot/states.ts";

setDefaultTimeout(120_000);
afterAll(endLeftovers);

const SEED = 0xd15c;
const RANDOM_FILES = 10;

const HAS_MOUNTS = IS_LINUX && effectiveUid() === 0 && Bun.which("nsenter") !== null;
const NEEDS_MOUNTS = HAS_MOUNTS ? "" : " (skipped: needs root, unshare and nsenter)";

function configOf(state: string): string {
  return `guard = "off"\n[observer]\nthreshold = "60s"\n[state]\nfile = "${state}"\n`;
}

/** A disk of 64 KiB in a mount namespace of its own, as long as this is not disposed of. */
class SmallDisk implements AsyncDisposable {
  readonly #holder: Bun.Subprocess<"ignore", "pipe", "inherit">;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    mkdirSync(path);
    const script = 'mount -t tmpfs -o size=64k,mode=0755 none "$1" && echo && exec sleep 300';
    this.#holder = Bun.spawn(["unshare", "--mount", "sh", "-c", script, "sh", path], {
      stdin: "ignore",
      stdout: "pipe",
    });
  }

  async mounted(): Promise<void> {
    const { value = [] } = await this.#holder.stdout.getReader().read();
    if (value.length === 0) throw new Error("cannot mount a small disk");
  }

  /** What becomes a program that sees it. */
  get entry(): readonly string[] {
    return ["nsenter", "--mount", `--target=${this.#holder.pid}`];
  }

  at(name: string): string {
    return `/proc/${this.#holder.pid}/root${this.#path}/${name}`;
  }

  get names(): string[] {
    return readdirSync(this.at(".")).toSorted();
  }

  fill(name: string): void {
    writeFileSync(this.at(name), "");
    try {
      for (;;) appendFileSync(this.at(name), Buffer.alloc(4_096, 1));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder.kill("SIGKILL");
    await this.#holder.exited;
  }
}

function pidsIn(bytes: Uint8Array): number[] | undefined {
  const decoded = decodeState(bytes);
  return decoded.ok ? decoded.state.member.map(({ pid }) => pid).toSorted() : undefined;
}

async function sample(daemon: DaemonProcess, name: string): Promise<number> {
  return (await daemon.page()).samples.get(name) ?? Number.NaN;
}

describe("a state file", () => {
  test.skipIf(!HAS_MOUNTS || crewProgram === undefined)(
    `on a full disk is the old one, whole, until there is room${NEEDS_MOUNTS}${NEEDS_CREW}`,
    async () => {
      using directory = new TemporaryDirectory();
      await using disk = new SmallDisk(directory.at("disk"));
      await disk.mounted();
      const options = {
        config: configOf(directory.at("disk/state")),
        directory: directory.path,
        as: disk.entry,
      };
      await using daemon = await DaemonProcess.start(options);
      await using crew = new Crew(daemon.socket);
      const first = (await crew.agents({ count: 3, intervalMs: 200 })).toSorted();
      const isWritten = (pids: readonly number[]): boolean =>
        existsSync(disk.at("state")) &&
        Bun.deepEquals(pidsIn(readFileSync(disk.at("state"))), pids);
      await until("the members to be written", () => isWritten(first));

      disk.fill("fill");
      const second = await crew.agents({ count: 2, intervalMs: 200 });
      await daemon.untilSays("state not written");
      const errors = "varta_state_errors_total";
      await until("more than one try", async () => (await sample(daemon, errors)) > 1);
      expect(daemon.saying("state not written")).toHaveLength(1);
      const { fields } = daemon.saying("state not written")[0]!;
      expect(fields.get("error")).toStartWith("ENOSPC");
      expect(fields.get("effect")).toContain("the last state that was written holds");
      expect(await sample(daemon, "varta_state_behind_seconds")).toBeGreaterThan(0);
      expect(pidsIn(readFileSync(disk.at("state")))).toEqual(first);
      const names = ["fill", "state", "state.fired", "state.lock"];
      await until("no other file", () => Bun.deepEquals(disk.names, names));

      rmSync(disk.at("fill"));
      await daemon.untilSays("state written again");
      const again = daemon.saying("state written again")[0]!.fields;
      expect(Number(again.get("failed"))).toBeGreaterThan(1);
      expect(Number(again.get("after_ms"))).toBeGreaterThan(1_000);
      const both = [...first, ...second].toSorted();
      await until("all members to be written", () => isWritten(both));

      // The next one starts without room for anything, not even for its pid.
      daemon.signal("SIGKILL");
      await daemon.exited();
      rmSync(disk.at("state.lock"));
      disk.fill("fill");
      await using next = await DaemonProcess.start(options);
      await next.untilSays("state restored");
      expect(next.saying("state restored")[0]!.fields.get("members")).toBe("5");
      expect(next.saying("state not kept")).toEqual([]);
      expect(await next.stop()).toBe(0);
      expect(pidsIn(readFileSync(disk.at("state")))).toEqual(both);
    },
  );

  test.skipIf(!IS_LINUX)(
    "that was cut or changed anywhere is said, set aside once, and no start ends by it",
    async () => {
      using directory = new TemporaryDirectory();
      const path = directory.at("state");
      const sections = sectionsOf(FULL);
      const whole = Buffer.concat(sections);
      const cuts = sections.flatMap((section, index) => {
        const at = Buffer.concat(sections.slice(0, index)).length;
        return [at, at + Math.floor(section.length / 2)];
      });
      const random = new Random(SEED);
      const changed = Array.from({ length: RANDOM_FILES }, () => {
        const bytes = Buffer.from(whole);
        bytes[random.below(bytes.length)]! ^= 1 + random.below(255);
        return bytes;
      });
      const rubbish = Array.from({ length: RANDOM_FILES }, () =>
        Buffer.from(Array.from({ length: random.below(5_000) }, () => random.below(256))),
      );
      const files = [...cuts.map((at) => whole.subarray(0, at)), ...changed, ...rubbish];
      const config = configOf(path);
      for (const bytes of [whole, ...files]) {
        writeFileSync(path, bytes, { mode: 0o600 });
        await using daemon = await DaemonProcess.start({
          config,
          directory: directory.path,
          metrics: false,
        });
        const unreadable = daemon.saying("state unreadable");
        expect([bytes.length, unreadable.length]).toEqual([bytes.length, bytes === whole ? 0 : 1]);
        if (bytes !== whole) {
          expect(unreadable[0]!.fields.get("set_aside")).toBe(`${path}.bad`);
          expect(readFileSync(`${path}.bad`)).toEqual(bytes);
        }
        expect(await daemon.stop()).toBe(0);
        expect(pidsIn(readFileSync(path))).toEqual([]);
      }
      const left = readdirSync(directory.path).filter((name) => name.startsWith("state"));
      expect(left.toSorted()).toEqual(["state", "state.bad", "state.fired", "state.lock"]);
    },
  );
});
