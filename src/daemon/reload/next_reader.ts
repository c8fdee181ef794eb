// Has the file read, checked and compared by a process of its own, so that the loop goes on
// meanwhile: it costs the daemon the start of a process, and the reading of its answer. Neither a
// file system that hangs nor a file that takes long to check delays a beat. The process is this
// program as it runs, also after its file was replaced by another version.
import { deserialize, serialize } from "bun:jsc";
import { withInherited } from "../../../ffi/inherited.ts";
import { errnoText } from "../../../ffi/errno.ts";
import { REVISION, VERSION } from "../../base/build_info.ts";
import type { Config } from "../../config/config.ts";
import type { GivenOption } from "../../config/load_result.ts";
import { descriptorShortage, type ProcessRunner } from "../../recovery/children/child_runner.ts";
import { withoutListenVariables } from "../../systemd/passed_descriptors.ts";
import { errorText } from "../start_error.ts";
import { type NextResult, notApplied } from "./next_config.ts";

/** What the daemon was started with. */
export interface StartedWith {
  readonly configFile: string;
  readonly given: readonly GivenOption[];
}

/** What the process is asked. */
interface NextQuestion extends StartedWith {
  readonly before: Config;
}

/** Does `work`, which keeps the loop from everything else for as long as it takes. */
export type Busy = <Result>(work: () => Result) => Result;

/** A reading that has begun. */
export interface Reading {
  /** Never rejects. */
  readonly result: Promise<NextResult>;
  /** Nobody waits for it any more. */
  cancel(): void;
}

interface NextReaderOptions extends StartedWith {
  /** Starts the process that answers. */
  readonly argv: readonly string[];
  readonly runner: Pick<ProcessRunner, "mind">;
}

/** Its three streams, the other ends of two of them, and the one by which it is waited for. */
const READING_DESCRIPTORS = 6;
/** Of another build, a configuration would be another thing. */
const BUILD = `${VERSION} ${REVISION}`;

export class NextReader {
  readonly #options: NextReaderOptions;

  constructor(options: NextReaderOptions) {
    this.#options = options;
  }

  /** How the file differs from `before`. */
  read(before: Config, busy: Busy): Reading {
    const { argv, runner, configFile, given } = this.#options;
    const shortage = descriptorShortage(READING_DESCRIPTORS);
    if (shortage !== 0) return failed(errnoText(shortage));
    let child: Child;
    try {
      child = withInherited(undefined, () =>
        // It begins a session itself: in one of its own from the start it would be scheduled beside
        // the daemon, which then waits for it for a slice of the processor, 1 to 5 ms.
        Bun.spawn([...argv], {
          env: withoutListenVariables(process.env),
          stdin: "pipe",
          stdout: "pipe",
          stderr: "ignore",
        }),
      );
    } catch (error) {
      return failed(errorText(error));
    }
    runner.mind(child);
    void ask(child, { configFile, given, before });
    return { result: answerOf(child, busy), cancel: () => child.kill("SIGKILL") };
  }
}

type Child = Bun.Subprocess<"pipe", "pipe", "ignore">;

/** By a pipe: bytes that are given to the runtime as a whole stay in a file of the memory. */
async function ask({ stdin }: Child, question: NextQuestion): Promise<void> {
  try {
    await stdin.write(new Uint8Array(serialize(question)));
    await stdin.end();
  } catch {
    // One that ends before it has read all says so by having no answer.
  }
}

async function answerOf(child: Child, busy: Busy): Promise<NextResult> {
  try {
    const bytes = await new Response(child.stdout).arrayBuffer();
    await child.exited;
    if (bytes.byteLength === 0) {
      const how = child.signalCode ?? `exit status ${child.exitCode}`;
      return notRead(`the process that reads it ended with ${how}`);
    }
    const { build, result } = busy(() => deserialize(bytes) as Answered);
    return build === BUILD ? result : notRead("the program on disk is another version");
  } catch (error) {
    return notRead(errorText(error));
  }
}

interface Answered {
  readonly build: string;
  readonly result: NextResult;
}

/** The other end: what the process reads, and what it answers. */
export function questionOf(bytes: ArrayBuffer): NextQuestion {
  return deserialize(bytes) as NextQuestion;
}

export function answerBytes(result: NextResult): Uint8Array {
  return new Uint8Array(serialize({ build: BUILD, result } satisfies Answered));
}

function failed(why: string): Reading {
  return { result: Promise.resolve(notRead(why)), cancel: () => {} };
}

function notRead(why: string): NextResult {
  return notApplied(`cannot read the configuration: ${why}`);
}
