// The darwin side of ffi/ and of the client, on an emulated Mac of each processor.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { constants } from "node:os";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { EmulatedMac, MACS, NO_EMULATION } from "./emulated_mac.ts";

setDefaultTimeout(TEST_MS_MAX);

const O_CLOEXEC = 0o2000000;
const O_NONBLOCK = 0o4000;

let mac: EmulatedMac;
let seen: Record<string, Record<string, unknown>>;

beforeAll(async () => {
  if (NO_EMULATION !== "") return;
  mac = new EmulatedMac();
  const probes = MACS.map(async (name) => [name, await mac.probe(name, mac.directory.at(name))]);
  seen = Object.fromEntries(await Promise.all(probes));
});

afterAll(() => {
  if (NO_EMULATION === "") mac[Symbol.dispose]();
});

/**
 * Structs of Darwin, and the members that are called otherwise in C. The other tables are Linux's
 * alone.
 */
const STRUCTS: Readonly<Record<string, string>> = {
  IOVEC: "struct darwin_iovec",
  MSGHDR: "struct darwin_msghdr",
  CMSGHDR: "struct darwin_cmsghdr",
  SOCKADDR_UN: "struct darwin_sockaddr_un",
  SOCKADDR_IN: "struct darwin_sockaddr_in",
  SOCKADDR_IN6: "struct darwin_sockaddr_in6",
  POLLFD: "struct darwin_pollfd",
  TIMESPEC: "struct darwin_timespec",
  ITIMERVAL: "struct darwin_itimerval",
  SIGACTION: "struct darwin_sigaction",
  SIGSET: "darwin_sigset",
  RLIMIT: "struct darwin_rlimit",
};
const MEMBERS: Readonly<Record<string, string>> = {
  // CMSG_DATA is aligned to 4 there.
  "CMSGHDR.data": "(sizeof(struct darwin_cmsghdr) + 3) / 4 * 4",
  "SOCKADDR_UN.pathBytes": "sizeof(((struct darwin_sockaddr_un *)0)->sun_path)",
  "ITIMERVAL.it_interval_sec": "offsetof(struct darwin_itimerval, it_interval.tv_sec)",
  "ITIMERVAL.it_interval_usec": "offsetof(struct darwin_itimerval, it_interval.tv_usec)",
  "ITIMERVAL.it_value_sec": "offsetof(struct darwin_itimerval, it_value.tv_sec)",
  "ITIMERVAL.it_value_usec": "offsetof(struct darwin_itimerval, it_value.tv_usec)",
};

/** From the headers of macOS. */
const NUMBERS: Readonly<Record<string, number>> = {
  AF_UNIX: 1,
  AF_INET: 2,
  AF_INET6: 30,
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_NONBLOCK: 0,
  SOCK_CLOEXEC: 0,
  IPPROTO_IPV6: 41,
  IPV6_V6ONLY: 27,
  SOL_SOCKET: 0xffff,
  SO_REUSEADDR: 0x0004,
  SO_SNDBUF: 0x1001,
  SO_RCVBUF: 0x1002,
  MSG_DONTWAIT: 0x80,
  MSG_TRUNC: 0x10,
  MSG_CTRUNC: 0x20,
  MSG_NOSIGNAL: 0,
  F_SETFD: 2,
  F_GETFL: 3,
  F_SETFL: 4,
  FD_CLOEXEC: 1,
  O_NONBLOCK: 0x4,
  POLLIN: 1,
  POLLERR: 8,
  POLLHUP: 0x10,
  POLLNVAL: 0x20,
  CLOCK_REALTIME: 0,
  CLOCK_MONOTONIC: 6,
  CLOCK_MONOTONIC_RAW: 4,
  ITIMER_REAL: 0,
  SIG_SETMASK: 3,
  NSIG: 32,
  RLIMIT_NOFILE: 8,
};

describe.skipIf(NO_EMULATION !== "").each(MACS)(`on a Mac with %s${NO_EMULATION}`, (name) => {
  const found = <Value>(key: string) => seen[name]![key] as Value;

  test("the program knows where it is", () => {
    expect(found<string>("platform")).toBe(`darwin ${name}`);
  });

  test("the layouts are those that a C compiler makes of Darwin's structs", () => {
    const tables = found<Record<string, Record<string, number>>>("layout");
    const wanted = new Map<string, string>();
    const ours: Record<string, number> = {};
    for (const [table, type] of Object.entries(STRUCTS)) {
      for (const [field, offset] of Object.entries(tables[table]!)) {
        const place = `${table}.${field}`;
        const offsetInC = field === "size" ? `sizeof(${type})` : `offsetof(${type}, ${field})`;
        wanted.set(place, MEMBERS[place] ?? offsetInC);
        ours[place] = offset;
      }
    }
    expect(wanted.size).toBeGreaterThanOrEqual(27);
    expect(ours).toEqual(mac.valuesInC(wanted));
  });

  test("the constants are those of Darwin's headers", () => {
    expect(found<Record<string, number>>("constants")).toMatchObject(NUMBERS);
  });

  test("every descriptor is closed on exec, and those of the program do not block", () => {
    const { socket, readEnd, writeEnd } = found<Record<string, number>>("descriptors");
    const both = O_CLOEXEC | O_NONBLOCK;
    expect([socket! & both, readEnd! & both]).toEqual([both, both]);
    // The end of a child blocks.
    expect(writeEnd! & both).toBe(O_CLOEXEC);
  });

  test("an address begins with its length, and @ is a letter like any other", () => {
    expect(found<number[]>("unixAddress")).toEqual([5, 1, 0x2f, 0x61, 0]);
    expect(found<number[]>("atPath")).toEqual([5, 1, 0x40, 0x61, 0]);
    expect(found<number[]>("ipv4")).toEqual([16, 2, 0x12, 0x34, 127, 0, 0, 1, ...Array(8).fill(0)]);
    expect(found<number[]>("ipv6")).toEqual([
      ...[28, 30, 0x12, 0x34, 0, 0, 0, 0],
      ...Array(16).fill(7),
      ...[5, 0, 0, 0],
    ]);
  });

  test("a socket path has 103 bytes, and a client with a longer one says so and does not throw", () => {
    expect(found<object>("paths")).toEqual({
      longest: 103,
      free: "no_observer",
      tooLong: "bad_path",
      root: "/var/run/varta/varta.sock",
      user: "/var/folders/zz/T/varta-501/varta.sock",
    });
  });

  test("beats arrive one by one in the batch that Linux fills at once", () => {
    expect(found<number[]>("datagrams")).toEqual([0, 3, 32, 32, 32, 0]);
  });

  test("datagrams of both families arrive, with and without a connection", () => {
    expect(found<number[]>("udp")).toEqual([12, 12]);
  });

  test("options of sockets are set and read, and lost datagrams are not counted", () => {
    expect(found<object>("options")).toEqual({
      set: 0,
      // Linux doubles what it is asked for.
      got: 32_768,
      sendBuffer: 0,
      reuse: 0,
      drops: -constants.errno.ENOPROTOOPT,
    });
  });
});
