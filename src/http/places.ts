// Who may connect to the HTTP server (spec 13 section 2): one too many takes the place of the one
// that has waited longest without asking for anything, so that no bound keeps others out.
import { POLLIN } from "../../ffi/constants.ts";
import type { Readiness } from "../../ffi/readiness.ts";
import { close } from "../../ffi/socket.ts";
import { lowered } from "../../ffi/stream.ts";
import * as limits from "../base/limits.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionTable } from "./connection_table.ts";
import { type CountHttp, HTTP, type HttpCell } from "./counters.ts";
import type { ConnectionRoom } from "./descriptor_reserve.ts";

interface PlacesOptions {
  readonly connections: ConnectionTable;
  readonly readiness: Readiness;
  readonly room: ConnectionRoom;
  readonly count: CountHttp;
  readonly nowNs: () => number;
  readonly end: (open: Connection) => void;
}

export class Places {
  readonly #options: PlacesOptions;

  constructor(options: PlacesOptions) {
    this.#options = options;
  }

  /** The connection that was accepted at `accepted`; undefined = there is no place for it. */
  take(accepted: number, address: string | undefined): Connection | undefined {
    const { connections, readiness, room, count, nowNs } = this.#options;
    const refused = this.#makePlace(accepted, address);
    if (refused !== undefined) {
      count(refused);
      close(accepted);
      return undefined;
    }
    const fd = accepted < room.fdEnd ? accepted : lowered(accepted);
    if (fd >= room.fdEnd || readiness.add(fd, POLLIN) < 0) {
      count(HTTP.dropped.descriptors);
      close(fd);
      return undefined;
    }
    const opened = connections.add(fd, address);
    opened.events = POLLIN;
    opened.sinceNs = nowNs();
    connections.setDeadline(opened, opened.sinceNs + limits.HTTP_HEAD_NS_MAX);
    return opened;
  }

  /** Why there is no place for a connection at `fd`; undefined = there is, or was made. */
  #makePlace(fd: number, address: string | undefined): HttpCell | undefined {
    const { connections, room } = this.#options;
    const ofAddress = address === undefined ? 0 : connections.countOf(address);
    if (ofAddress >= limits.HTTP_CONNECTIONS_PER_ADDRESS_MAX)
      return this.#displace(HTTP.dropped.address_connections, address);
    if (connections.size >= room.connectionsMax)
      return this.#displace(HTTP.dropped.connections, undefined);
    // Files have taken what connections could have had: one of them gives its number to the new
    // one.
    if (fd >= room.fdEnd) return this.#displace(HTTP.dropped.descriptors, undefined);
    return undefined;
  }

  /**
   * Closes the one that has waited longest, of `address` if one is given, and counts `cell`; `cell`
   * if all of them are being answered.
   */
  #displace(cell: HttpCell, address: string | undefined): HttpCell | undefined {
    const { connections, count, end } = this.#options;
    const longest = connections.longestIdle(address);
    if (longest === undefined) return cell;
    count(cell);
    end(longest);
    return undefined;
  }
}
