// Whether Prometheus has the rules that tell of a stalled agent.
import { shellWord } from "../../base/shell_word.ts";
import { check, type Finding, NOT_ASKED } from "../check.ts";

const RULES_FILE = "/usr/share/varta-watch/prometheus/varta-watch.rules.yml";
/** The metric that every rule about a stalled agent reads. */
const METRIC = "varta_agent_";
const ANSWER_MS_MAX = 2_000;
const ANSWER_BYTES_MAX = 8 * 1_048_576;

export const ALERTS = check({
  name: "alerts",
  about: "the rules that Prometheus has loaded, where `--prometheus` says where it is",
  gather: async ({ prometheus }) =>
    prometheus === undefined ? NOT_ASKED : { at: hostOf(prometheus), ...(await ask(prometheus)) },
  decide: alertsFinding,
});

interface AlertsFacts extends Answer {
  /** Host and port of Prometheus. */
  readonly at: string;
}

export function alertsFinding({ at, error, isLoaded }: AlertsFacts): Finding | undefined {
  if (isLoaded) return undefined;
  const effect = "It sends no alert about a stalled agent.";
  if (error !== undefined)
    return {
      severity: "warning",
      found: `Prometheus (${at}) does not say which rules it has: ${error}.`,
      effect: "Whether anybody is told of a stalled agent is not known.",
      fix: { run: [`curl -sS ${shellWord(`http://${at}/api/v1/rules`)}`] },
    };
  return {
    severity: "warning",
    found: `Prometheus (${at}) does not load the rules of varta-watch.`,
    effect,
    fix: { words: `name ${RULES_FILE} under rule_files of prometheus.yml` },
  };
}

interface Answer {
  readonly isLoaded: boolean;
  readonly error?: string;
}

async function ask(base: string): Promise<Answer> {
  try {
    const url = new URL("/api/v1/rules?type=alert", base);
    const response = await fetch(url, {
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
      redirect: "error",
    });
    if (!response.ok) return { isLoaded: false, error: `HTTP ${response.status}` };
    const text = await bounded(response);
    return { isLoaded: hasRules(JSON.parse(text)) };
  } catch (error) {
    const { name } = error as Error;
    const isLate = name === "TimeoutError";
    return { isLoaded: false, error: isLate ? "no answer within 2s" : "it cannot be asked" };
  }
}

async function bounded({ body }: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of body ?? []) {
    length += piece.length;
    if (length > ANSWER_BYTES_MAX) throw new RangeError("longer than any list of rules");
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

/** By what a rule reads: its name and its group are anybody's choice. */
function hasRules(answer: unknown): boolean {
  const groups = (answer as { data?: { groups?: unknown } }).data?.groups;
  if (!Array.isArray(groups)) return false;
  return groups.some(({ rules }: { rules?: unknown }) => {
    const list = Array.isArray(rules) ? (rules as { query?: unknown }[]) : [];
    return list.some(({ query }) => typeof query === "string" && query.includes(METRIC));
  });
}

function hostOf(url: string): string {
  return new URL(url).host;
}
