// What a reload changes of the listeners (spec 17 section 7). A listener is known by its name, and
// a socket by its address: a listener goes on with its number, its members and its replay state
// wherever it is moved to, and a socket that another listener of the new configuration has goes
// over to it with what is queued in it. So nothing is bound twice, two listeners can exchange their
// addresses, and a listener that did not change is not touched.
import { isDeepStrictEqual } from "node:util";
import { LISTENERS_MAX } from "../base/limits.ts";
import type { Config, ListenerConfig } from "../config/config.ts";
import { type SecureKeys, wipeKeys } from "../listener/key_ring.ts";
import type { Listener } from "../listener/listener.ts";
import { SecureUdpListener } from "../listener/secure_udp.ts";
import { UnixListener } from "../listener/unix.ts";
import type { UdpSocket } from "../listener/udp_socket.ts";
import type { UnixSocket } from "../listener/unix_socket.ts";
import { UnixStreamListener } from "../listener/unix_stream.ts";
import type { UnixStreamSocket } from "../listener/unix_stream_socket.ts";
import { showListener } from "../observer/observer_counters.ts";
import { checkGroup } from "../sockets/socket_path.ts";
import { DoorFault, type PreparedDoors } from "./door_change.ts";
import { warnAboutListener } from "./doors.ts";
import * as kinds from "./listener_kinds.ts";
import type { DaemonListener, ListenerSocket } from "./listener_kinds.ts";
import type { Parts } from "./parts.ts";
import { logListening } from "./start_lines.ts";

/** A listener that is in force. */
interface Held {
  readonly config: ListenerConfig;
  readonly number: number;
  readonly listener: DaemonListener;
}

/** A listener of the new configuration. */
interface Wanted {
  readonly config: ListenerConfig;
  readonly number: number;
  readonly listener: DaemonListener;
  /** The one in force that goes on as this; undefined = it is a new one. */
  readonly own: Held | undefined;
  /** Whose socket it takes over, if that is another one. */
  readonly from: Held | undefined;
  /** What was bound for it. */
  readonly bound: ListenerSocket | undefined;
  /** Other keys. */
  readonly keys: SecureKeys | undefined;
}

type ListenerParts = Pick<
  Parts,
  "observer" | "metrics" | "rubbish" | "listenerNames" | "live" | "log" | "kept"
>;

/** Binds what `next` wants and is not bound; throws `DoorFault`, and then nothing is. */
export function prepareListeners(parts: ListenerParts, next: Config): PreparedDoors {
  const change = new ListenerChange(parts, next);
  try {
    for (const [index, config] of next.listeners.entries()) change.want(config, index);
  } catch (error) {
    change.drop();
    throw error;
  }
  return change;
}

class ListenerChange implements PreparedDoors {
  readonly #parts: ListenerParts;
  readonly #held: readonly Held[];
  readonly #wanted: Wanted[] = [];
  /** How what was opened is closed again. */
  readonly #drops: (() => void)[] = [];
  /** Sockets at addresses that no listener has any more. */
  readonly #leaving: readonly ListenerSocket[];
  /** The number of the next listener whose name was not there before. */
  #nextNumber: number;

