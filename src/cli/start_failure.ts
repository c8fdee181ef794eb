// What keeps the daemon from starting, told in the form that its log was to have: whoever collects JSON lines gets these
// too. In logfmt it is the text for people that every command has, for only a person reads a start that failed there.
import type { LogFormat } from "../config/config.ts";
import type { Problem } from "../config/load_result.ts";
import { problemsText } from "../config/render.ts";
import { Log } from "../daemon/log.ts";
import { SESSION_ID } from "../daemon/session.ts";
import { diagnosticLines, errorLine, hintLine } from "./output.ts";

/** The problems of a configuration, or of a command line, as lines. */
export function problemsReport(
  problems: readonly Problem[],
  exitCode: number,
  format: LogFormat,
): string {
  if (format === "logfmt") return diagnosticLines(problemsText(problems));
  return jsonLines((log) => {
    for (const { source, line, column, key, where, text } of problems) {
      log.error("configuration refused", { file: source, line, column, key, where, problem: text });
    }
    log.error("not started", { problems: problems.length, exit_code: exitCode });
  });
}

/** A fault of the world and its cure, "" = none, as lines. */
export function faultReport(message: string, hint: string, format: LogFormat): string {
  if (format === "logfmt") return errorLine(message) + (hint === "" ? "" : hintLine(hint));
  return jsonLines((log) => log.error(message, hint === "" ? {} : { hint }));
}

function jsonLines(tell: (log: Log) => void): string {
  let lines = "";
  const log = new Log({
    level: "error",
    format: "json",
    write: (line) => {
      lines += line;
    },
    wallMs: Date.now,
    monotonicNs: () => 0,
    journal: false,
    sessionId: SESSION_ID,
  });
  tell(log);
  return lines;
}
