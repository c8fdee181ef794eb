// Offsets, sizes and constants compared with what the C compiler of this machine says.
import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as constants from "../../ffi/constants.ts";
import * as layout from "../../ffi/layout.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

/** C type of each table; a field that is no member of that name has its C expression in MEMBERS. */
const TYPES: Readonly<Record<string, string>> = {
  IOVEC: "struct iovec",
  MSGHDR: "struct msghdr",
  MMSGHDR: "struct mmsghdr",
  CMSGHDR: "struct cmsghdr",
  UCRED: "struct ucred",
  SOCK_FILTER: "struct sock_filter",
  SOCK_FPROG: "struct sock_fprog",
  SOCKADDR_UN: "struct sockaddr_un",
  SOCKADDR_IN: "struct sockaddr_in",
  SOCKADDR_IN6: "struct sockaddr_in6",
  POLLFD: "struct pollfd",
  EPOLL_EVENT: "struct epoll_event",
  TIMESPEC: "struct timespec",
  ITIMERVAL: "struct itimerval",
  SIGACTION: "struct sigaction",
  SIGSET: "sigset_t",
  RLIMIT: "struct rlimit",
  SIGINFO: "siginfo_t",
  PIDFD_INFO: "struct pidfd_info_of_linux_6_13",
  WATCHDOG_INFO: "struct watchdog_info",
};
/** Younger than the headers of many a machine, so it is declared here as the kernel declares it. */
const PIDFD_INFO_IN_C = `struct pidfd_info_of_linux_6_13 {
  unsigned long long mask, cgroupid;
  unsigned pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
  int exit_code;
};`;
const MEMBERS: Readonly<Record<string, string>> = {
  "CMSGHDR.data": "CMSG_LEN(0)",
  "SOCKADDR_UN.pathBytes": "sizeof(((struct sockaddr_un *)0)->sun_path)",
  "ITIMERVAL.it_interval_sec": "offsetof(struct itimerval, it_interval.tv_sec)",
  "ITIMERVAL.it_interval_usec": "offsetof(struct itimerval, it_interval.tv_usec)",
  "ITIMERVAL.it_value_sec": "offsetof(struct itimerval, it_value.tv_sec)",
  "ITIMERVAL.it_value_usec": "offsetof(struct itimerval, it_value.tv_usec)",
};
const LENGTHS: Readonly<Record<string, string>> = {
  UCRED_CMSG_LEN: "CMSG_LEN(sizeof(struct ucred))",
  UCRED_CMSG_SPACE: "CMSG_SPACE(sizeof(struct ucred))",
  PIDFD_CMSG_LEN: "CMSG_LEN(sizeof(int))",
  PIDFD_CMSG_SPACE: "CMSG_SPACE(sizeof(int))",
};
/** Younger than the headers of many a machine. */
const NEW_CONSTANTS = [
  "SO_PASSPIDFD",
  "SO_PASSRIGHTS",
  "SO_PEERPIDFD",
  "SCM_PIDFD",
  "PIDFD_INFO_EXIT",
];
const LINUX_ONLY_TABLES = [
  "WATCHDOG_INFO",
  "MMSGHDR",
  "UCRED",
  "SIGINFO",
  "SOCK_FILTER",
  "SOCK_FPROG",
  "EPOLL_EVENT",
  "PIDFD_INFO",
];

const HEADERS = [
  "errno.h",
  "fcntl.h",
  "netinet/in.h",
  "netinet/tcp.h",
  "poll.h",
  "signal.h",
  "stddef.h",
  "stdio.h",
  "sys/resource.h",
  "sys/socket.h",
  "sys/time.h",
  "sys/uio.h",
  "sys/un.h",
  "sys/wait.h",
  "time.h",
  ...(constants.IS_LINUX
    ? [
        "linux/filter.h",
        "linux/sock_diag.h",
        "linux/watchdog.h",
        "sys/epoll.h",
        "sys/ioctl.h",
        "sys/mman.h",
        "sys/prctl.h",
        "sys/syscall.h",
      ]
    : []),
];

const compiler = Bun.which("cc") ?? Bun.which("gcc");
const testWithCompiler = test.skipIf(compiler === null);

testWithCompiler("the layouts are those of the C compiler (needs cc or gcc)", () => {
  const wanted = new Map<string, string>();
  const ours = new Map<string, number>();
  for (const [name, table] of Object.entries(layout)) {
    if (constants.IS_DARWIN && (LINUX_ONLY_TABLES.includes(name) || name in LENGTHS)) continue;
    if (typeof table === "number") {
      wanted.set(name, LENGTHS[name] ?? "no C expression for this length");
      ours.set(name, table);
      continue;
    }
    for (const [field, offset] of Object.entries(table)) {
      wanted.set(`${name}.${field}`, cExpression(name, field));
      ours.set(`${name}.${field}`, offset);
    }
  }
  expect(ours.size).toBeGreaterThan(40);
  expect(Object.fromEntries(ours)).toEqual(valuesInC(wanted));
});

testWithCompiler("the constants are those of the C headers (needs cc or gcc)", () => {
  const wanted = new Map<string, string>();
  const ours = new Map<string, number>();
  for (const [name, value] of Object.entries(constants)) {
    if (typeof value !== "number") continue;
    wanted.set(name, name);
    ours.set(name, value);
  }
  expect(ours.size).toBeGreaterThan(40);
  const inC = valuesInC(wanted);
  // Off Linux, what a header does not define is not used there.
  for (const name of ours.keys()) if (mayBeMissing(name) && !(name in inC)) ours.delete(name);
  expect(Object.fromEntries(ours)).toEqual(inC);
});

function mayBeMissing(name: string): boolean {
  return !constants.IS_LINUX || NEW_CONSTANTS.includes(name);
}

function cExpression(table: string, field: string): string {
  const type = TYPES[table];
  if (type === undefined) return "no C type for this table";
  if (field === "size") return `sizeof(${type})`;
  return MEMBERS[`${table}.${field}`] ?? `offsetof(${type}, ${field})`;
}

function valuesInC(expressions: ReadonlyMap<string, string>): Record<string, number> {
  const directory = mkdtempSync(join(tmpdir(), "varta-layout-"));
  try {
    const source = join(directory, "layout.c");
    const program = join(directory, "layout");
    writeFileSync(source, cProgram(expressions));
    const compiled = Bun.spawnSync([compiler!, "-o", program, source], { stderr: "pipe" });
    expect(compiled.stderr.toString()).toBe("");
    return JSON.parse(Bun.spawnSync([program]).stdout.toString()) as Record<string, number>;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function cProgram(expressions: ReadonlyMap<string, string>): string {
  const lines = ["#define _GNU_SOURCE"];
  for (const header of HEADERS) lines.push(`#include <${header}>`);
  lines.push(PIDFD_INFO_IN_C, "int main(void) {", '  const char *comma = "{";');
  for (const [name, expression] of expressions) {
    const optional = mayBeMissing(name) && name === expression;
    if (optional) lines.push(`#ifdef ${name}`);
    lines.push(`  printf("%s\\"${name}\\":%lld", comma, (long long)(${expression})); comma = ",";`);
    if (optional) lines.push("#endif");
  }
  lines.push('  printf("}");', "}");
  return lines.join("\n");
}
