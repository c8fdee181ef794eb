// What a reload changes of the listeners (spec 17 section 7): the keys of one are read before
// anything is changed, and taken over between two receives.
import { isDeepStrictEqual } from "node:util";
import { effectiveUid } from "../../ffi/process.ts";
import type { ListenerConfig, SecureUdpListenerConfig } from "../config/config.ts";
import type { Listener } from "../listener/listener.ts";
import { type SecureKeys, wipeKeys } from "../listener/key_ring.ts";
import { SecureUdpListener } from "../listener/secure_udp.ts";
import { readKeyFiles } from "../secrets/key_file.ts";
import { DoorFault, NO_DOORS, type PreparedDoors, prepareAll } from "./door_change.ts";

/** `listeners` are those that there are, in the order of both configurations. */
export function prepareListeners(
  listeners: readonly Listener[],
  before: readonly ListenerConfig[],
  next: readonly ListenerConfig[],
): PreparedDoors {
  return prepareAll(
    next.map((config, index) => () => {
      const listener = listeners[index];
      const old = before[index];
      const hasKeys = listener instanceof SecureUdpListener && config.kind === "secure-udp";
      if (!hasKeys || old?.kind !== "secure-udp" || holdsSame(old, config)) return NO_DOORS;
      const keys = keysOf(config, index);
      return { commit: () => listener.changeKeys(keys), drop: () => wipeKeys(keys) };
    }),
  );
}

function holdsSame(before: SecureUdpListenerConfig, now: SecureUdpListenerConfig): boolean {
  const digests = ({ keyDigest, acceptedKeysDigest, masterKeyDigest }: SecureUdpListenerConfig) => [
    keyDigest,
    acceptedKeysDigest,
    masterKeyDigest,
  ];
  return isDeepStrictEqual(digests(before), digests(now));
}

/** The check has read the same files, and kept nothing of them. */
function keysOf(config: SecureUdpListenerConfig, index: number): SecureKeys {
  const read = readKeyFiles(config, effectiveUid());
  if (read.ok) return read.keys;
  const { name } = config;
  throw new DoorFault(["listener", index], `listener ${name}: ${read.problems.join("; ")}`);
}
