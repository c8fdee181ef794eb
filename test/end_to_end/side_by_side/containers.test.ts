// Programs in pid namespaces of their own, as containers have them, at a listener that takes them:
// each states the pid that it has there, and is watched and recovered as the process that the
// kernel names (spec 05 section 5.4).
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { STATUS_OK } from "../../../src/wire/frame.ts";
import { encodeFrame } from "../../../src/wire/encode.ts";
import { sampleAt } from "../../metrics/page.ts";
import { ControlGroup, NEEDS_CONTROL_GROUPS } from "../../support/control_group.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const PID_NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child"];

/**
 * Sends each line of its input as a datagram, in hex; one with a star is sent by a child.
 */
const AGENT = `import os, signal, socket, sys
out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
to_child, child_gets = os.pipe()[::-1]
if os.fork() == 0:
    os.close(to_child)
    source = child_gets
else:
    source = 0
while True:
    line = os.read(source, 65).decode()
    if line == "":
        break
    if line[0] == "*":
        os.write(to_child, (line[1:] + os.read(0, 1).decode()).encode())
        continue
    out.sendto(bytes.fromhex(line), sys.argv[1])
`;

const ID = "0123456789abcdef".repeat(4);

const reason = whyNot();

test.concurrent.skipIf(reason !== "")(
  `agents with pid 1 of two containers are watched and recovered as what they are outside${reason}`,
  async () => {
    using directory = new TemporaryDirectory();
    await using daemon = await start(directory);
    await using web = new Container(daemon.socket);
    await using db = new Container(daemon.socket);
    await Promise.all([untilItRuns(web), untilItRuns(db)]);
    let received = 0;
    for (const nonce of [1, 2, 3]) {
      for (const container of [web, db]) container.send(1, nonce);
      received += 2;
      await daemon.untilReceived(received);
    }
    expect((await daemon.state()).agents).toBe(2);
    expect((await daemon.state()).listeners[0]).toMatchObject({ accepted: 6, rejected: 0 });
    expect(web.pid).not.toBe(db.pid);
    const pids = [web.pid, db.pid];
    await Promise.all(pids.map((pid) => daemon.untilStalls(pid)));
    for (const pid of pids)
      await until(`the recovery of ${pid}`, () => existsSync(daemon.path(`recovered-${pid}`)));
    expect(daemon.saying("agent stalled")).toHaveLength(2);
    // On a busy machine it may wait for a page when it is looked at.
    expect(daemon.stallsOf(web.pid)[0]!.fields.get("verdict")).toMatch(/^(hung|blocked)$/);
    expect(daemon.saying("recovery refused")).toEqual([]);

    // Its end is seen by the pid outside, too.
    const [, ended] = pids;
    process.kill(ended!, "SIGKILL");
    await until("its end", () => daemon.saying("member ended", ended).length === 1);
  },
);

test.concurrent.skipIf(reason !== "")(
  `a number that is not the sender's own is refused${reason}`,
  async () => {
    using directory = new TemporaryDirectory();
    await using daemon = await start(directory, "[observer]\nallow_cross_namespace = true\n");
    await using web = new Container(daemon.socket);
    await untilItRuns(web);
    // The host's number from inside, that of the other process there, and both ways round.
    web.send(web.pid, 1);
    web.send(web.childInside, 2);
    web.sendByChild(1, 3);
    await daemon.untilReceived(3);
    expect((await daemon.state()).agents).toBe(0);
    web.sendByChild(web.childInside, 4);
    await daemon.untilReceived(4);
    const state = await daemon.state();
    expect(state.listeners[0]).toMatchObject({ accepted: 1, rejected: 3 });
    const page = await daemon.page();
    expect(sampleAt(page, 'varta_frame_auth_failures_total{reason="pid"}')).toBe(3);
    expect(daemon.stderr).toContain(
      "containers: found true beside observer.allow_cross_namespace, over which it wins",
    );
  },
);

test.concurrent.skipIf(reason !== "" || NEEDS_CONTROL_GROUPS !== "")(
  `an agent in the control group of a container is called after that${reason || NEEDS_CONTROL_GROUPS}`,
  async () => {
    using directory = new TemporaryDirectory();
    await using daemon = await start(directory);
    await using group = new ControlGroup(`/varta-test-${process.pid}.slice/docker-${ID}.scope`);
    await using web = new Container(daemon.socket, [...group.through, "unshare", "--cgroup"]);
    await untilItRuns(web);
    web.send(1, 1);
    await daemon.untilReceived(1);
    await daemon.untilStalls(web.pid);
    const [stall] = daemon.stallsOf(web.pid);
    expect(stall!.fields.get("agent")).toBe("docker-0123456789ab");
    expect(daemon.stderr).not.toContain(ID);
  },
);

/** A program that is pid 1 of a pid namespace, with a child; `through` starts it. */
class Container implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"pipe", "ignore", "ignore">;

  constructor(socket: string, through: readonly string[] = []) {
    const argv = [...through, ...PID_NAMESPACE, "python3", "-c", AGENT, socket];
    this.#child = Bun.spawn(argv, { stdin: "pipe", stdout: "ignore", stderr: "ignore" });
  }

  /** Of the program as it is seen from outside; 0 = it does not run yet. */
  get pid(): number {
    return childOf(this.#child.pid);
  }

  /** The number of the child inside. */
  get childInside(): number {
    const status = readFileSync(`/proc/${childOf(this.pid)}/status`, "latin1");
    return Number(/^NSpid:.*\t([0-9]+)$/m.exec(status)![1]);
  }

  /** It is Python, and not a script that looks for it, and has a child of its own. */
  get runs(): boolean {
    const { pid } = this;
    const isPython = pid !== 0 && readFileSync(`/proc/${pid}/comm`, "latin1").startsWith("python");
    return isPython && childOf(pid) !== 0;
  }

  send(framePid: number, nonce: number): void {
    this.#child.stdin.write(beat(framePid, nonce));
    this.#child.stdin.flush();
  }

  sendByChild(framePid: number, nonce: number): void {
    this.#child.stdin.write(`*${beat(framePid, nonce)}`);
    this.#child.stdin.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }
}

/** The only child of a process; 0 = it has none. */
function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim());
}

function untilItRuns(container: Container): Promise<void> {
  return until("the agent to run", () => container.runs);
}

function start(directory: TemporaryDirectory, observer = "[observer]\n"): Promise<DaemonProcess> {
  return DaemonProcess.start({
    directory: directory.path,
    ownListeners: true,
    config: `${observer}threshold = "3s"

[[listener]]
kind = "unix"
name = "pods"
path = "${directory.path}/varta.sock"
containers = true

[recovery]
command = ["touch", "recovered-{pid}"]
`,
  });
}

function beat(pid: number, nonce: number): string {
  const words = new Uint32Array(8);
  encodeFrame(words, 0, STATUS_OK, pid, 0, nonce, 0, nonce, 0);
  return `${Buffer.from(words.buffer).toString("hex")}\n`;
}

function whyNot(): string {
  for (const tool of ["unshare", "python3"])
    if (Bun.which(tool) === null) return ` (skipped: there is no ${tool})`;
  const { exitCode } = Bun.spawnSync([...PID_NAMESPACE, "true"]);
  return exitCode === 0 ? "" : " (skipped: only root may make a pid namespace)";
}
