// Whether the daemon may have the units of its plans restarted: polkit itself is asked, as systemd
// would ask it.
import {
  check,
  type Finding,
  leftOut,
  NEEDS_CONFIG,
  NEEDS_DAEMON,
  NEEDS_ROOT,
  NOT_ASKED,
} from "../check.ts";
import { restartedUnits } from "../polkit_rule.ts";
import { counted, someOf } from "../words.ts";
import { planName } from "../plans.ts";

const PKCHECK = "pkcheck";
const ANSWER_MS_MAX = 2_000;
/** Each is a process and a question to polkit. */
const QUESTIONS_MAX = 32;
/** Exit statuses of pkcheck(1): allowed, not allowed, and a password would be wanted. */
const ALLOWED = 0;
const REFUSED: readonly number[] = [1, 2];

export const POLKIT = check({
  name: "polkit",
  about: "the units that plans restart against what polkit says",
  gather: ({ config, daemon, isRoot }) => {
    if (config === undefined) return NEEDS_CONFIG;
    const plans = restartedUnits(config, daemon);
    if (plans.length === 0) return NOT_ASKED;
    if (daemon === undefined) return NEEDS_DAEMON;
    if (daemon.uid === 0) return { plans: [], hasPolkit: true };
    if (!isRoot) return NEEDS_ROOT;
    const program = Bun.which(PKCHECK, { PATH: process.env["PATH"] ?? "" });
    const hasPolkit = program !== null;
    const asked = plans.map(({ plan, units }) => {
      const some = units.slice(0, QUESTIONS_MAX);
      const answers = some.map((unit) =>
        program === null ? REFUSED[0]! : askPolkit(program, daemon.pid, unit),
      );
      return { plan, count: some.length, some, answers };
    });
    const isSilent = asked.some(({ answers }) =>
      answers.some((answer) => answer !== ALLOWED && !REFUSED.includes(answer)),
    );
    if (isSilent) return leftOut("an answer of polkit");
    return {
      hasPolkit,
      plans: asked.map(({ plan, count, some, answers }) => ({
        plan,
        count,
        refused: some.filter((_, at) => answers[at] !== ALLOWED),
      })),
    };
  },
  decide: polkitFinding,
});

interface PolkitFacts {
  readonly hasPolkit: boolean;
  readonly plans: readonly {
    readonly plan: string;
    /** Units that were asked about. */
    readonly count: number;
    readonly refused: readonly string[];
  }[];
}

export function polkitFinding({ plans, hasPolkit }: PolkitFacts): Finding | undefined {
  const worst = plans.find(({ refused }) => refused.length > 0);
  if (worst === undefined) return undefined;
  const of =
    worst.count === 1
      ? "its unit"
      : `${worst.refused.length} of its ${counted(worst.count, "unit")}`;
  return {
    severity: "warning",
    found: `${planName(worst.plan)} cannot restart ${of}: ${hasPolkit ? "polkit has no rule" : "there is no polkit"}.`,
    effect: `${someOf(worst.refused)}. A recovery would be refused.`,
    fix: {
      run: [
        ...(hasPolkit ? [] : ["apt-get install polkitd"]),
        "varta-watch doctor --print polkit > /etc/polkit-1/rules.d/50-varta-watch.rules",
      ],
    },
  };
}

/** The exit status of pkcheck; -1 = it gave no answer. */
function askPolkit(program: string, pid: number, unit: string): number {
  const { exitCode } = Bun.spawnSync(
    [
      ...[program, "--action-id", "org.freedesktop.systemd1.manage-units"],
      ...["--process", `${pid}`, "--detail", "unit", unit, "--detail", "verb", "restart"],
    ],
    { stdin: "ignore", stdout: "ignore", stderr: "ignore", timeout: ANSWER_MS_MAX },
  );
  return exitCode ?? -1;
}