  constructor(parts: ListenerParts, next: Config) {
    const { observer, listenerNames, live } = parts;
    this.#parts = parts;
    this.#nextNumber = listenerNames.length;
    this.#held = live.current.listeners.map((config) => {
      const number = listenerNames.indexOf(config.name);
      return { config, number, listener: observer.listeners[number] as DaemonListener };
    });
    const addresses = new Set(next.listeners.map(kinds.addressOf));
    const leaving = this.#held.filter(({ config }) => !addresses.has(kinds.addressOf(config)));
    this.#leaving = leaving.map(({ listener }) => listener.socket);
  }

  want(config: ListenerConfig, index: number): void {
    const open = <Opened>(key: string, make: () => Opened): Opened =>
      DoorFault.within(["listener", index, key], () => kinds.opening(config, make));
    const address = kinds.addressOf(config);
    const own = this.#held.find(({ config: { name, kind } }) => {
      return name === config.name && kind === config.kind;
    });
    const at = this.#held.find((held) => kinds.addressOf(held.config) === address);
    const from = at === own ? undefined : at;
    const number = this.#numberOf(config, index);
    const keys =
      own === undefined || !holdsSame(own.config, config)
        ? open("key_file", () => kinds.keysOf(config))
        : undefined;
    if (keys !== undefined) this.#drops.push(() => wipeKeys(keys));
    const place = "path" in config ? "path" : "port";
    const held = { leaving: this.#leaving, kept: this.#parts.kept };
    const bound = at === undefined ? open(place, () => kinds.bindAnother(config, held)) : undefined;
    if (bound !== undefined) this.#drops.push(() => bound.close());
    if ("path" in config && at !== undefined && "path" in at.config) {
      const { gid, path } = config;
      if (gid !== undefined && gid !== at.config.gid) open("group", () => checkGroup(path, gid));
    }
    const socket = bound ?? at!.listener.socket;
    const listener =
      own?.listener ??
      open(place, () => kinds.makeListener(config, { parts: this.#parts, socket, keys }));
    const isNew = own === undefined;
    this.#wanted.push({
      config,
      number,
      listener,
      own,
      from,
      bound,
      keys: isNew ? undefined : keys,
    });
  }

  drop(): void {
    for (const { own, listener } of this.#wanted) {
      if (own !== undefined) continue;
      listener.forsake();
      listener.close();
    }
    for (const drop of this.#drops) drop();
  }

  commit(nowNs: number): void {
    const { observer, listenerNames } = this.#parts;
    const left = this.#held.filter((held) => this.#wanted.every(({ own }) => own !== held));
    for (const { number, config } of this.#wanted) listenerNames[number] = config.name;
    this.#giveSockets(left, nowNs);
    for (const wanted of this.#wanted) this.#configure(wanted);
    const changes = new Map<number, Listener | undefined>();
    for (const { number, listener } of left) {
      listener.close();
      changes.set(number, undefined);
    }
    for (const { number, listener, own } of this.#wanted)
      if (own === undefined) changes.set(number, listener);
    if (changes.size > 0) observer.changeListeners(changes);
    this.#show(changes);
    this.#forgetRubbish(nowNs);
    for (const held of left) this.#tellOfEnd(held);
    for (const wanted of this.#wanted) this.#tellOfBegin(wanted);
  }

  /** Each socket to who has it from now on; those that nobody has are closed. */
  #giveSockets(left: readonly Held[], nowNs: number): void {
    // As they are now: one whose file was lost may have been bound again since.
    const sockets = this.#wanted.map(
      ({ listener, from, bound }) => from?.listener.socket ?? bound ?? listener.socket,
    );
    const taken = new Set(sockets);
    for (const [index, { listener }] of this.#wanted.entries()) {
      const before = listener.socket;
      const socket = sockets[index]!;
      if (socket === before) continue;
      const isLeft = !taken.has(before);
      if (listener instanceof UnixListener) listener.moveTo(socket as UnixSocket, isLeft, nowNs);
      else if (listener instanceof UnixStreamListener)
        listener.moveTo(socket as UnixStreamSocket, isLeft);
      else {
        listener.moveTo(socket as UdpSocket);
        if (isLeft) before.close();
      }
    }
    for (const { listener } of left) if (taken.has(listener.socket)) listener.forsake();
  }

  #configure({ config, number, listener, own, from, keys }: Wanted): void {
    // Of a network listener, what every beat of it counts as.
    const [before] = (own ?? from)?.listener.batch.origin ?? [];
    kinds.changeListener(listener, config);
    if (keys !== undefined && listener instanceof SecureUdpListener) listener.changeKeys(keys);
    const members = own ?? from;
    if (members?.config.kind !== config.kind) return;
    const { slots, table, len } = this.#parts.observer.tracker;
    const [now] = listener.batch.origin;
    const isNetwork = !("path" in config);
    if (members.number === number && (!isNetwork || now === before)) return;
    for (let slot = 0; slot < len; slot++) {
      if (slots.listener[slot] !== members.number) continue;
      const origin = slots.origin[slot]!;
      table.moveTo(slot, number, isNetwork && origin === before ? now! : origin);
    }
  }

  #show(changes: ReadonlyMap<number, Listener | undefined>): void {
    const { metrics, observer, rubbish } = this.#parts;
    const show = metrics.show.bind(metrics);
    for (const [number, listener] of changes) {
      metrics.hideListener(number);
      if (listener === undefined) continue;
      metrics.showListener(number, listener.name);
      showListener(observer, number, show);
      rubbish.showListener(number, show);
    }
  }

  #forgetRubbish(nowNs: number): void {
    for (const { number, own, from, bound } of this.#wanted)
      if (own === undefined || from !== undefined || bound !== undefined)
        this.#parts.rubbish.forget(number, nowNs);
  }

  // Members that beat by it, and by nothing else, fall silent now.
  #tellOfEnd({ config, number }: Held): void {
    const { log, observer } = this.#parts;
    const { slots, len } = observer.tracker;
    let members = 0;
    for (let slot = 0; slot < len; slot++) if (slots.listener[slot] === number) members += 1;
    if (members === 0) log.info("listener removed", { listener: config.name });
    else
      log.warn("listener removed", {
        listener: config.name,
        members,
        effect: "they stall unless they beat by another listener",
      });
  }

  #tellOfBegin({ config, own, from, bound }: Wanted): void {
    if (own !== undefined && isDeepStrictEqual(own.config, config)) return;
    warnAboutListener(this.#parts, config);
    if (own === undefined || from !== undefined || bound !== undefined)
      logListening(this.#parts.log, config);
  }

  #numberOf({ name }: ListenerConfig, index: number): number {
    const known = this.#parts.listenerNames.indexOf(name);
    if (known >= 0) return known;
    if (this.#nextNumber < LISTENERS_MAX) return this.#nextNumber++;
    const found = `found one name more than the ${LISTENERS_MAX} that listeners may have had`;
    throw new DoorFault(["listener", index, "name"], `${found} since the start; want a restart`);
  }
}

function holdsSame(before: ListenerConfig, now: ListenerConfig): boolean {
  return isDeepStrictEqual(digestsOf(before), digestsOf(now));
}

function digestsOf(config: ListenerConfig): unknown[] {
  if (config.kind !== "secure-udp") return [];
  const { keyDigest, acceptedKeysDigest, masterKeyDigest } = config;
  return [keyDigest, acceptedKeysDigest, masterKeyDigest];
}
