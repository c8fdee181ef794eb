// One parsed command line: what the `run` of its command receives. Built only by arguments.ts;
// every value in it has already been checked against the option's own type and range (spec 07
// section 3).
import type { GivenOption } from "../config/load_result.ts";

export interface Invocation {
  /** `--config FILE`; undefined = not given. */
  readonly configFile: string | undefined;
  /** Options that set configuration keys, in the order given, for loadConfig(). */
  readonly given: readonly GivenOption[];
  /**
   * The command's own options by long name without dashes; the last occurrence wins. Durations are
   * nanoseconds.
   */
  readonly own: ReadonlyMap<string, string | number | boolean>;
  /** Positional words after the command. */
  readonly operands: readonly string[];
}

/** What every command module exports; the number is the exit code. */
export type RunCommand = (invocation: Invocation) => Promise<number>;

export function ownText(invocation: Invocation, name: string): string | undefined {
  const value = invocation.own.get(name);
  return typeof value === "string" ? value : undefined;
}

export function ownNumber(invocation: Invocation, name: string): number | undefined {
  const value = invocation.own.get(name);
  return typeof value === "number" ? value : undefined;
}

export function ownFlag(invocation: Invocation, name: string): boolean {
  return invocation.own.get(name) === true;
}
