// A command that runs to its end while other tests go on: Bun.spawnSync() would stop the senders,
// timers and log readers of every concurrent test.

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface CommandOptions {
  readonly cwd?: string;
  readonly stdin?: string;
  /** That there is no answer is what the test wants. */
  readonly isAskedOnce?: boolean;
}

const EXIT_NO_ANSWER = 75;
/** What only asks a daemon, and may be asked again. */
const QUESTIONS = ["status", "explain", "events"];
const ATTEMPTS_MAX = 3;

/**
 * A command that asks a daemon gives up after 2 s, which on a busy machine says nothing of either:
 * a question is asked again.
 */
export async function runCommand(
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const isQuestion = !options.isAskedOnce && QUESTIONS.some((name) => argv.includes(name));
  for (let left = isQuestion ? ATTEMPTS_MAX - 1 : 0; ; left--) {
    const result = await runOnce(argv, options);
    if (result.exitCode !== EXIT_NO_ANSWER || left === 0) return result;
  }
}

async function runOnce(argv: readonly string[], options: CommandOptions): Promise<CommandResult> {
  const { cwd, stdin = "" } = options;
  const child = Bun.spawn([...argv], {
    ...(cwd !== undefined && { cwd }),
    stdin: Buffer.from(stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { exitCode, stdout, stderr };
}
