// The examples in docs/client.md are run as they are printed.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { SecureUdpListener } from "../../src/listener/secure_udp.ts";
import { decode } from "../../src/wire/decode.ts";
import { receiveRows } from "../listener/udp_peer.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { BoundReceiver } from "./bound_receiver.ts";

setDefaultTimeout(TEST_MS_MAX);

const ROOT = `${import.meta.dir}/../..`;
const page = readFileSync(`${ROOT}/docs/client.md`, "utf8");
const python = Bun.which("python3");

const THREE_BEATS = [
  ["ok", 1n, 0],
  ["ok", 2n, 1],
  ["ok", 3n, 2],
];

describe("docs/client.md", () => {
  test("has a TypeScript example whose beats arrive", async () => {
    using receiver = new BoundReceiver();
    const source = block("ts").replace("/run/varta/varta.sock", receiver.path);
    // From inside the package its own name resolves, as in a program that depends on it.
    const output = await outputOf([process.execPath, "-e", source]);
    expect(output).toBe("");
    expect(rows(receiver)).toEqual(THREE_BEATS);
  });

  test("has a TypeScript example for the network whose beats arrive", async () => {
    using directory = new TemporaryDirectory();
    const key = new Uint8Array(32).fill(0x3c);
    writeFileSync(directory.at("key"), `${key.toHex()}\n`);
    const listener = new SecureUdpListener({
      name: "edge",
      address: "127.0.0.1",
      port: 0,
      rcvbufBytes: 0,
      acceptRecovery: false,
      restartGapNs: 5e9,
      monotonicNs: () => 0,
      keys: { shared: [key], master: undefined },
    });
    const source = block("ts", "connectSecureUdp")
      .replace("/etc/my-service/varta.key", directory.at("key"))
      .replace("192.0.2.10", "127.0.0.1")
      .replace("7878", String(listener.port));
    expect(await outputOf([process.execPath, "-e", source])).toBe("");
    // The last is a bye ("VC").
    const beats = receiveRows(listener, 4).filter(({ frame }) => frame.startsWith("5641"));
    const decoded = beats.map(({ frame }) => decode(Uint8Array.fromHex(frame)));
    listener.close();
    expect(decoded).toMatchObject(
      THREE_BEATS.map(([status, nonce, payload]) => ({ frame: { status, nonce, payload } })),
    );
  });

  test.skipIf(python === null)(
    "has a Python example whose beats arrive (needs python3)",
    async () => {
      using receiver = new BoundReceiver();
      expect(await outputOf([python!, "-c", block("python"), receiver.path])).toBe("");
      expect(rows(receiver)).toEqual(THREE_BEATS);
    },
  );

  test.skipIf(python === null)(
    "has a Python example that survives the lack of an observer",
    async () => {
      const output = await outputOf([python!, "-c", block("python"), "/nowhere/varta.sock"]);
      expect(output.split("beat not sent:")).toHaveLength(4);
    },
  );
});

/** The first example in `language` that has `word` in it. */
function block(language: string, word = ""): string {
  const blocks = page.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"));
  const found = [...blocks].map(([, source]) => source!).find((source) => source.includes(word));
  if (found === undefined) throw new Error(`no example in ${language}`);
  return found;
}

/** What it printed, stdout and stderr, after it ended well. */
async function outputOf(command: string[]): Promise<string> {
  const child = Bun.spawn(command, { cwd: ROOT, stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  expect(await child.exited).toBe(0);
  return stdout + stderr;
}

function rows(receiver: BoundReceiver): unknown[][] {
  return receiver.frames().map(({ status, nonce, payload }) => [status, nonce, payload]);
}
