// The examples in docs/client.md are run as they are printed.
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { BoundReceiver } from "./bound_receiver.ts";

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

function block(language: string): string {
  const found = new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "s").exec(page)?.[1];
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
