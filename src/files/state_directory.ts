// Where the daemon keeps what must outlive it: the directory that the service manager made for it
// ($STATE_DIRECTORY, the first one if there are several), else one that the caller names. Judged
// like the directory of a secret: what is remembered there is worth nothing if others can change
// it.
import { type DirectoryFault, directoryFault } from "./directory_rules.ts";

type StateDirectory =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly path: string; readonly fault: DirectoryFault };

interface StateDirectoryOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where no service manager runs the daemon. */
  readonly otherwise: string;
  readonly ownerUid: number;
}

export function stateDirectory({
  env,
  otherwise,
  ownerUid,
}: StateDirectoryOptions): StateDirectory {
  const [managed] = (env["STATE_DIRECTORY"] ?? "").split(":");
  const path = managed === undefined || managed === "" ? otherwise : managed;
  const fault = path.startsWith("/")
    ? directoryFault(path, ownerUid)
    : { found: `the relative path ${JSON.stringify(path)}`, want: "an absolute path" };
  return fault === undefined ? { ok: true, path } : { ok: false, path, fault };
}
