// The load generator as a child process: real agents, whose pids the kernel attests.

export interface LoadOptions {
  readonly agents: number;
  /** Beats per second over all agents; 0 = as fast as they are taken. */
  readonly rate: number;
  readonly seconds: number;
  /** Beats per system call of the generator: how many agents beat at the same moment. */
  readonly burst: number;
  /** Names of their programs, "agent-0" and so on; default: all run the generator. */
  readonly names?: number;
  /** Of a load of streams: processes that flood beside it, by a connection each. */
  readonly floods?: number;
}

export interface LoadDone {
  readonly sent: number;
  /** Times that a sender found the queue full and waited. */
  readonly refused: number;
}

/** A generator whose agents live, ready to go. Disposing it ends it and its agents. */
export interface Load extends AsyncDisposable {
  run(): Promise<LoadDone>;
}

export async function prepareLoad(
  program: string,
  socket: string,
  options: LoadOptions,
): Promise<Load> {
  const { agents, rate, seconds, burst, names, floods } = options;
  const numbers = [agents, rate, seconds, burst, floods ?? names ?? 0].map(String);
  const child = Bun.spawn([program, socket, ...numbers], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const lines = linesOf(child.stdout);
  if ((await lines.next()).value !== "ready") throw new Error("Cannot start the load generator");
  return {
    run: async () => {
      child.stdin.write("go\n");
      child.stdin.flush();
      const words = String((await lines.next()).value).split(" ");
      return { sent: Number(words[1]), refused: Number(words[3]) };
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** One whole run. */
export async function runLoad(
  program: string,
  socket: string,
  options: LoadOptions,
): Promise<LoadDone> {
  await using load = await prepareLoad(program, socket, options);
  return await load.run();
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      yield text.slice(0, end);
      text = text.slice(end + 1);
    }
  }
}
