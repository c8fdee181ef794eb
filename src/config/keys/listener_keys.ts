// The keys of [[listener]] by its kind (spec 07 section 2.4). What kinds share is said once.
import { SENDER_STATES_DEFAULT, SENDER_STATES_MAX } from "../../base/limits.ts";
import { isIpAddress, PORT_MAX } from "./address.ts";
import {
  account,
  accounts,
  flag,
  integer,
  literal,
  mode,
  secretFile,
  socketPath,
  text,
} from "./forms.ts";
import { key } from "./key.ts";

export const LISTENER_KINDS = ["unix", "udp", "secure-udp"] as const;
export type ListenerKind = (typeof LISTENER_KINDS)[number];

export const LISTENER_NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/;

const I32_MAX = 2_147_483_647;
const RCVBUF_BYTES_UNIX = 1_048_576;

const ACCEPT_RECOVERY = key("acceptRecovery", flag, {
  help: "Whether beats from here may lead to a recovery",
  reload: "restart",
});

const UNIX_KEYS = {
  ...sharedKeys("unix", RCVBUF_BYTES_UNIX),
  path: key("path", socketPath('the socket, such as "/run/varta/varta.sock"'), {
    help: "Path of the socket",
    reload: "live",
    required: true,
  }),
  mode: key("mode", mode, {
    help: "Mode of the socket file, in octal",
    reload: "live",
    byDefault: "0600",
  }),
  group: key("gid", account("group"), { help: "Group of the socket file", reload: "live" }),
  allow_uids: key("allowUids", accounts("user"), {
    help: "Users whose beats are accepted",
    reload: "live",
  }),
  allow_gids: key("allowGids", accounts("group"), {
    help: "Primary groups whose beats are accepted",
    reload: "live",
  }),
};

const UDP_KEYS = {
  ...sharedKeys("udp", 0),
  ...networkKeys("0.0.0.0"),
  accept_plaintext: key("acceptPlaintext", flag, {
    help: "Acknowledges that anybody can forge beats here",
    reload: "live",
    byDefault: false,
  }),
  accept_recovery: ACCEPT_RECOVERY,
};

const SECURE_UDP_KEYS = {
  ...sharedKeys("secure-udp", 0),
  ...networkKeys("127.0.0.1"),
  key_file: key("keyFile", secretFile("key", "a key file"), {
    help: "Shared key in use, 64 hex digits",
    reload: "live",
  }),
  accepted_key_file: key("acceptedKeyFile", secretFile("keys", "a key file"), {
    help: "Older shared keys, one per line",
    reload: "live",
  }),
  master_key_file: key("masterKeyFile", secretFile("key", "a key file"), {
    help: "Key that agent keys are derived from",
    reload: "live",
  }),
  sender_states: key(
    "senderStates",
    integer({ min: 1, max: SENDER_STATES_MAX, zeroWould: "refuse every sender" }),
    {
      help: "Senders whose replay state is kept",
      reload: "restart",
      byDefault: SENDER_STATES_DEFAULT,
    },
  ),
  accept_non_loopback: key("acceptNonLoopback", flag, {
    help: "Acknowledges that the address is reachable from outside",
    reload: "live",
    byDefault: false,
  }),
  accept_recovery: ACCEPT_RECOVERY,
};

export const LISTENER_KEYS = {
  unix: UNIX_KEYS,
  udp: UDP_KEYS,
  "secure-udp": SECURE_UDP_KEYS,
} as const;

function sharedKeys<const K extends ListenerKind>(kind: K, rcvbufBytes: number) {
  const nameWant =
    'a name of 1 to 32 characters from a-z, 0-9, "_" and "-", the first a letter or digit';
  return {
    kind: key("kind", literal(LISTENER_KINDS, kind), {
      help: "Kind of the listener",
      reload: "live",
      required: true,
    }),
    name: key("name", text(nameWant, LISTENER_NAME), {
      help: "Name of the listener in metrics and logs",
      reload: "live",
      computed: `${kind}-N, N from 0`,
    }),
    rcvbuf_bytes: key("rcvbufBytes", integer({ min: 0, max: I32_MAX }), {
      help: "Receive buffer asked of the kernel, in bytes; 0 = its default",
      reload: "live",
      byDefault: rcvbufBytes,
      unit: "bytes",
    }),
  };
}

function networkKeys(address: string) {
  const want = 'an IPv4 or IPv6 address, such as "127.0.0.1" or "::1"';
  const port = { min: 1, max: PORT_MAX, zeroWould: "take a port that no agent knows" };
  return {
    address: key("address", text(want, isIpAddress), {
      help: "Address to bind",
      reload: "live",
      byDefault: address,
    }),
    port: key("port", integer(port), { help: "UDP port", reload: "live", required: true }),
  };
}
