// Whom `check` checks for: the user that is asked for, the one that the installed unit has when
// root asks, or the one who asks. What that user may read, write, run and bind is found out by
// becoming that user, which only root can.
import { existsSync } from "node:fs";
import { errnoText } from "../../ffi/errno.ts";
import { becomeUser } from "../../ffi/process.ts";
import type { Host } from "../config/load_result.ts";
import { quoted } from "../config/problems/found.ts";
import type { SocketHolders } from "../config/checks/socket_holders.ts";
import { findUnit, type UnitSettings } from "../config/checks/unit_file.ts";
import { findUser, type UserAccount } from "../config/user_account.ts";

const EXIT_USAGE = 64;
const EXIT_NOPERM = 77;
const EXIT_CONFIG = 78;

/** PATH of a unit without one of its own. */
const SERVICE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin";

export interface CheckedUser {
  readonly ok: true;
  readonly user: UserAccount;
  readonly unit: UnitSettings | undefined;
  /** True if this process has to become that user. */
  readonly isOther: boolean;
  /** True if the unit decided. */
  readonly isByUnit: boolean;
  /** The environment that the daemon would have, as far as the configuration reads it. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

interface UserRefusal {
  readonly ok: false;
  readonly message: string;
  readonly hint: string;
  readonly exitCode: number;
}

interface UserChoice {
  readonly host: Host;
  /** The configuration file that will be read. */
  readonly file: string | undefined;
  /** --user NAME */
  readonly asked: string | undefined;
  /** For tests; undefined = the directories of systemd. */
  readonly unitDirectories?: readonly string[];
}

export function chooseUser(choice: UserChoice): CheckedUser | UserRefusal {
  const { host, file, asked } = choice;
  const found = host.platform === "linux" ? findUnit(file, choice.unitDirectories) : undefined;
  if (asked !== undefined) {
    const user = findUser(asked, host, found?.user === asked ? found.group : undefined);
    if (user === undefined) return unknownUser(asked, host);
    const unit = found?.user === asked ? found : undefined;
    return checkedUser({ host, user, unit, isByUnit: false });
  }
  if (host.uid !== 0 || found === undefined) {
    const user = findUser(String(host.uid), host)!;
    const unit = found?.user === user.name ? found : undefined;
    return checkedUser({ host, user: { ...user, groups: ownGroups() }, unit, isByUnit: false });
  }
  const user = findUser(found.user, host, found.group, found.supplementaryGroups);
  if (user !== undefined) return checkedUser({ host, user, unit: found, isByUnit: true });
  return {
    ok: false,
    message: `cannot check for ${found.name}: found User=${found.user}, which is not in ${host.passwdFile}`,
    hint: found.dynamicUser
      ? "the unit has DynamicUser=yes, and the user exists while it runs: give --user"
      : `systemd-sysusers makes the users of packages; or give --user`,
    exitCode: EXIT_CONFIG,
  };
}

/**
 * Becomes the user; undefined if that went well. Everything that needs root, or files that the user
 * may not read, goes first.
 */
export async function becomeCheckedUser(
  { user, isOther }: CheckedUser,
  holders: SocketHolders,
): Promise<UserRefusal | undefined> {
  if (!isOther) return undefined;
  holders.look();
  await import("../config/problems/positions.ts");
  const result = becomeUser(user.uid, user.gid, user.groups);
  if (result >= 0) return undefined;
  return {
    ok: false,
    message: `cannot check for user ${user.name}: found uid ${process.geteuid?.()}, which may not become another user (${errnoText(-result)})`,
    hint: `sudo varta-watch check --user ${user.name}`,
    exitCode: EXIT_NOPERM,
  };
}

function checkedUser(parts: {
  host: Host;
  user: UserAccount;
  unit: UnitSettings | undefined;
  isByUnit: boolean;
}): CheckedUser {
  const { host, user } = parts;
  const isOther = user.uid !== host.uid;
  return { ok: true, ...parts, isOther, env: isOther ? serviceEnv(parts.unit) : host.env };
}

function serviceEnv(unit: UnitSettings | undefined): Readonly<Record<string, string>> {
  const credentials = `/run/credentials/${unit?.name}`;
  // There while the unit runs.
  if (unit === undefined || !existsSync(credentials)) return { PATH: SERVICE_PATH };
  return { PATH: SERVICE_PATH, CREDENTIALS_DIRECTORY: credentials };
}

function unknownUser(asked: string, { passwdFile }: Host): UserRefusal {
  return {
    ok: false,
    message: `cannot check for user ${quoted(asked)}: found no such user in ${passwdFile}`,
    hint: "a uid is understood, too: --user 998",
    exitCode: EXIT_USAGE,
  };
}

function ownGroups(): number[] {
  return [process.getegid?.() ?? 0, ...(process.getgroups?.() ?? [])];
}
