// The lines of the export that a turn must have, in their order, from what the model tells of it
// (spec 09): each row but beats, each stall, each return with its whole silence, each decision and
// each end of a recovery, each member that was removed.
import type { ModelStall } from "./model_rows.ts";

const ROW = /^(\w+) \d+ @([\d.]+)(?: pid (\d+))?.*?(?: resumed (\d))?$/;
const WORDS: Readonly<Record<string, string>> = {
  decode: "decode",
  auth: "mismatch",
  origin: "mismatch",
  namespace: "mismatch",
  io: "io",
  ctrl: "ctrunc",
};
const OUTCOMES: readonly (readonly [RegExp, string])[] = [
  [/^refused (\d+) @([\d.]+) (\w+)$/, "refused $3"],
  [/^spawn (\d+) @([\d.]+) child (\d+)$/, "spawned child $3"],
  [
    /^complete (\d+) @([\d.]+) child (\d+) (\w+) code (\w+) signal (\w+) .*$/,
    "$4 child $3 code $5 signal $6",
  ],
];

export class ExportModel {
  lines: string[] = [];
  /** By pid: the last beat before the silence of its last stall. */
  readonly #silentSinceNs = new Map<number, number>();

  beginTurn(): void {
    this.lines = [];
  }

  row(text: string): void {
    const [, kind, atNs, pid, resumed] = ROW.exec(text)!;
    if (kind !== "beat") this.lines.push(`${WORDS[kind!]} ${pid ?? "-"} @${whole(atNs!)}`);
    else if (resumed === "1") {
      const silenceMs = whole((Number(atNs) - this.#silentSinceNs.get(Number(pid))!) / 1e6);
      this.lines.push(`resume ${pid} @${whole(atNs!)} after ${silenceMs}`);
    }
  }

  stall({ pid, observerNs, lastNs, thresholdNs }: ModelStall): void {
    this.#silentSinceNs.set(pid, lastNs);
    const after = `after ${whole((observerNs - lastNs) / 1e6)} of ${whole(thresholdNs / 1e6)}`;
    this.lines.push(`stall ${pid} @${whole(observerNs)} ${after}`);
  }

  /** What is put off, or only logged, has no line. */
  outcome(text: string): void {
    for (const [form, words] of OUTCOMES)
      if (form.test(text))
        this.lines.push(
          text.replace(form, (...parts: string[]) => {
            const said = words.replace(/\$(\d)/g, (_, index: string) => parts[Number(index)]!);
            return `recovery ${parts[1]} @${whole(parts[2]!)} ${said}`;
          }),
        );
  }

  removed(pid: number, nowNs: number): void {
    this.lines.push(`eviction ${pid} @${whole(nowNs)}`);
  }
}

function whole(value: string | number): number {
  return Math.floor(Number(value));
}
