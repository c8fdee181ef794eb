// Agents that end as a test says, each a process of its own.
import { join } from "node:path";

const AGENT = join(import.meta.dir, "mortal_agent.ts");

export interface MortalAgent {
  readonly pid: number;
  exit(status: number): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  readonly exited: Promise<number>;
}

export class MortalAgents implements AsyncDisposable {
  readonly #socket: string;
  readonly #all: Bun.Subprocess<"pipe", "pipe", "inherit">[] = [];

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** Resolves when it has beaten. `runtime` is another name of the program that runs it. */
  async start(runtime = process.execPath): Promise<MortalAgent> {
    const child = Bun.spawn([runtime, AGENT, this.#socket], {
      stdin: "pipe",
      stdout: "pipe",
    });
    this.#all.push(child);
    await child.stdout.getReader().read();
    return {
      pid: child.pid,
      exited: child.exited,
      kill: (signal) => child.kill(signal),
      exit: async (status) => {
        child.stdin.write(`exit ${status}\n`);
        await child.stdin.flush();
        await child.exited;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#all) child.kill("SIGKILL");
    await Promise.all(this.#all.map(({ exited }) => exited));
  }
}
