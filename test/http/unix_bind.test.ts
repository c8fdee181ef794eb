import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HttpServerOptions } from "../../src/http/http_server.ts";
import { ServerFixture } from "./fixture.ts";

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "varta-http-"));
  path = join(directory, "metrics.sock");
});

afterEach(() => rmSync(directory, { recursive: true }));

function openUnix(changes: Partial<HttpServerOptions> = {}): Promise<ServerFixture> {
  return ServerFixture.open({ listen: { kind: "unix", path }, ...changes });
}

describe("HttpServer on a unix socket", () => {
  test("serves with the wanted mode, without the limiter, and leaves nothing behind", async () => {
    {
      const limits = { socketMode: 0o660, rateLimitPerSec: 1, rateLimitBurst: 1 };
      await using fixture = await openUnix(limits);
      expect(fixture.server.address).toBe(`unix:${path}`);
      expect(lstatSync(path).mode & 0o777).toBe(0o660);
      expect(readdirSync(directory)).toEqual(["metrics.sock"]);
      for (let i = 0; i < 3; i++) {
        const response = await fetch("http://localhost/metrics", { unix: path });
        expect(response.status).toBe(200);
        expect(await response.text()).toContain("varta_watch_uptime_seconds");
      }
    }
    expect(readdirSync(directory)).toEqual([]);
  });

  test("refuses a path that is not a socket, and leaves it alone", async () => {
    writeFileSync(path, "precious");
    await expect(openUnix()).rejects.toThrow("exists and is not a socket");
    expect(lstatSync(path).size).toBe(8);
  });

  test("refuses a path where somebody listens", async () => {
    await using first = await openUnix();
    await expect(openUnix()).rejects.toThrow("another process is listening");
    expect(first.server.closed).toBe(false);
    expect((await fetch("http://localhost/healthz", { unix: path })).status).toBe(200);
  });

  test("takes over a dead socket", async () => {
    await leaveDeadSocket();
    await using fixture = await openUnix();
    expect(fixture.server.closed).toBe(false);
    expect((await fetch("http://localhost/healthz", { unix: path })).status).toBe(200);
  });

  test("does not remove a path that is no longer its own", async () => {
    const fixture = await openUnix();
    rmSync(path);
    writeFileSync(path, "somebody else's");
    await fixture[Symbol.asyncDispose]();
    expect(existsSync(path)).toBe(true);
  });
});

async function leaveDeadSocket(): Promise<void> {
  const made = join(directory, "made");
  const server = Bun.serve({ unix: made, fetch: () => new Response() });
  linkSync(made, path);
  await server.stop(true);
}
