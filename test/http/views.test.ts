import { describe, expect, test } from "bun:test";
import { wholePiece } from "../../src/base/pieces.ts";
import { laterPieces } from "../../src/control/later_pieces.ts";
import type { HttpView } from "../../src/http/view_queue.ts";
import { ServerFixture } from "./fixture.ts";

const TOKEN = Uint8Array.from({ length: 32 }, () => 0x11);
const BEARER = { authorization: `Bearer ${"11".repeat(32)}` };

function view(isGuarded: boolean): HttpView {
  return {
    isGuarded,
    open: (query) =>
      query.get("agent") === "x" ? { problem: "no" } : wholePiece(`{"q":"${query}"}\n`),
  };
}

const VIEWS = new Map([
  ["/v1/status", view(false)],
  ["/v1/members", view(true)],
]);

async function ask(fixture: ServerFixture, path: string, headers: Record<string, string> = {}) {
  const url = `http://${fixture.server.address}${path}`;
  const response = await fetch(url, { headers: { ...headers, connection: "close" } });
  return [response.status, await response.text()];
}

describe("what is known of the agents", () => {
  test("is served with its query, and a wrong query gets 400", async () => {
    await using fixture = await ServerFixture.open({ views: VIEWS });
    expect(await ask(fixture, "/v1/status?agent=a%20b&stalled")).toEqual([
      200,
      '{"q":"agent=a+b&stalled="}\n',
    ]);
    expect(await ask(fixture, "/v1/status?agent=x")).toEqual([400, "no\n"]);
    expect((await ask(fixture, "/v1/other"))[0]).toBe(404);
  });

  test("is status alone without a token, on an address that all of the machine can reach", async () => {
    await using fixture = await ServerFixture.open({ views: VIEWS });
    expect(await ask(fixture, "/v1/members")).toEqual([403, "this needs metrics.token_file\n"]);
  });

  test("needs the token where there is one", async () => {
    await using fixture = await ServerFixture.open({ views: VIEWS, token: TOKEN });
    for (const path of VIEWS.keys()) {
      expect((await ask(fixture, path))[0]).toBe(401);
      expect((await ask(fixture, path, BEARER))[0]).toBe(200);
    }
  });

  test("may come later than the turn of its request", async () => {
    const answer = Promise.withResolvers<string>();
    const later = { isGuarded: false, open: () => laterPieces(answer.promise, () => {}) };
    await using fixture = await ServerFixture.open({ views: new Map([["/v1/status", later]]) });
    const asked = ask(fixture, "/v1/status");
    setImmediate(() => answer.resolve("at last\n"));
    expect(await asked).toEqual([200, "at last\n"]);
  });

  test("is made in pieces, and refused where it has no end", async () => {
    const many = { isGuarded: false, open: () => ({ next: () => "x".repeat(1_048_576) }) };
    await using fixture = await ServerFixture.open({ views: new Map([["/v1/status", many]]) });
    expect((await ask(fixture, "/v1/status"))[0]).toBe(503);
  });
});
