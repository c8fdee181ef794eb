import { describe, expect, test } from "bun:test";
import { RELOAD } from "../../../src/control/requests/reload.ts";
import type { ReloadResult } from "../../../src/view/reload_view.ts";
import { sourcesWith } from "../sources.ts";

const RESULT: ReloadResult = {
  v: 1,
  time: "2026-11-28T02:14:02.000Z",
  file: "/etc/varta/varta.toml",
  took_ms: 3,
  pause_ms: 0.4,
  applied: true,
  dry_run: false,
  changes: [{ where: "limits", key: "global_rate", how: "7 -> 8", effect: "" }],
  problems: [],
};
const PEER = { pid: 4711, uid: 1000, gid: 1000 };

describe("the request reload", () => {
  test("is an act", () => {
    expect(RELOAD.right).toBe("act");
  });

  test.each([false, true])(
    "says at once that it has begun, and what came of it when it is over (dry_run %p)",
    async (isDry) => {
      const asked: unknown[] = [];
      const over = Promise.withResolvers<ReloadResult>();
      let woken = 0;
      const sources = sourcesWith({
        reload: (...given) => {
          asked.push(given);
          return over.promise;
        },
      });
      const args = isDry ? new Map([["dry_run", true]]) : new Map<string, boolean>();
      const wake = () => {
        woken += 1;
      };
      const pieces = RELOAD.run(args, sources, { peer: PEER, wake });
      expect(asked).toEqual([[isDry, { uid: 1000, pid: 4711, comm: "varta-watch" }]]);
      expect(pieces.next()).toBe('{"v":1,"begun":true}\n');
      expect(pieces.next()).toBeNull();
      over.resolve(RESULT);
      await over.promise;
      await Promise.resolve();
      expect(woken).toBe(1);
      expect(JSON.parse(pieces.next()!)).toEqual(RESULT);
      expect(pieces.next()).toBeUndefined();
    },
  );
});
