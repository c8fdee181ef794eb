import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { SEALED_NAMES, seal, unsealedNames } from "../../../scripts/binary/seal.ts";
import { lockedPackage } from "../../../scripts/binary/target.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const IS_LOCKED_RUNTIME =
  process.platform === "linux" && Bun.version === lockedPackage("bun").version;

/** Bytes in which every name occurs as often as in the runtime. */
function executable(): string {
  return SEALED_NAMES.map(({ name, count }) => `\0${name}`.repeat(count)).join("");
}

describe("seal()", () => {
  test("puts NUL in the place of the first byte of every name, and changes nothing else", () => {
    const bytes = Buffer.from(`head${executable()}\0BUN_RUN\0BUNDLE\0tail`);
    const before = Buffer.from(bytes);
    seal(bytes);
    const changed = [...bytes.keys()].filter((at) => bytes[at] !== before[at]);
    expect(changed).toHaveLength(12);
    for (const at of changed) {
      expect(String.fromCharCode(before[at]!)).toBe("B");
      expect(bytes[at]).toBe(0);
    }
    expect(bytes.toString("latin1")).toContain("\0BUN_RUN\0BUNDLE\0tail");
  });

  test("takes a name for itself where a longer one begins with it", () => {
    const bytes = Buffer.from(executable());
    seal(bytes);
    expect(bytes.toString("latin1").split("\0UN_INSPECT_PRELOAD")).toHaveLength(3);
    expect(bytes.toString("latin1")).not.toContain("BUN_INSPECT");
  });

  test("leaves the runtime's own JavaScript alone", () => {
    const script = "process.env.BUN_INSPECT_NOTIFY = 1";
    const bytes = Buffer.from(executable() + script);
    seal(bytes);
    expect(bytes.toString("latin1")).toEndWith(script);
  });

  test("refuses a runtime in which a name occurs once more or once less", () => {
    for (const { name, count } of SEALED_NAMES) {
      const more = Buffer.from(`${executable()}\0${name}`);
      expect(() => seal(more)).toThrow(`${name} occurs ${count + 1} times, not ${count}`);
      const less = Buffer.from(executable().replace(`\0${name}\0`, "\0\0"));
      expect(() => seal(less)).toThrow(`${name} occurs ${count - 1} times, not ${count}`);
    }
  });

  test.skipIf(!IS_LOCKED_RUNTIME)("accepts the locked runtime for Linux, once (needs it)", () => {
    const runtime = readFileSync(process.execPath);
    expect(unsealedNames(runtime)).toEqual(SEALED_NAMES.map(({ name }) => name));
    seal(runtime);
    expect(unsealedNames(runtime)).toEqual([]);
    expect(() => seal(runtime)).toThrow("BUN_OPTIONS occurs 0 times, not 2");
  });
});
