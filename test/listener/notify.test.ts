// The listener of texts with a real socket and real senders (spec 20 section 1): lengths, the
// kernel's word on the sender, and descriptors that never come in.
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { AF_UNIX, IS_LINUX, SO_PASSRIGHTS, SOCK_DGRAM } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { effectiveUid } from "../../ffi/process.ts";
import { close, getSocketOption, openSocket, sendTo, unixAddress } from "../../ffi/socket.ts";
import { VERDICT_PASS } from "../../src/listener/received_batch.ts";
import { UnixListener } from "../../src/listener/unix.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { HAS_PYTHON } from "./hostile_sender.ts";

setDefaultTimeout(TEST_MS_MAX);

const open: UnixListener[] = [];
afterEach(() => {
  for (const listener of open.splice(0)) listener.close();
});

function listen(directory: TemporaryDirectory): UnixListener {
  const listener = new UnixListener({
    ...{ name: "notify", path: directory.at("n.sock"), mode: 0o600, gid: undefined },
    ...{ rcvbufBytes: 0, allowList: undefined, takesTexts: true },
  });
  open.push(listener);
  return listener;
}

function send(listener: UnixListener, ...texts: readonly string[]): void {
  const fd = check(openSocket(AF_UNIX, SOCK_DGRAM), "socket");
  for (const text of texts) {
    const bytes = new Uint8Array(new ArrayBuffer(text.length));
    new TextEncoder().encodeInto(text, bytes);
    expect(sendTo(fd, bytes, unixAddress(listener.path))).toBe(bytes.length);
  }
  close(fd);
}

/** Length, beginning and sender of each text of one receive. */
function receive(listener: UnixListener): [length: number, text: string, pid: number][] {
  const count = listener.receive(0);
  const { batch } = listener;
  return Array.from({ length: count }, (_, i) => {
    const at = batch.frameWord[i]! * 4;
    const length = batch.textLength![i]!;
    expect(batch.verdict[i]).toBe(VERDICT_PASS);
    expect(batch.peerUid[i]).toBe(effectiveUid());
    const text = Buffer.from(batch.bytes.subarray(at, at + Math.min(length, 20)));
    return [length, text.toString("latin1"), batch.peerPid[i]!];
  });
}

describe.if(IS_LINUX)("the notify listener", () => {
  test("gives texts of every length with their senders, and one more byte than it takes", () => {
    using directory = new TemporaryDirectory();
    const listener = listen(directory);
    const full = "x".repeat(4_096);
    send(listener, "WATCHDOG=1", "", full, `${full}y`, `${full}${full}`);
    expect(receive(listener)).toEqual([
      [10, "WATCHDOG=1", process.pid],
      [0, "", process.pid],
      [4_096, "x".repeat(20), process.pid],
      [4_097, "x".repeat(20), process.pid],
      [4_097, "x".repeat(20), process.pid],
    ]);
    // Each may have a process looked up, and other listeners wait meanwhile.
    expect(listener.batch.countMax).toBe(16);
  });

  test("lets no descriptor in, and its sender is not refused for one", async () => {
    if (!HAS_PYTHON) return;
    using directory = new TemporaryDirectory();
    const listener = listen(directory);
    // Senders would be refused by the kernel, and systemd-notify ends with an error.
    const refuses = getSocketOption(listener.fd, SO_PASSRIGHTS);
    expect(refuses === 1 || refuses < 0).toBe(true);
    const before = openDescriptors();
    const script = `
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
r, w = os.pipe()
fds = array.array("i", [w, w, w]).tobytes()
s.sendmsg([b"BARRIER=1"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)], 0, sys.argv[1])
os.close(w)
sys.exit(0 if os.read(r, 1) == b"" else 1)
`;
    const child = Bun.spawn(["python3", "-c", script, listener.path], { stdout: "ignore" });
    let texts: ReturnType<typeof receive> = [];
    while (texts.length === 0) {
      texts = receive(listener);
      await new Promise(setImmediate);
    }
    expect(texts).toEqual([[9, "BARRIER=1", child.pid]]);
    expect(openedSince(before).filter((one) => one.includes("pipe:"))).toEqual([]);
    expect(await child.exited).toBe(0);
  });
});
