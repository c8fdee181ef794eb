// The clients of clients/ and the real daemon: what it counts for them, over every door that it has
// today, when it stands still and when it is started again (spec 21 section 3).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { UdpDaemon, HOST, MASTER_KEY, SHARED_KEY } from "../interop/udp_daemon.ts";
import { type Page, sampleAt, sumOf } from "../metrics/page.ts";
import { DaemonProcess, endLeftovers } from "../support/daemon_process.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { until } from "../support/until.ts";
import { Driver, LANGUAGES, type Language } from "./driver.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const PER_PID = "[metrics]\nper_pid = true\n";
const MORE = 20;
/** Of an agent: longer than a client waits between two attempts to connect. */
const INTERVAL_MS = 160;

const local = LANGUAGES.filter(({ doors }) => doors.includes("unix"));
for (const language of local) {
  describe.skipIf(language.argv === undefined)(`the daemon and ${language.name}`, () => {
    test("every beat of a process and of its forked child is taken, and none refused", async () => {
      await using daemon = await DaemonProcess.start({ config: PER_PID });
      await using driver = await driverAt(language, daemon);
      for (let count = 0; count < 5; count++) expect(await driver.do("beat ok 3")).toBe("sent");
      expect(await driver.do("fork 3")).toEndWith(" sent,sent,sent");
      expect(await driver.do("crash 1")).toBe("sent");
      await daemon.untilReceived(9);
      const page = await daemon.page();
      expect(beatsOf(page, driver.pid)).toBe(6);
      // The row of the child went with it; its beats are in the sum.
      expect(sumOf(page, "varta_datagrams_accepted_total")).toBe(9);
      expect(sumOf(page, "varta_datagrams_rejected_total")).toBe(0);
    });

    test("of a daemon that stands still none is lost that was sent, and no beat waits", async () => {
      await using daemon = await DaemonProcess.start({ config: PER_PID });
      await using driver = await driverAt(language, daemon);
      await driver.do("beat ok 0");
      await daemon.untilReceived(1);
      daemon.signal("SIGSTOP");
      const [kind, reason, taken, slow] = (await driver.do(`fill ${MORE}`)).split(" ");
      daemon.signal("SIGCONT");
      expect([kind, reason]).toEqual(["dropped", "queue_full"]);
      expect(Number(slow)).toBeLessThan(MORE / 2);
      await daemon.untilReceived(1 + Number(taken));
      const page = await daemon.page();
      expect(beatsOf(page, driver.pid)).toBe(1 + Number(taken));
      expect(sumOf(page, "varta_datagrams_rejected_total")).toBe(0);
    });

    test("after a restart of the daemon at most one beat is lost", async () => {
      await using first = await DaemonProcess.start({ config: PER_PID });
      await using driver = await driverAt(language, first);
      await driver.do("beat ok 0");
      await first.untilReceived(1);
      await first.stop();
      await using second = await DaemonProcess.start({
        config: PER_PID,
        directory: first.directory,
      });
      const outcomes: string[] = [];
      await until("a beat to be sent", async () => {
        await Bun.sleep(INTERVAL_MS);
        outcomes.push(await driver.do("beat ok 0"));
        return outcomes.at(-1) === "sent";
      });
      const sent = outcomes.filter((outcome) => outcome === "sent").length;
      expect(outcomes.length - sent).toBeLessThanOrEqual(1);
      await second.untilReceived(sent);
      expect(beatsOf(await second.page(), driver.pid)).toBe(sent);
    });
  });
}

const networked = LANGUAGES.filter(({ name }) => name !== "C");
for (const language of networked) {
  const { argv, name, forks } = language;
  describe.skipIf(argv === undefined)(`the daemon and ${name} over a network`, () => {
    test("plain, shared-key and master-key beats are taken, crash beats and forks too", async () => {
      await using target = await UdpDaemon.start();
      const { daemon, lab, edge } = target;
      const doors = [
        ["lab", `udp ${HOST} ${lab.port}`],
        ["edge", `key ${HOST} ${edge.port} ${SHARED_KEY}`],
        ["edge", `master ${HOST} ${edge.port} ${MASTER_KEY}`],
      ] as const;
      const heard = { lab: 0, edge: 0 };
      for (const [listener, open] of doors) {
        await using driver = new Driver(language);
        await driver.do(open);
        for (let count = 0; count < 4; count++) await untilSent(driver);
        if (forks) expect(await driver.do("fork 2")).toEndWith(" sent,sent");
        expect(await driver.do("crash 1")).toBe("sent");
        heard[listener] += forks ? 7 : 5;
        await target.untilReceived(listener, heard[listener]);
      }
      const page = await daemon.page();
      expect(sumOf(page, "varta_datagrams_accepted_total")).toBe(heard.lab + heard.edge);
      expect(sumOf(page, "varta_datagrams_rejected_total")).toBe(0);
      expect(sumOf(page, "varta_frame_decrypt_failures_total")).toBe(0);
      expect(sumOf(page, "varta_secure_replay_refused_total")).toBe(0);
    });
  });
}

/** A runtime may connect in its own time. */
async function untilSent(driver: Driver): Promise<void> {
  await until("a beat to be sent", async () => (await driver.do("beat ok 0")) === "sent");
}

async function driverAt(language: Language, daemon: DaemonProcess): Promise<Driver> {
  const driver = new Driver(language);
  await driver.do(`unix ${daemon.socket}`);
  return driver;
}

function beatsOf(page: Page, pid: number): number {
  return sampleAt(page, `varta_beats_total{pid="${pid}"}`);
}
