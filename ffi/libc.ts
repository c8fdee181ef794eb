// The C library, loaded on first import with the functions of the symbol table; they never leave
// this folder. A platform that cannot be supported is a `PlatformError` with a hint.
import { dlopen } from "bun:ffi";
import { IS_DARWIN, IS_LINUX } from "./constants.ts";
import {
  DARWIN_SYMBOLS,
  LINUX_SYMBOLS,
  STACK_SYMBOLS,
  SYMBOLS,
  VARIADIC_ON_STACK,
} from "./symbols.ts";

/**
 * The platform lacks something without which nothing works: a start-up error, never a crash later.
 */
export class PlatformError extends Error {
  override readonly name = "PlatformError";
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

const LIBRARIES: readonly string[] = IS_DARWIN
  ? ["libSystem.dylib"]
  : ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];

const open = openLibrary();

export const libc = open.common;
/** Null off Linux. */
export const libcLinux = open.linux;
/** Null on Linux. */
export const libcDarwin = open.darwin;
/** Address of this thread's errno. */
export const errnoAddress = open.errnoAddress;

function openLibrary() {
  if (!IS_LINUX && !IS_DARWIN) {
    throw new PlatformError(
      `cannot run on ${process.platform}: found no Unix datagram sockets with known layouts`,
      "use Linux (x64 or arm64); macOS works with socket-mode trust only",
    );
  }
  let cause = "";
  for (const name of LIBRARIES) {
    try {
      const common = openCommon(name);
      const linux = IS_LINUX ? dlopen(name, LINUX_SYMBOLS).symbols : null;
      const darwin = linux ? null : dlopen(name, DARWIN_SYMBOLS).symbols;
      const errnoAddress = linux ? linux.__errno_location() : darwin!.__error();
      if (errnoAddress === null) throw new Error("no address of errno");
      return { common, linux, darwin, errnoAddress };
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (text.includes("JIT")) throw jitError(text);
      cause ||= `${name}: ${text}`;
    }
  }
  throw new PlatformError(
    `cannot load the C library: ${cause}`,
    `one of ${LIBRARIES.join(", ")} with every function of the symbol table is needed`,
  );
}

function openCommon(name: string) {
  if (!VARIADIC_ON_STACK) return dlopen(name, SYMBOLS).symbols;
  const { fcntl: _, ...fixed } = SYMBOLS;
  const onStack = dlopen(name, STACK_SYMBOLS).symbols.fcntl;
  const fcntl = (fd: number, command: number, argument: number): number =>
    onStack(fd, command, 0, 0, 0, 0, 0, 0, argument);
  return { ...dlopen(name, fixed).symbols, fcntl };
}

function jitError(text: string): PlatformError {
  return new PlatformError(
    `cannot call the C library: ${text}`,
    "writable and executable memory is denied: set MemoryDenyWriteExecute=no in the unit, unset JavaScriptCoreUseJIT, or allow execmem in the security policy",
  );
}
