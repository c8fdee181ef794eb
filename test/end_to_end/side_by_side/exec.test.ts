// "varta-watch exec" with real processes: what the command finds that takes its place.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { runCommand } from "../../support/command.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { PROGRAM } from "../../support/program.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const EXEC = [...PROGRAM, "exec", "--control", "/nonexistent/control.sock", "--"];

/** Runs a script of bash that has the command line of "exec --" in its arguments. */
function inBash(script: string) {
  return runCommand(["bash", "-c", script, "bash", ...EXEC]);
}

describe.concurrent("varta-watch exec", () => {
  test("runs the command with the same pid, also where no daemon answers", async () => {
    const { stdout, stderr, exitCode } = await inBash(
      "echo $$; exec \"$@\" sh -c 'echo $$ $WATCHDOG_PID $WATCHDOG_USEC; exit 7'",
    );
    const [pid, found] = stdout.split("\n");
    expect(found).toBe(`${pid} ${pid} 5000000`);
    expect(stderr).toContain("warning: the daemon says nothing at /nonexistent/control.sock");
    expect(exitCode).toBe(7);
  });

  test("gives it the descriptors, umask, ignored signals and limit of its caller", async () => {
    const ask =
      "umask; ulimit -Sn; grep -E 'Sig(Blk|Ign)' /proc/self/status; cat <&7; ls /proc/$$/fd";
    const { stdout } = await inBash(
      `for fd in /proc/$$/fd/*; do n=\${fd##*/}; [ $n -gt 2 ] && eval "exec $n>&-"; done
      trap "" USR1; umask 027; ulimit -Sn 300; exec "$@" sh -c "${ask.replaceAll("$", "\\$")}" 7<<<seven`,
    );
    const lines = stdout.trim().split("\n");
    expect(lines.slice(0, 5)).toEqual([
      "0027",
      "300",
      "SigBlk:\t0000000000000000",
      "SigIgn:\t0000000000000200",
      "seven",
    ]);
    expect(lines.slice(5)).toEqual(["0", "1", "2", "7"]);
  });

  test("hands on arguments and variables that are no UTF-8", async () => {
    const { stdout } = await inBash(
      `export ODD=$'\\xff\\xfe'; exec "$@" sh -c 'printf %s "$1$ODD" | od -An -tx1' sh $'\\xc3\\x28'`,
    );
    expect(stdout.trim()).toBe("c3 28 ff fe");
  });

  test("ends with 127 or 126 where there is no such program, or none that runs", async () => {
    using directory = new TemporaryDirectory();
    writeFileSync(directory.at("junk"), "no program", { mode: 0o755 });
    writeFileSync(directory.at("text"), "no program", { mode: 0o644 });
    for (const [word, code] of [
      ["no-such-program", 127],
      [directory.at("none"), 127],
      [directory.at("text"), 126],
      [directory.at("junk"), 126],
    ] as const) {
      const { stderr, exitCode } = await runCommand([...EXEC, word]);
      expect(stderr).toContain(`error: cannot run ${word}: `);
      expect(exitCode).toBe(code);
    }
  });

  test("refuses where the service manager waits for beats of its own pid", async () => {
    const { stderr, exitCode } = await inBash(
      'WATCHDOG_USEC=1000000 WATCHDOG_PID=$$ exec "$@" true',
    );
    expect(stderr).toContain("hint: WatchdogSec=0 in its unit");
    expect(exitCode).toBe(78);
  });

  test("tells a service manager READY=1, and takes its socket from the command", async () => {
    const script = `
import os, socket, subprocess, sys
path = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(path)
s.settimeout(10)
out = subprocess.run(sys.argv[2:], env={**os.environ, "NOTIFY_SOCKET": path}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
print(s.recv(100).decode(), out.stdout.decode())`;
    using directory = new TemporaryDirectory();
    const show = ["sh", "-c", "env | grep -c ^NOTIFY_SOCKET="];
    const { stdout } = await runCommand([
      "python3",
      "-c",
      script,
      directory.at("notify.sock"),
      ...EXEC,
      ...show,
    ]);
    expect(stdout.trim()).toBe("READY=1 0");
  });

  test("finds doors and threshold of its rule by the daemon", async () => {
    const config =
      '[[agent]]\nname = "backup"\nmatch = { comm = "none" }\nthreshold = "7s"\n' +
      '[[agent]]\nname = "nightly"\nmatch = { comm = "nightly-job-lon" }\nthreshold = "9s"\n';
    await using daemon = await DaemonProcess.start({ config, metrics: false });
    const control = `VARTA_CONTROL=${daemon.path("control.sock")}`;
    const show = ["--", "sh", "-c", "echo $VARTA_SOCKET $WATCHDOG_USEC"];
    const run = (...args: string[]) =>
      runCommand(["env", control, ...PROGRAM, "exec", ...args, ...show]);
    expect((await run("--name", "backup")).stdout).toBe(`${daemon.socket} 7000000\n`);
    expect((await run()).stdout).toBe(`${daemon.socket} 5000000\n`);

    // Of the rule that takes the command, which this process is not yet.
    using directory = new TemporaryDirectory();
    const job = directory.at("nightly-job-longer");
    writeFileSync(job, "#!/bin/sh\necho $WATCHDOG_USEC\n", { mode: 0o755 });
    const asJob = await runCommand(["env", control, ...PROGRAM, "exec", "--", job]);
    expect(asJob.stdout).toBe("9000000\n");
    // No rule takes sh.
    expect((await run("--name", "other-name")).stdout).toBe(`${daemon.socket} 5000000\n`);

    daemon.signal("SIGSTOP");
    const { stdout, stderr } = await run();
    daemon.signal("SIGCONT");
    expect(stdout).toBe("5000000\n");
    expect(stderr).toContain(`(pid ${daemon.pid}) did not answer within 1s`);
  });

  test("names all three doors, and takes NOTIFY_SOCKET away with one hint where none is", async () => {
    const show = [
      "--",
      "sh",
      "-c",
      "echo $VARTA_SOCKET $VARTA_STREAM $VARTA_NOTIFY $NOTIFY_SOCKET",
    ];
    const doorsOf = async (kinds: readonly string[]) => {
      using directory = new TemporaryDirectory();
      const listeners = kinds.map((kind) => listenerAt(kind, directory.at(`${kind}.sock`)));
      const { path } = directory;
      await using daemon = await DaemonProcess.start({
        directory: path,
        config: listeners.join(""),
        ownListeners: true,
        metrics: false,
      });
      const env = [`VARTA_CONTROL=${daemon.path("control.sock")}`, "NOTIFY_SOCKET=@nobody"];
      const { stdout, stderr } = await runCommand(["env", ...env, ...PROGRAM, "exec", ...show]);
      return { found: stdout.trim().replaceAll(`${path}/`, ""), hints: stderr.split("hint: ") };
    };
    const all = await doorsOf(["unix", "unix-stream", "notify"]);
    expect(all.found).toBe("unix.sock unix-stream.sock notify.sock notify.sock");
    expect(all.hints).toHaveLength(1);
    const notifyAlone = await doorsOf(["notify"]);
    expect(notifyAlone.found).toBe("notify.sock notify.sock");
    const stream = await doorsOf(["unix-stream"]);
    expect(stream.found).toBe("unix-stream.sock");
    expect(stream.hints).toHaveLength(2);
    expect(stream.hints[1]).toStartWith(
      'no [[listener]] has kind = "notify": what speaks sd_notify does not beat\n',
    );
  });
});

function listenerAt(kind: string, path: string): string {
  return `[[listener]]\nname = "${kind}"\nkind = "${kind}"\npath = "${path}"\n`;
}
