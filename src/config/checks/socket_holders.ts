// Who holds a socket that a start would want: a varta-watch, which is no surprise, or another
// program. The kernel's tables show every user the owner of a socket; which process has it open,
// only that owner and root can see.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { ProcReader } from "../../processes/proc_reader.ts";

export interface SocketHolder {
  readonly uid: number | undefined;
  readonly pid: number | undefined;
  /** Name of the program, if the process is known. */
  readonly program: string | undefined;
  readonly isOurs: boolean;
}

interface SocketHoldersOptions {
  /** Whether a process with this command line is a daemon of this program. */
  readonly isOurs: (argv: readonly string[]) => boolean;
}

interface Process {
  readonly pid: number;
  readonly uid: number;
  readonly program: string;
  readonly isOurs: boolean;
}

const TCP_LISTEN = "0A";

export class SocketHolders {
  readonly #reader = new ProcReader();
  readonly #isOurs: SocketHoldersOptions["isOurs"];
  #processes: readonly Process[] | undefined;
  readonly #pidByInode = new Map<string, number>();

  constructor({ isOurs }: SocketHoldersOptions) {
    this.#isOurs = isOurs;
  }

  /** Reads every process now, while this one still may. */
  look(): void {
    this.#processes ??= this.#readProcesses();
  }

  /**
   * Who is bound to this UDP port, or listens at this TCP port; undefined if the tables do not say.
   */
  ofPort(protocol: "udp" | "tcp", port: number): SocketHolder | undefined {
    const wanted = port.toString(16).toUpperCase().padStart(4, "0");
    for (const table of [protocol, `${protocol}6`]) {
      for (const columns of this.#rows(table)) {
        const isBound = columns[1]?.split(":")[1] === wanted;
        if (!isBound || (protocol === "tcp" && columns[3] !== TCP_LISTEN)) continue;
        return this.#holder(columns[9]!, Number(columns[7]));
      }
    }
    return undefined;
  }

  /** Who is bound to this path; `uid` is the owner of the file there. */
  ofPath(path: string, uid: number): SocketHolder {
    for (const columns of this.#rows("unix")) {
      if (columns[7] === path) return this.#holder(columns[6]!, uid);
    }
    return this.#holder("", uid);
  }

  #holder(inode: string, uid: number): SocketHolder {
    this.look();
    const processes = this.#processes!;
    const pid = this.#pidByInode.get(inode);
    const found = processes.find((process) => process.pid === pid);
    if (found !== undefined) return { ...found, uid };
    // Not to be seen from here. A varta-watch of the same user is a better guess than another
    // program.
    const ours = processes.find((process) => process.isOurs && process.uid === uid);
    return { uid, pid: ours?.pid, program: ours?.program, isOurs: ours !== undefined };
  }

  #readProcesses(): Process[] {
    return this.#reader.pids().flatMap((pid) => {
      const argv = this.#reader.argv(pid);
      const uid = this.#reader.realUid(pid);
      // It has ended, or belongs to the kernel.
      if (Number.isNaN(uid) || argv[0] === "") return [];
      for (const { link } of this.#reader.descriptors(pid)) {
        const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
        if (inode !== undefined) this.#pidByInode.set(inode, pid);
      }
      return [{ pid, uid, program: basename(argv[0]!), isOurs: this.#isOurs(argv) }];
    });
  }

  // A table is as long as there are sockets, and not small.
  #rows(table: string): string[][] {
    const lines = textOf(`/proc/net/${table}`).split("\n").slice(1);
    return lines.map((line) => line.trim().split(/\s+/));
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
