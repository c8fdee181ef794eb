import { describe, expect, test } from "bun:test";
import {
  readStoredName,
  storedNameText,
  storedUdpName,
  udpPortIn,
} from "../../src/sockets/stored_name.ts";
import { FDNAME_BYTES_MAX } from "../../src/systemd/fd_store.ts";

const NAME = { role: "beat", queueLength: 512, dev: 26n, ino: 1_042n, mode: 0o660 } as const;

describe("storedNameText()", () => {
  test("says role, queue length, file and mode", () => {
    expect(storedNameText(NAME)).toBe("varta-beat-q512-d26-i1042-m660");
    const stream = storedNameText({ ...NAME, role: "stream" });
    expect(readStoredName(stream)?.role).toBe("stream");
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

describe("storedUdpName()", () => {
  test.each([
    ["127.0.0.1", "varta-udp-p7878-a127.0.0.1"],
    ["fe80::1%eth0", "varta-udp-p7878-afe80__1%eth0"],
    ["fe80::1%a b\n:ü", "varta-udp-p7878-afe80__1%a_b___"],
  ])("says where it is bound to %p, and can be stored", (address, name) => {
    expect(storedUdpName({ address, port: 7_878 })).toBe(name);
    expect(udpPortIn(name)).toBe(7_878);
    expect(readStoredName(name)).toBeUndefined();
  });

  test.each([
    "varta-udp-p-a1",
    "varta-udp-p123456-a1",
    "varta-udp-p1-a",
    "xvarta-udp-p1-a1",
    "udp",
  ])("is not %p", (name) => {
    expect(udpPortIn(name)).toBeUndefined();
  });
});
