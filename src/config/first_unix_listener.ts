// Beside which listener the daemon puts what has no place of its own: the control socket (spec 16
// section 1) and the state (spec 18 section 1).
import type { Config, ListenerConfig } from "./config.ts";

type UnixConfig = Extract<ListenerConfig, { readonly path: string }>;

/** The first for datagrams, else the first that has a socket file; undefined = there is none. */
export function firstUnixListener({
  listeners,
}: Pick<Config, "listeners">): UnixConfig | undefined {
  return (
    listeners.find((one) => one.kind === "unix") ??
    listeners.find((one): one is UnixConfig => "path" in one)
  );
}
