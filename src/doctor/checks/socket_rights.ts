// Who may write to the sockets: users whose beats a rule waits for and who cannot send one, and
// sockets at which everybody can.
import { shellWord } from "../../base/shell_word.ts";
import { type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import { Accounts } from "../../config/accounts.ts";
import { findUnitUser } from "../../config/checks/unit_file.ts";
import { findUser, type UserAccount } from "../../config/user_account.ts";
import { check, NEEDS_CONFIG, NEEDS_DAEMON } from "../check.ts";
import type { Place } from "../place.ts";
import { counted, someOf } from "../words.ts";

const WRITES = 0o2;
const SEARCHES = 0o1;
/** A finding is a few lines. */
const USERS_SHOWN = 3;

interface UnixSocket {
  readonly path: string;
  readonly mode: number;
  readonly gid: number;
  readonly allowUids: readonly number[] | undefined;
  readonly allowGids: readonly number[] | undefined;
  /** The file and the directories above it. */
  readonly files: readonly Pick<Stats, "mode" | "uid" | "gid">[];
}

/** Sockets that are there; a path that cannot be looked at has none. */
function socketsOf({ config }: Place): UnixSocket[] {
  return (config?.listeners ?? []).flatMap((one) => {
    if (!("path" in one)) return [];
    const files = [one.path, ...above(one.path)].map((path) => look(path));
    if (files.some((file) => file === undefined)) return [];
    const [own] = files as Stats[];
    const { path, allowUids, allowGids } = one;
    return [
      { path, mode: own!.mode, gid: own!.gid, allowUids, allowGids, files: files as Stats[] },
    ];
  });
}

export const WHO_CANNOT_SEND = check({
  name: "who_cannot_send",
  about: "the users that rules name against the rights of the sockets",
  gather: (place) => {
    if (place.config === undefined) return NEEDS_CONFIG;
    const sockets = socketsOf(place);
    if (sockets.length === 0) return NEEDS_DAEMON;
    const shut = sendersOf(place).filter(
      ({ user }) => !sockets.some((socket) => maySend(user, socket)),
    );
    const group = new Accounts(place.groupFile).nameOf(sockets[0]!.gid);
    return { shut, socket: sockets[0]!, group };
  },
  decide: ({ shut, socket, group }) => {
    if (shut.length === 0) return undefined;
    const mode = (socket.mode & 0o777).toString(8).padStart(4, "0");
    const isGroup = (socket.mode & (WRITES << 3)) !== 0 && group !== undefined && group !== "root";
    const isListed = socket.allowUids !== undefined || socket.allowGids !== undefined;
    const users = [...new Set(shut.map(({ user }) => user.name))];
    const who = someOf(
      shut.map(({ unit, user }) => (unit === "" ? user.name : `${unit} (user ${user.name})`)),
    );
    return {
      severity: "fault",
      found: `${counted(shut.length, "sender")} of rules may not send to ${socket.path}: ${who}.`,
      effect: `Their beats never come (mode ${mode}, group ${group ?? socket.gid}): those agents look missing.`,
      fix:
        isGroup && !isListed
          ? {
              run: users
                .slice(0, USERS_SHOWN)
                .map((user) => `usermod -aG ${shellWord(group)} ${shellWord(user)}`),
            }
          : {
              words: "set group, mode and allow_uids of the [[listener]], then varta-watch reload",
            },
    };
  },
});

interface Sender {
  /** "" = a rule names the user. */
  readonly unit: string;
  readonly user: UserAccount;
}

/** Whom rules name without a wildcard: users, and units by the user that they run as. */
function sendersOf({ config, unitDirectories, ...host }: Place): Sender[] {
  const rules = config?.agents ?? [];
  const named = (field: "user" | "uid" | "unit") => [
    ...new Set(
      rules.flatMap(({ match }) => match[field] ?? []).filter((text) => !/[*?]/.test(text)),
    ),
  ];
  const users = [...named("user"), ...named("uid")].flatMap((name) => {
    const user = findUser(name, host);
    return user === undefined ? [] : [{ unit: "", user }];
  });
  const units = named("unit").flatMap((unit) => {
    const settings = findUnitUser(unit, unitDirectories);
    // A user that exists while its unit runs has no groups that anybody could give it.
    if (settings === undefined || settings.dynamicUser) return [];
    const { user: name, group, supplementaryGroups } = settings;
    const user = findUser(name, host, group, supplementaryGroups);
    return user === undefined ? [] : [{ unit, user }];
  });
  return [...users, ...units];
}

export const WHO_MAY_SEND = check({
  name: "who_may_send",
  about: "sockets at which every user may beat",
  gather: (place) => {
    if (place.config === undefined) return NEEDS_CONFIG;
    const open = socketsOf(place).filter(
      ({ mode, allowUids, allowGids }) =>
        (mode & WRITES) !== 0 && allowUids === undefined && allowGids === undefined,
    );
    return { open: open.map(({ path }) => path) };
  },
  decide: ({ open }) =>
    open.length === 0
      ? undefined
      : {
          severity: "advice",
          found: `Every user of this machine may beat at ${someOf(open)}.`,
          effect: "Nobody can beat for another, but anybody can take places in the table.",
          fix: { words: 'set mode = "0660" and a group in [[listener]], then varta-watch reload' },
        },
});

function maySend(user: UserAccount, { files, allowUids, allowGids }: UnixSocket): boolean {
  if (allowUids !== undefined || allowGids !== undefined) {
    const isListed =
      allowUids?.includes(user.uid) === true || allowGids?.includes(user.gid) === true;
    if (!isListed) return false;
  }
  return files.every((file, index) => may(user, file, index === 0 ? WRITES : SEARCHES));
}

function may(
  user: UserAccount,
  { mode, uid, gid }: Pick<Stats, "mode" | "uid" | "gid">,
  bit: number,
) {
  if (user.uid === 0) return true;
  if (user.uid === uid) return (mode & (bit << 6)) !== 0;
  const isMember = user.gid === gid || user.groups.includes(gid);
  return (mode & (isMember ? bit << 3 : bit)) !== 0;
}

function above(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [] : [parent, ...above(parent)];
}

function look(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
