// A command that runs to its end while other tests go on: Bun.spawnSync() would stop the senders,
// timers and log readers of every concurrent test.

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runCommand(
  argv: readonly string[],
  options: { readonly cwd?: string; readonly stdin?: string } = {},
): Promise<CommandResult> {
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
