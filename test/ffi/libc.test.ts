// Where the C library cannot be called, the start fails with a reason and a remedy instead of
// crashing later.
import { expect, setDefaultTimeout, test } from "bun:test";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

test("importing the symbol table without the JIT is a PlatformError with a hint", async () => {
  const script = `
    try { await import("${import.meta.dir}/../../ffi/libc.ts"); }
    catch (error) { console.log(JSON.stringify([error.name, error.message, error.hint])); }`;
  const env = { ...process.env, JavaScriptCoreUseJIT: "0" };
  const child = Bun.spawn([process.execPath, "-e", script], { env });
  expect(JSON.parse(await new Response(child.stdout).text())).toEqual([
    "PlatformError",
    "cannot call the C library: bun:ffi requires the JIT",
    "writable and executable memory is denied: set MemoryDenyWriteExecute=no in the unit, unset JavaScriptCoreUseJIT, or allow execmem in the security policy",
  ]);
});
