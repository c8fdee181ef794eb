// The daemon's log as a test reads it: logfmt lines with their fields, stamped when they arrived.
import { readLogfmt } from "./logfmt.ts";

export interface LogLine {
  /** performance.now() of the test when the line was read. */
  readonly arrivedMs: number;
  readonly msg: string;
  readonly level: string;
  /** Every field as text. */
  readonly fields: ReadonlyMap<string, string>;
}

/**
 * Undefined for a line that is not of the daemon's log; throws an Error for one that is no logfmt.
 */
export function parseLogLine(line: string, arrivedMs: number): LogLine | undefined {
  if (!/^time=\S+ level=/.test(line)) return undefined;
  const fields = readLogfmt(line);
  return { arrivedMs, msg: fields.get("msg") ?? "", level: fields.get("level") ?? "", fields };
}

export function pidOf(line: LogLine): number {
  return Number(line.fields.get("pid"));
}

/** Splits what arrives in chunks into lines; the last one may not be whole. */
export async function eachLine(
  stream: ReadableStream<Uint8Array>,
  take: (line: string, isWhole: boolean) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let part = "";
  for await (const chunk of stream) {
    const lines = (part + decoder.decode(chunk, { stream: true })).split("\n");
    part = lines.pop() ?? "";
    for (const line of lines) take(line, true);
  }
  if (part !== "") take(part, false);
}
