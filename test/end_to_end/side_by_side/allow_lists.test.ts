// Who may beat at which socket: modes and groups of the socket file keep senders out, allow lists
// of uids and gids refuse those who get in; real senders of other users, and every listener has its
// own rules (spec 05 section 3.1, 4.1).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, lstatSync, readFileSync } from "node:fs";
import { type Page, sampleAt } from "../../metrics/page.ts";
import { runCommand } from "../../support/command.ts";
import { crewProgram, NEEDS_CREW } from "../../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { NO_OTHER_USERS } from "../../support/other_users.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

/** Ids that no account has, and a group that every account has by name. */
const WANTED = 12_345;
const OTHER = 12_346;
const GROUP = "daemon";
const GROUP_GID = Number(/^daemon:[^:]*:([0-9]+):/m.exec(readFileSync("/etc/group", "utf8"))?.[1]);

const reason = whyNot();

interface Sender {
  readonly uid: number;
  readonly gid: number;
  readonly groups?: string;
}

describe.concurrent.skipIf(reason !== "")(`a listener of several users${reason}`, () => {
  test("takes the beats of its own allow lists, by number and by name, and counts the others", async () => {
    using directory = new TemporaryDirectory();
    await using daemon = await start(directory, [
      `name = "anybody"`,
      `name = "uids"\nallow_uids = [${WANTED}, "nobody"]`,
      `name = "gids"\nallow_gids = [${WANTED}, "${GROUP}"]`,
      `name = "both"\nallow_uids = [${WANTED}]\nallow_gids = ["${GROUP}"]`,
    ]);
    const nobody = Number((await runCommand(["id", "-u", "nobody"])).stdout);
    const senders: Record<string, Sender> = {
      uid: { uid: WANTED, gid: OTHER },
      name: { uid: nobody, gid: OTHER },
      gid: { uid: OTHER, gid: WANTED },
      group: { uid: OTHER, gid: GROUP_GID },
      // Only the primary group stands in the credentials.
      supplementary: { uid: OTHER, gid: OTHER, groups: GROUP },
      stranger: { uid: OTHER, gid: OTHER },
    };
    const accepted: Record<string, string[]> = { anybody: [], uids: [], gids: [], both: [] };
    for (const [who, sender] of Object.entries(senders))
      for (const listener of Object.keys(accepted)) {
        const before = await counts(daemon, listener);
        expect(await beatAs(sender, directory.at(`${listener}.sock`))).toBe(0);
        await daemon.untilReceived(before.received + 1, listener);
        const after = await counts(daemon, listener);
        if (after.accepted > before.accepted) accepted[listener]!.push(who);
        else expect(after.rejected).toBe(before.rejected + 1);
      }
    expect(accepted).toEqual({
      anybody: ["uid", "name", "gid", "group", "supplementary", "stranger"],
      uids: ["uid", "name"],
      gids: ["gid", "group"],
      both: ["uid", "group"],
    });
    const page = await daemon.page();
    expect(sampleAt(page, 'varta_frame_auth_failures_total{reason="uid"}')).toBe(12);
    expect(refusedBy(page, "uids")).toBe(4);
    // One without a list cannot refuse anybody for it: its page does not speak of it.
    expect(() => refusedBy(page, "anybody")).toThrow("no sample");
  });

  test("gives its socket the group and the mode, and the kernel keeps all others out", async () => {
    using directory = new TemporaryDirectory();
    await using daemon = await start(directory, [
      `name = "named"\nmode = "0660"\ngroup = "${GROUP}"`,
      `name = "numbered"\nmode = "0620"\ngroup = ${WANTED}`,
    ]);
    const named = lstatSync(directory.at("named.sock"));
    expect([named.mode & 0o777, named.gid]).toEqual([0o660, GROUP_GID]);
    const numbered = lstatSync(directory.at("numbered.sock"));
    expect([numbered.mode & 0o777, numbered.gid]).toEqual([0o620, WANTED]);

    const inGroup = { uid: OTHER, gid: OTHER, groups: GROUP };
    expect(await beatAs(inGroup, directory.at("named.sock"))).toBe(0);
    expect(await beatAs({ uid: OTHER, gid: WANTED }, directory.at("numbered.sock"))).toBe(0);
    for (const socket of ["named.sock", "numbered.sock"])
      expect(await beatAs({ uid: OTHER, gid: OTHER }, directory.at(socket))).not.toBe(0);
    await daemon.untilReceived(1, "named");
    await daemon.untilReceived(1, "numbered");
    const { listeners } = await daemon.state();
    expect(listeners.map(({ received }) => received)).toEqual([1, 1]);
  });

  test("runs as an ordinary user, too, and may then only give away groups of its own", async () => {
    using directory = new TemporaryDirectory();
    chmodSync(directory.path, 0o1777);
    const through = ["setpriv", `--reuid=${WANTED}`, `--regid=${WANTED}`, "--clear-groups"];
    const asUser = [...through, "unshare", "--fork", "--kill-child"];
    const config = table(directory, `name = "own"\nmode = "0660"\ngroup = "${GROUP}"`);
    const options = { directory: directory.path, ownListeners: true, metrics: false, config };
    await using refused = new DaemonProcess({ ...options, through: asUser });
    expect(await refused.exited()).toBe(1);
    expect(refused.stderr).toContain(directory.at("own.sock"));
    expect(refused.stderr).toMatch(/^varta-watch: hint: \S/m);

    const member = [...through.slice(0, 3), `--groups=${GROUP}`, ...asUser.slice(4)];
    await using daemon = await DaemonProcess.start({ ...options, through: member });
    expect(await beatAs({ uid: OTHER, gid: GROUP_GID }, directory.at("own.sock"))).toBe(0);
    await daemon.untilReceived(1, "own");
  });
});

