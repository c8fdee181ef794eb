// The clients for Go and Java. Their drivers are compiled first, which takes seconds: only the slow
// tests have them.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import type { Language } from "./driver.ts";
import { runProgram } from "./run_program.ts";

const DRIVERS = join(import.meta.dir, "drivers");
const JAVA_CLIENT = join(import.meta.dir, "../../clients/java/VartaWatch.java");
const NEITHER_FORKS = { forks: false, threads: true, blocks: true } as const;

const made = new TemporaryDirectory();
process.once("exit", () => made[Symbol.dispose]());

/** With the race detector of Go: a beat that reads what another thread writes ends the driver. */
export async function goLanguage(): Promise<Language> {
  const go = Bun.which("go");
  const program = made.at("go-driver");
  if (go !== null)
    await runProgram([go, "build", "-race", "-o", program, "."], {
      cwd: join(DRIVERS, "go"),
      env: goEnvironment(),
    });
  const argv = go === null ? undefined : [program];
  return { name: "Go", argv, doors: ["unix", "unix-stream", "udp"], ...NEITHER_FORKS, death: 2 };
}

export async function javaLanguage(): Promise<Language> {
  const [java, compiler] = [Bun.which("java"), Bun.which("javac")];
  const isHere = java !== null && compiler !== null;
  const classes = made.at("classes");
  mkdirSync(classes);
  if (isHere) {
    const sources = [JAVA_CLIENT, join(DRIVERS, "Driver.java")];
    const strict = ["--release", "17", "-Xlint:all", "-Werror"];
    await runProgram([compiler, ...strict, "-d", classes, ...sources]);
  }
  // One compiler of the virtual machine is enough for a beat, and leaves the core to others.
  const argv = isHere ? [java, "-XX:TieredStopAtLevel=1", "-cp", classes, "Driver"] : undefined;
  return { name: "Java", argv, doors: ["unix-stream", "udp"], ...NEITHER_FORKS, death: 1 };
}

/** Nothing is fetched, and what is built is kept beside the tests. */
export function goEnvironment(): Record<string, string> {
  return {
    GOPROXY: "off",
    GOFLAGS: "-mod=mod",
    GOCACHE: made.at("go-cache"),
    GOTOOLCHAIN: "local",
  };
}
