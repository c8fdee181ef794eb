// `doctor`: what was found, the worst first, each with what comes of it and the command that helps.
import { type Finding, type Result, SEVERITIES, type Severity } from "../../doctor/check.ts";
import { findingsOf } from "../../doctor/checks.ts";
import { foldLines, linesText, printable, widthOf } from "./cells.ts";
import { plural } from "./figures.ts";
import { painted } from "./paint.ts";
import type { Screen } from "./screen.ts";

const INDENT = 9;
const FIX = "fix: ";
/** What a shell reads on in the next line after. */
const GOES_ON = " \\";

const TONES = { fault: "red", warning: "yellow", advice: "cyan" } as const;

interface DoctorView {
  readonly host: string;
  readonly results: readonly Result[];
}

export function doctorScreen({ host, results }: DoctorView, screen: Screen): string {
  const asked = results.filter(({ result }) => result !== "not_asked");
  const findings = findingsOf(results).map(printable);
  const counts = SEVERITIES.flatMap((severity) => countText(severity, findings));
  const what = counts.length === 0 ? "nothing to do" : counts.join(", ");
  const head = `${printable(host)}: ${plural(asked.length, "check")}, ${what}.`;
  const left = leftOutLines(results);
  return linesText([
    ...foldLines(head, screen.width, 4),
    ...findings.flatMap((finding) => ["", ...findingLines(finding, screen)]),
    ...(left.length === 0 ? [] : ["", ...left.flatMap((line) => foldLines(line, screen.width, 4))]),
  ]);
}

function countText(severity: Severity, findings: readonly Finding[]): string[] {
  const count = findings.filter((one) => one.severity === severity).length;
  if (count === 0) return [];
  if (severity === "advice") return [plural(count, "piece of advice", "pieces of advice")];
  return [plural(count, severity)];
}

function findingLines({ severity, found, effect, fix }: Finding, screen: Screen): string[] {
  const { width, colour } = screen;
  const indent = " ".repeat(INDENT);
  const [first = "", ...rest] = foldLines(severity.padEnd(INDENT) + found, width, INDENT);
  const start = indent + FIX;
  const fixes =
    "words" in fix
      ? foldLines(start + fix.words, width, start.length)
      : fix.run.flatMap((line, at) =>
          commandLines((at === 0 ? start : " ".repeat(start.length)) + line, width, start.length),
        );
  return [
    first.replace(severity, painted(severity, TONES[severity], colour)),
    ...rest,
    ...foldLines(indent + effect, width, INDENT),
    ...fixes,
  ];
}

/**
 * Each but the last ends so that the lines can be pasted as they are: no word and nothing in quotes
 * is broken, so a line may be wider than the terminal, which breaks it by itself.
 */
function commandLines(line: string, width: number, indent: number): string[] {
  const words = shellWords(line);
  // A quote in a name ends one that the pattern does not follow: then it stays one line.
  if (widthOf(line) <= width || words.join("") !== line) return [line];
  const lines: string[] = [];
  let current = "";
  for (const word of words) {
    const isFirst = current.trim() === "";
    if (!isFirst && widthOf(current + word) > width - GOES_ON.length) {
      lines.push(current + GOES_ON);
      current = " ".repeat(indent) + word.trimStart();
    } else current += word;
  }
  return [...lines, current];
}

/** With the spaces before each; quotes as the fixes have them, never nested. */
function shellWords(line: string): string[] {
  return line.match(/ *(?:'[^']*'|"[^"]*"|[^ '"])+/g) ?? [];
}

function leftOutLines(results: readonly Result[]): string[] {
  const byNeed = new Map<string, string[]>();
  for (const one of results) {
    if (one.result !== "left_out") continue;
    byNeed.set(one.needs, [...(byNeed.get(one.needs) ?? []), one.check.replaceAll("_", " ")]);
  }
  return [...byNeed].map(([needs, names]) => {
    const [were, need] = names.length === 1 ? ["was", "it needs"] : ["were", "they need"];
    return `${plural(names.length, "check")} ${were} left out: ${need} ${needs} (${names.join(", ")}).`;
  });
}
