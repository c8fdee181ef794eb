// Sockets that outlive the process (spec 05 section 9): the service manager hands them over at the
// start, and keeps those that the daemon made, so that what is sent between two daemons waits in
// them. Taken over is by name and by file, never by number; what does not fit is closed, taken out
// of the store, and made anew. A socket that a socket unit made is used as it is.
import { AF_UNIX, SOCK_DGRAM, SOCK_STREAM } from "../../ffi/constants.ts";
import { adoptDescriptor, type SocketFacts, socketFacts } from "../../ffi/descriptors.ts";
import { close, type SocketAddress } from "../../ffi/socket.ts";
import type { PassedDescriptor } from "../systemd/passed_descriptors.ts";
import { type FileAt, fileAt, misfitOf, unitDifferences } from "./kept_fit.ts";
import { PathLock } from "./path_lock.ts";
import type { BoundSocket, Inode, SocketFile } from "./socket_path.ts";
import { unlinkBoundPath } from "./socket_path.ts";
import {
  readStoredName,
  type SocketRole,
  type StoredName,
  storedNameText,
  storedUdpName,
  type UdpPlace,
  udpPortIn,
} from "./stored_name.ts";

/** What the daemon wants to have a socket for. */
export interface WantedSocket extends SocketFile {
  readonly role: SocketRole;
}

export interface TakenSocket {
  readonly fd: number;
  readonly bound: BoundSocket;
  /** A socket unit made it: it is not stored, unlinked, or bound anew. */
  readonly isOfUnit: boolean;
}

/** Where descriptors are kept for the next start. */
interface Store {
  add(name: string, fd: number): void;
  remove(name: string): void;
  has(name: string): boolean;
}

interface KeptReports {
  /** A stored socket is made anew. */
  madeAnew(path: string, reason: string): void;
  /** A socket of a unit is used although it is not as it is configured. */
  disagrees(path: string, differences: readonly string[]): void;
  /** Nobody wants it. */
  closed(name: string, reason: string): void;
  /** No sockets: numbers that were not handed over may be the runtime's own. */
  leftAlone(fds: readonly number[]): void;
}

interface KeptOptions {
  /** Undefined = there is no service manager that would keep anything. */
  readonly store: Store | undefined;
  readonly passed: readonly PassedDescriptor[];
  /** net.unix.max_dgram_qlen now; undefined = it is not known. */
  readonly queueLength: number | undefined;
  readonly reports: KeptReports;
}

interface Passed extends PassedDescriptor {
  readonly facts: SocketFacts;
  /** Undefined = the daemon did not store it, or not for a path. */
  readonly stored: StoredName | undefined;
}

export class KeptSockets {
  readonly #options: KeptOptions;
  /** What was handed over and not taken yet. */
  #passed: Passed[];
  /** Names in the store by descriptor. */
  readonly #names = new Map<number, string>();
  /** Where a socket was taken over: its path, or the name of a UDP socket. */
  readonly #takenAt = new Set<string>();
  #isEnding = false;

