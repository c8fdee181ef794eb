// "varta-watch beat" as a shell sees it: a child process, its lines and its exit code.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, chownSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { NS_PER_MS } from "../../src/base/time.ts";
import { beatTarget } from "../../src/cli/beat_target.ts";
import type { SecureKeys } from "../../src/listener/key_ring.ts";
import { VERDICT_PASS } from "../../src/listener/received_batch.ts";
import { SecureUdpListener } from "../../src/listener/secure_udp.ts";
import { decode } from "../../src/wire/decode.ts";
import { BoundReceiver, frameOf } from "../client/bound_receiver.ts";
import { UdpReceiver } from "../client/udp_receiver.ts";
import { receiveRows } from "../listener/udp_peer.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { NO_OTHER_USERS } from "../support/other_users.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const NOBODY = 65_534;
const AS_NOBODY = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];

type Own = Readonly<Record<string, string | number>>;

describe("varta-watch beat", () => {
  test("sends one beat, says so and exits 0", async () => {
    using receiver = new BoundReceiver();
    const { pid, stdout, stderr, exitCode } = await beat({ socket: receiver.path });
    expect(stdout).toBe(`sent nonce 1 pid ${pid} to ${receiver.path}\n`);
    expect(stderr).toBe("");
    expect(exitCode).toBe(0);
    const [received] = receiver.receive();
    expect(received!.pid).toBe(pid);
    expect(frameOf(received!)).toMatchObject({ status: "ok", pid, nonce: 1n, payload: 0 });
  });

  test("sends a series from one pid, with status, payload and interval", async () => {
    using receiver = new BoundReceiver();
    const own = { socket: receiver.path, status: "degraded", payload: 7, count: 3 };
    const { pid, stdout, exitCode } = await beat({ ...own, interval: 20 * NS_PER_MS });
    expect(stdout).toBe(
      [1, 2, 3].map((nonce) => `sent nonce ${nonce} pid ${pid} to ${receiver.path}\n`).join(""),
    );
    expect(exitCode).toBe(0);
    const frames = receiver.frames();
    const rows = frames.map((f) => [f.status, f.pid, f.nonce, f.payload]);
    expect(rows).toEqual([
      ["degraded", pid, 1n, 7],
      ["degraded", pid, 2n, 7],
      ["degraded", pid, 3n, 7],
    ]);
    const apartNs = Number(frames[2]!.timestamp - frames[0]!.timestamp);
    expect(apartNs).toBeGreaterThan(38 * NS_PER_MS);
  });
});

describe("varta-watch beat without an observer", () => {
  test("exits 69 with a question and a remedy where the path is missing", async () => {
    using receiver = new BoundReceiver();
    receiver.end();
    const { pid, stdout, stderr, exitCode } = await beat({ socket: receiver.path });
    expect(stdout).toBe(`not sent nonce 1 pid ${pid} to ${receiver.path}: no_observer\n`);
    expect(stderr).toStartWith(
      `varta-watch: error: cannot send beat to ${receiver.path}: there is no socket at this path: is varta-watch running?\nvarta-watch: hint: `,
    );
    expect(exitCode).toBe(69);
  });

  test("explains a series once and keeps the nonce", async () => {
    using receiver = new BoundReceiver();
    receiver.abandon();
    const own = { socket: receiver.path, count: 2, interval: NS_PER_MS };
    const { pid, stdout, stderr, exitCode } = await beat(own);
    const line = `not sent nonce 1 pid ${pid} to ${receiver.path}: no_observer\n`;
    expect(stdout).toBe(line + line);
    expect(stderr.split("varta-watch: error: ")).toHaveLength(2);
    expect(stderr).toContain(": no process listens there: is varta-watch running?\n");
    expect(exitCode).toBe(69);
  });

  test("says that a plain file is not a socket", async () => {
    using receiver = new BoundReceiver();
    const file = `${receiver.path}.txt`;
    writeFileSync(file, "");
    const { stderr } = await beat({ socket: file });
    expect(stderr).toContain(`error: cannot send beat to ${file}: it is not a socket\n`);
  });
});

