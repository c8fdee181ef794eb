// The native programs of the benchmark, compiled when they are needed. Without a C compiler the
// parts that need one are skipped.
import { join } from "node:path";

const SOURCES = join(import.meta.dir, "..", "native");
const OPTIMISED = ["-O2", "-Wall"];

export interface Native {
  readonly flood: string;
  readonly receiver: string;
  readonly streamLoad: string;
  readonly streamReceiver: string;
  readonly twin: string;
  readonly stamp: string;
  readonly compiler: string;
}

/** Compiles into `directory`; a sentence if that is not possible. */
export function compileNative(directory: string): Native | string {
  const compiler = Bun.which("cc") ?? Bun.which("gcc") ?? Bun.which("clang");
  if (compiler === null) return "there is no C compiler (cc, gcc or clang)";
  const flags = process.arch === "x64" ? [...OPTIMISED, "-msse4.2"] : OPTIMISED;
  const native = {
    flood: join(directory, "flood"),
    receiver: join(directory, "receiver"),
    streamLoad: join(directory, "stream_load"),
    streamReceiver: join(directory, "stream_receiver"),
    twin: join(directory, "twin.so"),
    stamp: join(directory, "stamp"),
    compiler: `${compiler} ${flags.join(" ")}`,
  };
  const jobs = [
    [...flags, "-o", native.flood, join(SOURCES, "flood.c")],
    [...flags, "-o", native.receiver, join(SOURCES, "receiver.c")],
    [...flags, "-o", native.streamLoad, join(SOURCES, "stream_load.c")],
    [...flags, "-o", native.streamReceiver, join(SOURCES, "stream_receiver.c")],
    // Static, so that what is timed is the daemon and not the loader of libraries.
    [...flags, "-static", "-o", native.stamp, join(SOURCES, "stamp.c")],
    [...flags, "-shared", "-fPIC", "-o", native.twin, join(SOURCES, "twin.c")],
  ];
  for (const job of jobs) {
    const done = Bun.spawnSync([compiler, ...job], { stderr: "pipe" });
    if (!done.success) return `${compiler} failed: ${done.stderr.toString().split("\n")[0]}`;
  }
  return native;
}