  constructor(options: KeptOptions) {
    this.#options = options;
    const foreign: number[] = [];
    this.#passed = options.passed.flatMap(({ fd, name }) => {
      const facts = socketFacts(fd);
      const stored = readStoredName(name);
      if (facts === undefined || (name === "" && isBoundNowhere(facts))) {
        foreign.push(fd);
        if (stored !== undefined) options.store?.remove(name);
        return [];
      }
      adoptDescriptor(fd);
      return [{ fd, name, facts, stored }];
    });
    if (foreign.length > 0) options.reports.leftAlone(foreign);
  }

  /**
   * The socket that was handed over for this path, if it fits; else the identity of the file that
   * may be replaced although it answers, or undefined. Throws `SocketPathError` if another daemon
   * has the path.
   */
  take(wanted: WantedSocket): TakenSocket | Inode | undefined {
    const file = this.#passed.length === 0 ? undefined : fileAt(wanted.path);
    if (file === undefined) return undefined;
    const found = this.#takeStored(wanted, file) ?? this.#takeOfUnit(wanted, file);
    if (isTaken(found)) this.#takenAt.add(wanted.path);
    return found;
  }

  /** The stored UDP socket that is bound to the address; undefined = there is none. */
  takeUdp(place: UdpPlace, { family, bytes }: SocketAddress): number | undefined {
    const found = this.#passed.find(
      ({ name, facts }) =>
        udpPortIn(name) !== undefined &&
        facts.family === family &&
        facts.type === SOCK_DGRAM &&
        Buffer.compare(facts.address, bytes) === 0,
    );
    if (found === undefined) return undefined;
    this.#drop(found);
    this.#takenAt.add(storedUdpName(place));
    if (this.#options.store !== undefined) this.#names.set(found.fd, found.name);
    return found.fd;
  }

  /** True if the socket there was there before the process. */
  tookOver(place: string | UdpPlace): boolean {
    return this.#takenAt.has(typeof place === "string" ? place : storedUdpName(place));
  }

  /** Stored UDP sockets of the port that were not taken, and will be closed. */
  udpLeaving(port: number): number[] {
    return this.#passed.flatMap(({ fd, name }) => (udpPortIn(name) === port ? [fd] : []));
  }

  /** Keeps a UDP socket that the daemon made. */
  keepUdp(fd: number, place: UdpPlace): void {
    if (this.#options.store !== undefined) this.#store(fd, storedUdpName(place));
  }

  /** Keeps a socket that the daemon made, under a name that says where it is. */
  keep(fd: number, { role, mode }: WantedSocket, { dev, ino }: Inode): void {
    const { store, queueLength } = this.#options;
    if (store === undefined) return;
    this.#store(fd, storedNameText({ role, queueLength: queueLength ?? 0, dev, ino, mode }));
  }

  /** Its file has another mode now. */
  changeMode(fd: number, mode: number): void {
    const name = this.#names.get(fd);
    const stored = name === undefined ? undefined : readStoredName(name);
    if (name === undefined || stored === undefined || stored.mode === mode) return;
    const changed = storedNameText({ ...stored, mode });
    // The service manager takes one descriptor once: under its other name it would be ignored.
    this.#options.store!.remove(name);
    this.#store(fd, changed);
  }

  /** Its file is gone: no daemon that starts would want it. */
  forget(fd: number): void {
    const name = this.#names.get(fd);
    if (name === undefined) return;
    this.#names.delete(fd);
    this.#options.store!.remove(name);
  }

  /**
   * The socket is about to be closed here. True = it lives on for the next daemon, and so must its
   * file; else it is taken out of the store.
   */
  release(fd: number): boolean {
    const name = this.#names.get(fd);
    if (name === undefined) return false;
    if (this.#isEnding && this.#options.store!.has(name)) return true;
    this.forget(fd);
    return false;
  }

  /** The process ends: what is stored stays so. */
  beginEnd(): void {
    this.#isEnding = true;
  }

  /** Everything is open: what was handed over and nobody wants is closed. */
  closeRest(): void {
    const taken = new Set(this.#names.values());
    for (const one of this.#passed.splice(0)) {
      const { name, stored, fd, facts } = one;
      // Under the name of one that was taken, the file and the entry in the store are that one's.
      if (!taken.has(name)) {
        if (stored !== undefined) unlinkUnwanted(facts, stored);
        if (stored !== undefined || udpPortIn(name) !== undefined)
          this.#options.store?.remove(name);
      }
      this.#options.reports.closed(name, reasonOf(one));
      close(fd);
    }
  }

  #takeStored(wanted: WantedSocket, file: FileAt): TakenSocket | Inode | undefined {
    const { store, queueLength, reports } = this.#options;
    const found = this.#passed.find(
      ({ stored }) =>
        stored?.role === wanted.role && stored.dev === file.dev && stored.ino === file.ino,
    );
    if (found === undefined) return undefined;
    const { fd, name, facts } = found;
    const { dev, ino } = file;
    const misfit = isOfRole(facts, wanted.role)
      ? misfitOf(found.stored!, { wanted, file, queueLength })
      : "it is a socket of another kind";
    if (misfit === "") {
      const lock = new PathLock(wanted);
      this.#drop(found);
      if (store !== undefined) this.#names.set(fd, name);
      return { fd, bound: { path: wanted.path, dev, ino, lock }, isOfUnit: false };
    }
    this.#drop(found);
    store?.remove(name);
    close(fd);
    reports.madeAnew(wanted.path, misfit);
    return { dev, ino };
  }

  #takeOfUnit(wanted: WantedSocket, file: FileAt): TakenSocket | undefined {
    const { path, role } = wanted;
    const found = this.#passed.find(
      ({ stored, facts }) => stored === undefined && isOfRole(facts, role) && facts.path === path,
    );
    if (found === undefined) return undefined;
    this.#drop(found);
    const differences = unitDifferences(wanted, file, found.fd);
    if (differences.length > 0) this.#options.reports.disagrees(path, differences);
    const { dev, ino } = file;
    return { fd: found.fd, bound: { path, dev, ino }, isOfUnit: true };
  }

  #store(fd: number, name: string): void {
    this.#names.set(fd, name);
    this.#options.store!.add(name, fd);
  }

  #drop(one: Passed): void {
    this.#passed = this.#passed.filter((other) => other !== one);
  }
}

/** True if `take` gave a socket. */
export function isTaken(found: TakenSocket | Inode | undefined): found is TakenSocket {
  return found !== undefined && "fd" in found;
}

function isBoundNowhere({ family, path }: SocketFacts): boolean {
  return family === AF_UNIX && path === "";
}

function isOfRole(facts: SocketFacts, role: SocketRole): boolean {
  if (facts.family !== AF_UNIX) return false;
  if (role === "beat") return facts.type === SOCK_DGRAM;
  return facts.type === SOCK_STREAM && facts.isListening;
}

// The path that it was bound to, which after a rename is none that anybody knows.
function unlinkUnwanted({ path }: SocketFacts, { dev, ino }: StoredName): void {
  if (path.startsWith("/") && !path.startsWith("/proc/")) unlinkBoundPath({ path, dev, ino });
}

function reasonOf({ name, stored, facts }: Passed): string {
  if (udpPortIn(name) !== undefined) return "no configured listener has its address";
  if (stored !== undefined) return "no configured path has its file";
  if (facts.family !== AF_UNIX) return "only Unix sockets are taken from a socket unit";
  return facts.path === ""
    ? "it has no path"
    : `no listener, and not the control socket, is at ${facts.path} with its type`;
}
