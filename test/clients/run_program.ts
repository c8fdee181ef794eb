// A program of another language, run to its end.

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** What it printed; throws with what it said unless it ends with 0. */
export async function runProgram(
  argv: readonly string[],
  { env = {}, cwd }: RunOptions = {},
): Promise<string> {
  const child = Bun.spawn([...argv], {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [printed, said] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0) throw new Error(`${argv.join(" ")} failed: ${said}${printed}`);
  return printed;
}
