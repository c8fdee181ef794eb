// What a request answers, made in pieces as the server does.
import type { Arguments, ControlSources, Request } from "../../../src/control/request.ts";

export interface Made {
  readonly text: string;
  readonly pieces: number;
  /** The longest time that one piece took. */
  readonly longestMs: number;
}

export function madeBy(
  request: Request,
  args: Readonly<Record<string, string | boolean>>,
  sources: ControlSources,
): Made {
  const given: Arguments = new Map(Object.entries(args));
  const answer = request.run(given, sources, { peer: undefined, wake: () => {} });
  let text = "";
  let pieces = 0;
  let longestMs = 0;
  for (;;) {
    const beganMs = performance.now();
    const piece = answer.next();
    longestMs = Math.max(longestMs, performance.now() - beganMs);
    if (piece === undefined) return { text, pieces, longestMs };
    text += piece ?? "";
    pieces += 1;
  }
}
