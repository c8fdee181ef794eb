// What a start would find on this machine (spec 07 section 3): directories that are not there,
// files that cannot be written, ports and sockets that are in use. Only `check` looks, with the
// rights of the user that the daemon will have; a start finds all of this by itself. A port is
// bound for a moment and given back, nothing else is touched.
import { accessSync, constants, lstatSync, type Stats } from "node:fs";
import { dirname, posix } from "node:path";
import {
  EACCES,
  EADDRINUSE,
  EADDRNOTAVAIL,
  ECONNREFUSED,
  ENOENT,
  SOCK_DGRAM,
  SOCK_STREAM,
} from "../../../ffi/constants.ts";
import { errnoText } from "../../../ffi/errno.ts";
import { close, connect, openSocket, unixAddress } from "../../../ffi/socket.ts";
import { parentFault } from "../../files/directory_rules.ts";
import { Accounts } from "../accounts.ts";
import { isUnixKind } from "../keys/listener_keys.ts";
import { parseListen } from "../keys/address.ts";
import type { CheckedDocument, CheckedListener } from "./check_document.ts";
import type { Fault } from "../problems/fault.ts";
import { modeText, pathText, quoted } from "../problems/found.ts";
import { conflictFault, type KeyRef, setterOf } from "./key_ref.ts";
import type { Machine, OwnContent } from "../load_result.ts";
import { tryBind } from "./port_probe.ts";
import { hasRecovery } from "./recovery_rules.ts";
import type { SocketHolder } from "./socket_holders.ts";

const OTHERS_WRITE = 0o022;
const STICKY = 0o1000;

interface MachineCheck {
  readonly machine: Machine;
  readonly groupFile: string;
  /** Made by the daemon itself before it binds there; undefined = none. */
  readonly ownDirectory: string | undefined;
  readonly faults: Fault[];
  readonly warnings: string[];
}

/**
 * Reports what on this machine would keep the daemon from starting with `document`, or from doing
 * its work.
 */
export function checkMachine(document: CheckedDocument, check: MachineCheck): void {
  const rules = new MachineRules(document, check);
  for (const listener of document.listeners) rules.listener(listener);
  rules.metrics();
  const { audit, export: events, liveness, state } = document.tables;
  // The journal and the head beside the audit log, and every heartbeat, are files of their own.
  const audited = { needsDirectory: true, isPrivate: true, content: "audit log" } as const;
  rules.file({ table: "audit", key: "file" }, audit.values.file, audited);
  if (audit.values.file !== undefined && hasRecovery(document)) {
    const journal = { ...audited, content: "journal of recoveries" } as const;
    rules.file({ table: "audit", key: "file" }, `${audit.values.file}.fired`, journal);
  }
  const exported = {
    needsDirectory: events.values.max_bytes !== undefined,
    isPrivate: false,
    content: "event export",
  } as const;
  rules.file({ table: "export", key: "file" }, events.values.file, exported);
  const beaten = { needsDirectory: true, isPrivate: false, content: "heartbeat" } as const;
  rules.file({ table: "liveness", key: "heartbeat_file" }, liveness.values.heartbeat_file, beaten);
  // What it holds is set aside if it is no state.
  const kept = { needsDirectory: true, isPrivate: true, content: undefined } as const;
  rules.file({ table: "state", key: "file" }, state.values.file, kept);
  rules.device({ table: "liveness", key: "hw_watchdog" }, liveness.values.hw_watchdog);
}

interface FileNeeds {
  /** Other files come to be beside it. */
  readonly needsDirectory: boolean;
  /** No other user may write to it. */
  readonly isPrivate: boolean;
  readonly content: OwnContent | undefined;
}

class MachineRules {
  readonly #document: CheckedDocument;
  readonly #check: MachineCheck;
  /** "user varta" */
  readonly #user: string;

  constructor(document: CheckedDocument, check: MachineCheck) {
    this.#document = document;
    this.#check = check;
    this.#user = `user ${check.machine.user.name}`;
  }

