// Doors that a new configuration wants: bound before anything is closed, so that either all of them
// are there or nothing is changed (spec 17 section 7).
import type { Path } from "../config/problems/fault.ts";
import { SocketPathError } from "../sockets/socket_path.ts";
import { StartError } from "./start_error.ts";

export interface PreparedDoors {
  /** Between two turns: puts them in force and closes what they replace. Cannot fail. */
  commit(nowNs: number): void;
  /** They are not wanted after all: nothing of them stays. */
  drop(): void;
}

/** Nothing is to be opened. */
export const NO_DOORS: PreparedDoors = { commit() {}, drop() {} };

/** A door cannot be opened; `path` is the key at fault. */
export class DoorFault extends Error {
  override readonly name = "DoorFault";
  readonly path: Path;

  constructor(path: Path, text: string) {
    super(text);
    this.path = path;
  }

  /** What `open` makes; why it cannot is the fault of the key at `path`. */
  static within<Opened>(path: Path, open: () => Opened): Opened {
    try {
      return open();
    } catch (error) {
      if (error instanceof StartError || error instanceof SocketPathError)
        throw new DoorFault(path, `${error.message}; ${error.hint}`);
      throw error;
    }
  }
}

/** All of what `prepare` makes, or nothing of it. */
export function prepareAll(prepare: readonly (() => PreparedDoors)[]): PreparedDoors {
  const prepared: PreparedDoors[] = [];
  const drop = () => {
    for (const one of prepared.toReversed()) one.drop();
  };
  try {
    for (const one of prepare) prepared.push(one());
  } catch (error) {
    drop();
    throw error;
  }
  return {
    commit: (nowNs) => {
      for (const one of prepared) one.commit(nowNs);
    },
    drop,
  };
}
