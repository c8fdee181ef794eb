// What keeps the daemon from starting, in the form that was chosen for its log: a collector of
// lines of one form gets these in it, too. Where none was chosen it is the text for people that
// every command has.
import type { LogFormat } from "../config/config.ts";
import type { Problem } from "../config/load_result.ts";
import { problemsText } from "../config/problems/render.ts";
import { Log } from "../daemon/log.ts";
import { SESSION_ID } from "../daemon/session.ts";
import { stderrIsJournal } from "../daemon/system_checks.ts";
import { diagnosticLines, errorLine, hintLine } from "./output.ts";

/** The problems of a configuration, or of a command line, as lines. */
export function problemsReport(
  problems: readonly Problem[],
  exitCode: number,
  format: LogFormat | undefined,
): string {
  if (format === undefined) return diagnosticLines(problemsText(problems));
  return logLines(format, (log) => {
    for (const { source, line, column, key, where, text } of problems) {
      log.error("configuration refused", { file: source, line, column, key, where, problem: text });
    }
    log.error("not started", { problems: problems.length, exit_code: exitCode });
  });
}

/** A fault of the world and its cure, "" = none, as lines. */
export function faultReport(message: string, hint: string, format: LogFormat | undefined): string {
  if (format === undefined) return errorLine(message) + (hint === "" ? "" : hintLine(hint));
  return logLines(format, (log) =>
    log.error("not started", { reason: message, hint: hint || undefined }),
  );
}

function logLines(format: LogFormat, tell: (log: Log) => void): string {
  let lines = "";
  const log = new Log({
    level: "error",
    format,
    write: (line) => {
      lines += line;
    },
    wallMs: Date.now,
    monotonicNs: () => 0,
    journal: stderrIsJournal(process.env["JOURNAL_STREAM"]),
    sessionId: SESSION_ID,
  });
  tell(log);
  return lines;
}