/**
 * A daemon with these Unix listeners; each has a socket of its name, open to all users unless it
 * says otherwise.
 */
function start(directory: TemporaryDirectory, tables: readonly string[]): Promise<DaemonProcess> {
  return DaemonProcess.start({
    directory: directory.path,
    ownListeners: true,
    config: tables.map((text) => table(directory, text)).join("\n"),
  });
}

function table(directory: TemporaryDirectory, text: string): string {
  const name = /^name = "(\w+)"/.exec(text)![1];
  const mode = text.includes("mode =") ? "" : 'mode = "0666"\n';
  return `[[listener]]\nkind = "unix"\npath = "${directory.at(`${name}.sock`)}"\n${mode}${text}\n`;
}

/** One beat of a process of this user; its exit code. */
async function beatAs({ uid, gid, groups }: Sender, socket: string): Promise<number> {
  const as = [`--reuid=${uid}`, `--regid=${gid}`];
  as.push(groups === undefined ? "--clear-groups" : `--groups=${groups}`);
  const argv = ["setpriv", ...as, "sh", "-c", SEND, crewProgram!, socket];
  return (await runCommand(argv)).exitCode;
}

// A pipeline would fork; this way the crew keeps the pid of the shell, which is the one in the
// beat.
const SEND = `exec "$0" "$1" <<END
send 1 32 0 beat $$
END`;

async function counts(daemon: DaemonProcess, listener: string) {
  const { listeners } = await daemon.state();
  return listeners.find(({ name }) => name === listener)!;
}

function refusedBy(page: Page, listener: string): number {
  return sampleAt(page, `varta_datagrams_rejected_total{listener="${listener}",reason="uid"}`);
}

/** Why the tests cannot run here, as a part of their name; empty if they can. */
function whyNot(): string {
  if (crewProgram === undefined) return NEEDS_CREW;
  if (NO_OTHER_USERS !== "") return NO_OTHER_USERS;
  return Number.isNaN(GROUP_GID) ? ` (skipped: there is no group ${GROUP})` : "";
}
