// Runs pieces of this checkout as if on macOS: the platform is spoofed before anything is loaded,
// and libSystem.dylib is a library that speaks with Darwin's numbers and structs on top of Linux
// (libsystem.c). It shows that the calls of ffi/ are consistent with Darwin's headers; what the
// real kernel does, it cannot show.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CommandResult } from "../support/command.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const compiler = process.platform === "linux" ? Bun.which("cc") : null;

/** In the name of a test that needs the emulation; empty where it can run. */
export const NO_EMULATION: string = compiler === null ? " (skipped: needs Linux and cc)" : "";

/** arm64 has its variadic arguments on the stack. */
export const MACS = ["arm64", "x64"] as const;
export type Mac = (typeof MACS)[number];

export class EmulatedMac implements Disposable {
  readonly directory = new TemporaryDirectory();

  /** Compiles the library for both processors. */
  constructor() {
    for (const mac of MACS) {
      mkdirSync(this.directory.at(mac));
      this.#compile([
        ...["-shared", "-fPIC", "-O1", "-Wno-builtin-declaration-mismatch"],
        ...(mac === "arm64" ? ["-DVARIADIC_ON_STACK"] : []),
        ...["-o", this.directory.at(`${mac}/libSystem.dylib`)],
        join(import.meta.dir, "libsystem.c"),
      ]);
    }
  }

  /** Values of C expressions about the structs of structs.h. */
  valuesInC(expressions: ReadonlyMap<string, string>): Record<string, number> {
    const lines = [...expressions].map(
      ([name, expression]) =>
        `  printf("%s\\"${name}\\":%ld", comma, (long)(${expression})); comma = ",";`,
    );
    const text = `#include <stddef.h>\n#include <stdio.h>\n#include "structs.h"\nint main(void) {\n  const char *comma = "{";\n${lines.join("\n")}\n  printf("}");\n}\n`;
    writeFileSync(this.directory.at("layout.c"), text);
    this.#compile([
      "-I",
      import.meta.dir,
      "-o",
      this.directory.at("layout"),
      this.directory.at("layout.c"),
    ]);
    return JSON.parse(Bun.spawnSync([this.directory.at("layout")]).stdout.toString());
  }

  /** The environment in which the runtime, and all that it starts, takes this machine for `mac`. */
  environment(mac: Mac): Record<string, string> {
    return {
      ...(process.env as Record<string, string>),
      LD_LIBRARY_PATH: this.directory.at(mac),
      BUN_OPTIONS: `--preload=${join(import.meta.dir, "spoof.ts")}`,
      VARTA_TEST_ARCH: mac,
    };
  }

  async run(mac: Mac, argv: readonly string[]): Promise<CommandResult> {
    const child = Bun.spawn([process.execPath, ...argv], {
      env: this.environment(mac),
      stdin: "ignore",
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

  /** What probe.ts finds out on `mac`. */
  async probe(mac: Mac, ...args: readonly string[]): Promise<Record<string, unknown>> {
    const { stdout, stderr } = await this.run(mac, [join(import.meta.dir, "probe.ts"), ...args]);
    if (stderr !== "") throw new Error(stderr);
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]();
  }

  #compile(args: readonly string[]): void {
    const { exitCode, stderr } = Bun.spawnSync([compiler!, ...args]);
    if (exitCode !== 0) throw new Error(stderr.toString());
  }
}