describe("varta-watch beat that fails", () => {
  test("exits 1 when some of a series were not taken by a full queue", async () => {
    using receiver = new BoundReceiver();
    const { stdout, stderr, exitCode } = await beat({
      socket: receiver.path,
      count: 2_000,
      interval: 0,
    });
    expect(stdout).toContain("sent nonce 1 ");
    expect(stdout).toContain(": queue_full\n");
    expect(stderr).toContain(
      `error: cannot send beat to ${receiver.path}: the observer's queue is full\n`,
    );
    expect(exitCode).toBe(1);
  });

  test("says what is wrong with a path that cannot be one", async () => {
    const { stderr, exitCode } = await beat({ socket: "x".repeat(200) });
    expect(stderr).toBe(
      "varta-watch: error: cannot send beat: the socket path must be a string of 1..107 bytes without NUL\n",
    );
    expect(exitCode).toBe(1);
  });

  test("says that a stream socket is the wrong one", async () => {
    using receiver = new BoundReceiver();
    const path = `${receiver.path}.stream`;
    using server = Bun.listen({ unix: path, socket: { data() {} } });
    const { stderr, exitCode } = await beat({ socket: server.unix });
    expect(stderr).toContain(`cannot send beat to ${path}: it is a socket of another type\n`);
    expect(exitCode).toBe(1);
  });

  test.skipIf(NO_OTHER_USERS !== "")(
    `names owner, group and mode where permission is denied${NO_OTHER_USERS}`,
    async () => {
      using receiver = new BoundReceiver();
      chmodSync(dirname(receiver.path), 0o755);
      chmodSync(receiver.path, 0o660);
      chownSync(receiver.path, 0, 0);
      const { stderr, exitCode } = await beat({ socket: receiver.path }, AS_NOBODY);
      expect(stderr).toBe(
        `varta-watch: error: cannot send beat to ${receiver.path}: permission denied for uid ${NOBODY}\n` +
          'varta-watch: hint: the socket belongs to root:root with mode 0660: run this as that user or group, or set "mode" and "group" of the [[listener]] in varta.toml\n',
      );
      expect(exitCode).toBe(1);

      chmodSync(dirname(receiver.path), 0o700);
      const shut = await beat({ socket: receiver.path }, AS_NOBODY);
      expect(shut.stderr).toContain("hint: a directory on the way to it may not be entered");
    },
  );
});

describe("varta-watch beat --udp", () => {
  test("sends a series by UDP, plain, with the words of the others", async () => {
    using receiver = new UdpReceiver();
    const udp = `127.0.0.1:${receiver.port}`;
    const { pid, stdout, stderr, exitCode } = await beat({ udp, count: 2, interval: NS_PER_MS });
    expect(stdout).toBe(`sent nonce 1 pid ${pid} to ${udp}\nsent nonce 2 pid ${pid} to ${udp}\n`);
    expect(stderr).toBe("");
    expect(exitCode).toBe(0);
    expect(receiver.receive(2).map((bytes) => bytes.length)).toEqual([32, 32]);
  });

  test("seals with a shared key, or with the key that the master key gives its pid", async () => {
    using directory = new TemporaryDirectory();
    const file = directory.at("key");
    writeFileSync(file, `${"0f".repeat(32)}\n`, { mode: 0o600 });
    const key = new Uint8Array(32).fill(0x0f);
    for (const [option, keys] of [
      ["key-file", { shared: [key.slice()], master: undefined }],
      ["master-key-file", { shared: [], master: key.slice() }],
    ] as const) {
      const listener = secureListener(keys);
      const { pid, exitCode } = await beat({ udp: `127.0.0.1:${listener.port}`, [option]: file });
      expect(exitCode).toBe(0);
      const [row] = receiveRows(listener, 1);
      listener.close();
      expect(row!.verdict).toBe(VERDICT_PASS);
      expect(decode(Uint8Array.fromHex(row!.frame))).toMatchObject({ frame: { pid, nonce: 1n } });
    }
  });

  test("says that the port is closed as soon as the machine does", async () => {
    using receiver = new UdpReceiver("::1");
    receiver.end();
    const udp = `[::1]:${receiver.port}`;
    const { pid, stdout, stderr, exitCode } = await beat({ udp, count: 2, interval: NS_PER_MS });
    expect(stdout).toBe(
      `sent nonce 1 pid ${pid} to ${udp}\nnot sent nonce 2 pid ${pid} to ${udp}: no_observer\n`,
    );
    expect(stderr).toStartWith(
      `varta-watch: error: cannot send beat to ${udp}: the port is closed (the answer to an earlier beat)\nvarta-watch: hint: on that machine: varta-watch check --print\n`,
    );
    expect(exitCode).toBe(1);
  });

  test("names the system's reason with the address", async () => {
    const { stderr, exitCode } = await beat({ udp: "255.255.255.255:9" });
    expect(stderr).toBe(
      "varta-watch: error: cannot send beat: EACCES (permission denied) (to 255.255.255.255:9)\n",
    );
    expect(exitCode).toBe(1);
  });
});

