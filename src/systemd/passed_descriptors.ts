// What the service manager handed over at the start (spec 05 section 9): the descriptors from 3 on,
// each with its name. Both kinds come in one list: sockets that it made, and sockets that the
// daemon before gave it to keep.

export interface PassedDescriptor {
  readonly fd: number;
  /** "" = it has none. */
  readonly name: string;
}

const FIRST_FD = 3;
/** Far more than all listeners need: a larger number is none of descriptors. */
const COUNT_MAX = 4_096;

type Environment = Readonly<Record<string, string | undefined>>;

/** They speak of the daemon's own descriptors, which no child has. */
export const LISTEN_VARIABLES: readonly string[] = [
  "LISTEN_FDS",
  "LISTEN_FDNAMES",
  "LISTEN_PID",
  "LISTEN_PIDFDID",
];

/** The environment for a child. */
export function withoutListenVariables(env: Environment): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !LISTEN_VARIABLES.includes(name)),
  );
}

/** Those for process `pid`: variables that are meant for another one were inherited from it. */
export function passedDescriptors(env: Environment, pid: number): PassedDescriptor[] {
  if (env["LISTEN_PID"] !== String(pid)) return [];
  const text = env["LISTEN_FDS"] ?? "";
  const count = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  if (count > COUNT_MAX) return [];
  const names = (env["LISTEN_FDNAMES"] ?? "").split(":");
  return Array.from({ length: count }, (_, index) => ({
    fd: FIRST_FD + index,
    name: names[index] ?? "",
  }));
}
