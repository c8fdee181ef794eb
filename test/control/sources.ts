// What requests are answered from in tests that need only a part of it: what is left out is never
// asked for, and a test that asks for it fails.
import type { ControlSources } from "../../src/control/request.ts";

export function sourcesWith(given: Partial<ControlSources>): ControlSources {
  return {
    view: undefined as never,
    host: "mill-2",
    wallMs: () => 0,
    acts: undefined as never,
    beats: undefined as never,
    events: undefined as never,
    explain: () => Promise.reject(new Error("nobody explains here")),
    reload: () => Promise.reject(new Error("nobody reloads here")),
    later: (_ns, wake) => wake(),
    commOf: () => "varta-watch",
    ...given,
  };
}