describe("beatTarget()", () => {
  test("refuses options that do not go together, and addresses that are none, with exit 64", () => {
    const wrong: [Own, string][] = [
      [{ udp: "127.0.0.1:1", socket: "/s" }, "found --socket and --udp; want one of them"],
      [{ "key-file": "k" }, "found --key-file without --udp; want --udp IP:PORT beside it"],
      [
        { "master-key-file": "k", socket: "/s" },
        "found --master-key-file without --udp; want --udp IP:PORT beside it",
      ],
      [
        { udp: "127.0.0.1:1", "key-file": "k", "master-key-file": "k" },
        "found --key-file and --master-key-file; want one of them",
      ],
      ...["localhost:7878", "127.0.0.1", "127.0.0.1:0", "::1:7878", "unix:/s", "1.2.3.4:65536"].map(
        (udp): [Own, string] => [
          { udp },
          `found "${udp}" after --udp; want an IP address and a port, such as 192.0.2.10:7878 or [2001:db8::10]:7878`,
        ],
      ),
    ];
    for (const [own, error] of wrong) expect(target(own)).toMatchObject({ error, exit: 64 });
  });

  test("judges a key file as the daemon does, and exits 78", () => {
    using directory = new TemporaryDirectory();
    const file = directory.at("key");
    const own = { udp: "127.0.0.1:7878", "key-file": file };
    const problem = (found: string) =>
      expect(target(own)).toMatchObject({ error: `cannot read the key: ${found}`, exit: 78 });
    problem(`found ${file}, which does not exist; want a regular file that the daemon can read`);
    writeFileSync(file, "0".repeat(63), { mode: 0o600 });
    problem(`${file} has 63 characters; want exactly 64 hex digits`);
    chmodSync(file, 0o640);
    problem(`found ${file} with mode 0640; want mode 0600 or stricter`);
  });

  test.skipIf(process.geteuid!() !== 0)("root reads a key file of another user", () => {
    using directory = new TemporaryDirectory();
    const file = directory.at("key");
    writeFileSync(file, "00".repeat(32), { mode: 0o600 });
    chownSync(file, NOBODY, NOBODY);
    const found = target({ udp: "127.0.0.1:7878", "key-file": file });
    expect(found.ok).toBe(true);
    if (found.ok) found.client.close();
  });
});

function target(own: Own) {
  const values = new Map(Object.entries(own));
  return beatTarget({
    configFile: undefined,
    given: [],
    own: values,
    operands: [],
  });
}

function secureListener(keys: SecureKeys): SecureUdpListener {
  return new SecureUdpListener({
    name: "edge",
    address: "127.0.0.1",
    port: 0,
    rcvbufBytes: 0,
    acceptRecovery: false,
    restartGapNs: 5e9,
    monotonicNs: () => 0,
    keys,
  });
}

async function beat(own: Own, prefix: readonly string[] = []) {
  const script = `
    import { run } from "${import.meta.dir}/../../src/cli/beat.ts";
    const own = new Map(Object.entries(JSON.parse(process.argv[1])));
    process.exitCode = await run({ command: "beat", configFile: undefined, given: [], own, operands: [] });`;
  const child = Bun.spawn([...prefix, process.execPath, "-e", script, JSON.stringify(own)], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { pid: child.pid, stdout, stderr, exitCode: await child.exited };
}
