// The keys of [[listener]] by its kind (spec 07 section 2.4). What kinds share is said once.

// biome-ignore-all format: a table reads best with a row in few lines
import { SENDER_STATES_DEFAULT } from "../../base/limits.ts";
import { isIpAddress, PORT_MAX } from "./address.ts";
import { flag, integer, literal, mode, secretFile, socketPath, text } from "./forms.ts";
import { account, accounts } from "./list_forms.ts";
import { live, restart } from "./key.ts";

/** A state takes about 100 bytes, all of them at start: 6 MiB. */
const SENDER_STATES_MAX = 65_536;

export const LISTENER_KINDS = ["unix", "unix-stream", "notify", "udp", "secure-udp"] as const;
export type ListenerKind = (typeof LISTENER_KINDS)[number];

/** Whether it has a socket file, and senders that the kernel attests. */
export function isUnixKind(
  kind: ListenerKind | undefined,
): kind is "unix" | "unix-stream" | "notify" {
  return kind === "unix" || kind === "unix-stream" || kind === "notify";
}

export const LISTENER_NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/;

const I32_MAX = 2_147_483_647;
const RCVBUF_BYTES_UNIX = 1_048_576;

const ACCEPT_RECOVERY = live("acceptRecovery", flag,
  "Whether beats from here may lead to a recovery");

const SOCKET_FILE_KEYS = {
  path: live("path", socketPath('the socket, such as "/run/varta/varta.sock"'),
    "Path of the socket", { required: true }),
  mode: live("mode", mode, "Mode of the socket file, in octal", { byDefault: "0600" }),
  group: live("gid", account("group"), "Group of the socket file"),
  allow_uids: live("allowUids", accounts("user"), "Users whose beats are accepted"),
  allow_gids: live("allowGids", accounts("group"), "Primary groups whose beats are accepted"),
  containers: live("containers", flag,
    "Accepts senders in containers by the pid that they have there", { byDefault: false }),
};

const UNIX_KEYS = { ...sharedKeys("unix"), ...rcvbufKey(RCVBUF_BYTES_UNIX), ...SOCKET_FILE_KEYS };

// A receive buffer of a stream would bound nothing: what waits is the sender's.
const UNIX_STREAM_KEYS = { ...sharedKeys("unix-stream"), ...SOCKET_FILE_KEYS };

const NOTIFY_KEYS = { ...sharedKeys("notify"), ...SOCKET_FILE_KEYS };

const UDP_KEYS = {
  ...sharedKeys("udp"),
  ...rcvbufKey(0),
  ...networkKeys("0.0.0.0"),
  accept_plaintext: live("acceptPlaintext", flag,
    "Accepts unauthenticated beats: any sender can beat for any pid", { byDefault: false }),
  accept_recovery: ACCEPT_RECOVERY,
};

const SECURE_UDP_KEYS = {
  ...sharedKeys("secure-udp"),
  ...rcvbufKey(0),
  ...networkKeys("127.0.0.1"),
  key_file: live("keyFile", secretFile("key", "a key file"), "Shared key in use, 64 hex digits",
    { loads: "keyDigest" }),
  accepted_key_file: live("acceptedKeyFile", secretFile("keys", "a key file"),
    "Older shared keys, one per line", { loads: "acceptedKeysDigest" }),
  master_key_file: live("masterKeyFile", secretFile("key", "a key file"),
    "Key that agent keys are derived from", { loads: "masterKeyDigest" }),
  sender_states: restart("senderStates",
    integer({ min: 1, max: SENDER_STATES_MAX, zeroWould: "refuse every sender" }),
    "Senders whose replay state is kept", { byDefault: SENDER_STATES_DEFAULT, unit: "senders" }),
  accept_non_loopback: live("acceptNonLoopback", flag,
    "Accepts an address that is reachable from outside", { byDefault: false }),
  accept_recovery: ACCEPT_RECOVERY,
};

export const LISTENER_KEYS = {
  unix: UNIX_KEYS,
  "unix-stream": UNIX_STREAM_KEYS,
  notify: NOTIFY_KEYS,
  udp: UDP_KEYS,
  "secure-udp": SECURE_UDP_KEYS,
} as const;

function sharedKeys<const K extends ListenerKind>(kind: K) {
  const nameWant =
    'a name of 1 to 32 characters from a-z, 0-9, "_" and "-", the first a letter or digit';
  return {
    kind: live("kind", literal(LISTENER_KINDS, kind), "Kind of the listener", { required: true }),
    name: live("name", text(nameWant, LISTENER_NAME), "Name of the listener in metrics and logs",
      { computed: `${kind}-N, N from 0` }),
  };
}

function rcvbufKey(rcvbufBytes: number) {
  return {
    rcvbuf_bytes: live("rcvbufBytes", integer({ min: 0, max: I32_MAX }),
      "Receive buffer asked of the kernel, in bytes; 0 = its default",
      { byDefault: rcvbufBytes, unit: "bytes" }),
  };
}

function networkKeys(address: string) {
  const want = 'an IPv4 or IPv6 address, such as "127.0.0.1" or "::1"';
  const port = { min: 1, max: PORT_MAX, zeroWould: "take a port that no agent knows" };
  return {
    address: live("address", text(want, isIpAddress), "Address to bind", { byDefault: address }),
    port: live("port", integer(port), "UDP port", { required: true }),
  };
}
