import { describe, expect, test } from "bun:test";
import { readStoredName, storedNameText } from "../../src/sockets/stored_name.ts";
import { FDNAME_BYTES_MAX } from "../../src/systemd/fd_store.ts";

const NAME = { role: "beat", queueLength: 512, dev: 26n, ino: 1_042n, mode: 0o660 } as const;

describe("storedNameText()", () => {
  test("says role, queue length, file and mode", () => {
    expect(storedNameText(NAME)).toBe("varta-beat-q512-d26-i1042-m660");
    expect(storedNameText({ ...NAME, role: "control", mode: 0 })).toBe(
      "varta-control-q512-d26-i1042-m000",
    );
  });

  test("is a name that the service manager takes, whatever the numbers are", () => {
    const max = 2n ** 64n - 1n;
    const text = storedNameText({ ...NAME, queueLength: 2 ** 31 - 1, dev: max, ino: max });
    expect(text.length).toBeLessThanOrEqual(FDNAME_BYTES_MAX);
    expect(text).toMatch(/^[\x21-\x39\x3b-\x7e]+$/);
    expect(readStoredName(text)).toEqual({
      ...NAME,
      queueLength: 2 ** 31 - 1,
      dev: max,
      ino: max,
    });
  });
});

describe("readStoredName()", () => {
  test("reads what was written", () => {
    expect(readStoredName(storedNameText(NAME))).toEqual(NAME);
  });

  test.each([
    "",
    "stored",
    "varta-watch.socket",
    "varta-beat-q512-d26-i1042",
    "varta-beat-q512-d26-i1042-m660 ",
    "varta-beat-q512-d26-i1042-m668",
    "varta-beat-q-1-d26-i1042-m660",
    "varta-http-q512-d26-i1042-m660",
    "varta-beat-q512-d26-i123456789012345678901-m660",
  ])("takes %p for the name of something else", (text) => {
    expect(readStoredName(text)).toBeUndefined();
  });
});
