// Where "varta-watch beat" beats to, from its options: a Unix socket, or an address with or without
// a key file. Key files are judged as the daemon judges its own.
import { statSync } from "node:fs";
import { effectiveUid } from "../../ffi/process.ts";
import { type Client, connect, connectSecureUdp, connectUdp } from "../client/mod.ts";
import { defaultSocket } from "../config/runtime_directory.ts";
import { parseListen } from "../config/keys/address.ts";
import { readKeyFiles } from "../secrets/key_file.ts";
import { type Invocation, ownText } from "./invocation.ts";

const EXIT_USAGE = 64;
/** EX_CONFIG, as for the key files of the daemon. */
const EXIT_KEY_FILE = 78;

type BeatTarget =
  | { readonly ok: true; readonly client: Client }
  | { readonly ok: false; readonly error: string; readonly hint: string; readonly exit: number };

/** The command may beat faster than a client should look for an observer; it says why itself. */
const OPTIONS = { reconnectMs: 0, warn: false } as const;

export function beatTarget(invocation: Invocation): BeatTarget {
  const socket = ownText(invocation, "socket");
  const udp = ownText(invocation, "udp");
  const keyFile = ownText(invocation, "key-file");
  const masterKeyFile = ownText(invocation, "master-key-file");
  const keyOption = masterKeyFile === undefined ? "--key-file" : "--master-key-file";
  if (udp === undefined) {
    if (keyFile !== undefined || masterKeyFile !== undefined)
      return wrongUse(`found ${keyOption} without --udp; want --udp IP:PORT beside it`);
    const path = socket ?? defaultSocket(effectiveUid(), process.env).path;
    return { ok: true, client: connect(path, OPTIONS) };
  }
  if (socket !== undefined) return wrongUse("found --socket and --udp; want one of them");
  if (keyFile !== undefined && masterKeyFile !== undefined)
    return wrongUse("found --key-file and --master-key-file; want one of them");
  const address = parseListen(udp);
  if (address === undefined || address.kind !== "tcp" || address.port === 0)
    return wrongUse(
      `found "${udp}" after --udp; want an IP address and a port, such as 192.0.2.10:7878 or [2001:db8::10]:7878`,
    );
  const to = { ...OPTIONS, host: address.host, port: address.port };
  const path = keyFile ?? masterKeyFile;
  if (path === undefined) return { ok: true, client: connectUdp(to) };
  return sealedTarget(path, masterKeyFile !== undefined, to);
}

function sealedTarget(
  path: string,
  isMaster: boolean,
  to: { host: string; port: number },
): BeatTarget {
  const read = readKeyFiles(
    {
      keyFile: isMaster ? undefined : path,
      acceptedKeyFile: undefined,
      masterKeyFile: isMaster ? path : undefined,
    },
    readerUid(path),
  );
  if (!read.ok)
    return {
      ok: false,
      error: `cannot read the key: ${read.problems.join("; ")}`,
      hint: `"varta-watch keygen --out FILE" makes a key file`,
      exit: EXIT_KEY_FILE,
    };
  const { shared, master } = read.keys;
  const key = isMaster ? { masterKey: master! } : { key: shared[0]! };
  const client = connectSecureUdp({ ...to, ...key });
  for (const key of [...shared, master]) key?.fill(0);
  return { ok: true, client };
}

// Root may read the key file of the daemon's user, any other user only their own.
function readerUid(path: string): number {
  const uid = effectiveUid();
  if (uid !== 0) return uid;
  return statSync(path, { throwIfNoEntry: false })?.uid ?? uid;
}

function wrongUse(error: string): BeatTarget {
  const hint = '"varta-watch help beat" shows what is possible';
  return { ok: false, error, hint, exit: EXIT_USAGE };
}