  listener(listener: CheckedListener): void {
    const { kind, values } = listener;
    const { path, address, port, group } = values;
    if (isUnixKind(kind) && path !== undefined)
      this.#socket(
        { listener, key: "path" },
        path,
        kind === "unix-stream" ? SOCK_STREAM : SOCK_DGRAM,
      );
    if (isUnixKind(kind) && group !== undefined) this.#group({ listener, key: "group" }, group);
    if (isUnixKind(kind) || kind === undefined || address === undefined || port === undefined)
      return;
    this.#port({ listener, key: "port" }, { protocol: "udp", host: address, port });
  }

  metrics(): void {
    const { listen } = this.#document.tables.metrics.values;
    const address = listen === undefined ? undefined : parseListen(listen);
    const ref: KeyRef = { table: "metrics", key: "listen" };
    if (address?.kind === "unix") this.#socket(ref, address.path, SOCK_STREAM);
    // Without a word about it a bare run takes another port, and port 0 is always free.
    if (address?.kind !== "tcp" || address.port === 0) return;
    if (setterOf(this.#document, ref) === undefined) return;
    this.#port(ref, { protocol: "tcp", ...address });
  }

  /**
   * A file that is appended to, or replaced; the rules are those of files/own_file.ts and
   * files/directory_rules.ts.
   */
  file(ref: KeyRef, path: string | undefined, needs: FileNeeds): void {
    const { needsDirectory, isPrivate, content } = needs;
    if (path === undefined || this.#isMadeByUnit(path)) return;
    if (this.#isReadOnly(ref, path)) return;
    const status = look(path);
    const trust = this.#trustFault(path);
    const fault = trust ?? this.#writeFault(dirname(path));
    if (fault !== undefined) {
      if (trust !== undefined || status === undefined || needsDirectory)
        this.#report(ref, path, fault);
      return;
    }
    if (status === undefined || typeof status === "string") return;
    const found = this.#wrongFile(path, status, isPrivate);
    if (found === undefined) {
      this.#content(ref, path, content);
      return;
    }
    this.#reportFound(ref, path, found, `a regular file of ${this.#user}, with one name`);
  }

  /** Looked at and never opened: that alone would arm it. */
  device(ref: KeyRef, path: string | undefined): void {
    if (path === undefined) return;
    const status = look(path);
    const want = "a character device, such as /dev/watchdog";
    if (status === undefined) this.#reportFound(ref, path, "which does not exist", want);
    else if (typeof status === "string") this.#reportFound(ref, path, status, want);
    else if (!status.isCharacterDevice() && !status.isSymbolicLink())
      this.#reportFound(ref, path, "which is no character device", want);
  }

  /** Reports a file with other content, which the start leaves alone. */
  #content(ref: KeyRef, path: string, content: OwnContent | undefined): void {
    if (content === undefined || !this.#check.machine.holdsOther(content, path)) return;
    const want = `the daemon's own ${content}, an empty file or a free path`;
    this.#reportFound(ref, path, "which holds something else", want);
  }

  #wrongFile(path: string, status: Stats, isPrivate: boolean): string | undefined {
    const { uid } = this.#check.machine.user;
    if (status.isSymbolicLink()) return "which is a symlink";
    if (!status.isFile()) return "which is not a regular file";
    if (status.uid !== uid && status.uid !== 0) return `which belongs to uid ${status.uid}`;
    if (status.nlink > 1) return `which has ${status.nlink} hard links`;
    if (isPrivate && (status.mode & OTHERS_WRITE) !== 0)
      return `which others may write to (mode ${modeText(status.mode)})`;
    return may(path, constants.W_OK) ? undefined : `which ${this.#user} cannot write to`;
  }

  /** Words about a directory whose other writers could replace the file. */
  #trustFault(path: string): Finding | undefined {
    if (look(dirname(path)) === undefined) return undefined;
    const fault = parentFault(path, this.#check.machine.user.uid);
    return fault === undefined
      ? undefined
      : { found: `which is in ${fault.found}`, want: fault.want };
  }

  #socket(ref: KeyRef, path: string, type: number): void {
    if (this.#isMadeByUnit(path) || this.#isReadOnly(ref, path)) return;
    const directory = dirname(path);
    if (directory === this.#check.ownDirectory && look(directory) === undefined) return;
    const fault =
      this.#writeFault(directory) ?? this.#directoryFault(directory) ?? this.#linkFault(directory);
    if (fault !== undefined) {
      this.#report(ref, path, fault);
      return;
    }
    const status = look(path);
    if (status === undefined || typeof status === "string") return;
    if (!status.isSocket()) {
      this.#reportFound(ref, path, "where there is a file that is no socket", "a free path");
    } else this.#liveSocket(ref, path, type, status.uid);
  }

  /** A socket whose owner is dead is removed by the start; one that answers has an owner. */
  #liveSocket(ref: KeyRef, path: string, type: number, uid: number): void {
    const address = unixAddress(path);
    const fd = openSocket(address.family, type);
    if (fd < 0) return;
    const result = connect(fd, address);
    close(fd);
    if (result === -ECONNREFUSED || result === -ENOENT) return;
    const holder = this.#check.machine.holders.ofPath(path, uid);
    this.#held(ref, pathText(path), holder, "a path of its own");
  }

  #port(ref: KeyRef, at: { protocol: "udp" | "tcp"; host: string; port: number }): void {
    const result = tryBind(at);
    if (result >= 0) return;
    const { protocol, host, port } = at;
    const place = `${protocol.toUpperCase()} ${host.includes(":") ? `[${host}]` : host}:${port}`;
    const { machine } = this.#check;
    if (result === -EADDRINUSE) {
      const holder = machine.holders.ofPort(protocol, port);
      const unknown: SocketHolder = {
        uid: undefined,
        pid: undefined,
        program: undefined,
        isOurs: false,
      };
      this.#held(ref, place, holder ?? unknown, "a port that is free");
    } else if (result === -EADDRNOTAVAIL) {
      this.#fault(
        ref,
        `${place}, which is no address of this machine`,
        "an address of this machine",
      );
    } else if (result === -EACCES) {
      if (machine.unit?.capabilities.includes("CAP_NET_BIND_SERVICE") === true) return;
      const found = `${place}, which ${this.#user} may not bind`;
      this.#fault(ref, found, "a port from 1024 on, or CAP_NET_BIND_SERVICE for the daemon");
    } else
      this.#fault(
        ref,
        `${place}, which cannot be bound: ${errnoText(-result)}`,
        "a usable address",
      );
  }

  /**
   * A varta-watch that runs is what one expects beside a configuration; anything else is in the
   * way.
   */
  #held(ref: KeyRef, place: string, holder: SocketHolder, want: string): void {
    const { pid, program, uid, isOurs } = holder;
    if (isOurs) {
      this.#check.warnings.push(`${place} is held by the varta-watch that runs now (pid ${pid})`);
      return;
    }
    const known = program === undefined ? undefined : `${quoted(program)} (pid ${pid})`;
    const owner = uid === undefined ? "another program" : `another program of uid ${uid}`;
    this.#fault(ref, `${place}, which is in use by ${known ?? owner}`, want);
  }

  #group(ref: KeyRef, group: string | number): void {
    const { uid, name, groups } = this.#check.machine.user;
    const gid = new Accounts(this.#check.groupFile).resolve(group);
    if (uid === 0 || gid === undefined || groups.includes(gid)) return;
    const found = `${quoted(String(group))}, a group that ${this.#user} is not in`;
    this.#fault(ref, found, `a group of ${name}: only root gives files to other groups`);
  }

  /** Words about a directory in which the daemon cannot make files. */
  #writeFault(directory: string): Finding | undefined {
    const status = look(directory, true);
    const want = `a directory in which ${this.#user} can make files`;
    if (status === undefined) {
      const { uid, gid } = this.#check.machine.user;
      const make = `install -d -o ${uid} -g ${gid} -m 0755 ${pathText(directory)}`;
      const found = `whose directory ${pathText(directory)} does not exist`;
      return { found, want: `${want} (${make})` };
    }
    const where = `in ${pathText(directory)}`;
    if (typeof status === "string") return { found: `${where}, ${status}`, want };
    if (!status.isDirectory()) return { found: `${where}, which is no directory`, want };
    if (may(directory, constants.W_OK | constants.X_OK)) return undefined;
    return { found: `${where}, where ${this.#user} cannot make files`, want };
  }

  /** Words about a directory in which others could replace a socket. */
  #directoryFault(directory: string): Finding | undefined {
    const status = look(directory, true);
    if (status === undefined || typeof status === "string") return undefined;
    const where = `in ${pathText(directory)}`;
    const { uid } = this.#check.machine.user;
    if (status.uid !== uid && status.uid !== 0) {
      return {
        found: `${where}, a directory of uid ${status.uid}`,
        want: uid === 0 ? "one of root" : `one of ${this.#user} or root`,
      };
    }
    if ((status.mode & OTHERS_WRITE) === 0 || (status.mode & STICKY) !== 0) return undefined;
    return {
      found: `${where}, a directory with mode ${modeText(status.mode)}`,
      want: `one that only its owner may write to (chmod go-w ${pathText(directory)})`,
    };
  }

  #linkFault(directory: string): Finding | undefined {
    const status = look(directory);
    if (typeof status === "string" || status?.isSymbolicLink() !== true) return undefined;
    const found = `in ${pathText(directory)}, which is a symlink`;
    return { found, want: "the real directory: a link could be turned to another place" };
  }

  /**
   * True if the unit makes the directory of `path`, which is not there while the unit is stopped.
   */
  #isMadeByUnit(path: string): boolean {
    const { unit } = this.#check.machine;
    const directory = posix.normalize(dirname(path));
    return unit?.directories.includes(directory) === true && look(directory) === undefined;
  }

  /** Reports a path that the unit's sandbox makes read-only, whatever its mode says. */
  #isReadOnly(ref: KeyRef, path: string): boolean {
    const { unit } = this.#check.machine;
    if (unit?.writablePaths === undefined) return false;
    const open = [...unit.directories, ...unit.writablePaths];
    const real = posix.normalize(path);
    if (open.some((top) => top === "/" || real === top || real.startsWith(`${top}/`))) return false;
    const want = `a path below ${unit.directories.join(", ")}, or ReadWritePaths=${dirname(real)} in the unit`;
    this.#reportFound(ref, path, `which ${unit.name} makes read-only (ProtectSystem=strict)`, want);
    return true;
  }

  #report(ref: KeyRef, path: string, { found, want }: Finding): void {
    this.#reportFound(ref, path, found, want);
  }

  #reportFound(ref: KeyRef, path: string, found: string, want: string): void {
    this.#fault(ref, `${pathText(path)}, ${found}`, want);
  }

  /** The machine is at fault, or the file; never the use of an option: exit 78. */
  #fault(at: KeyRef, found: string, want: string): void {
    const fault = conflictFault(this.#document, { at, anchor: "value", found, want });
    this.#check.faults.push({ ...fault, onlyOptions: false });
  }
}

interface Finding {
  readonly found: string;
  readonly want: string;
}

/** What is at `path`; undefined = nothing; a text = why it cannot be read. */
function look(path: string, follow = false): Stats | string | undefined {
  try {
    const status = lstatSync(path);
    return follow && status.isSymbolicLink() ? lstatSync(`${path}/.`) : status;
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    return `which cannot be read (${code})`;
  }
}

function may(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
