// The name under which the service manager keeps a socket (spec 05 section 9.1). Of a Unix socket
// it says what the next daemon must know before it takes the socket over, and cannot ask of it:
// which file it is at (its own address is the one that it was bound to, before it was renamed),
// with which mode, and the length of its queue, which is fixed for life. A UDP socket says itself
// where it is; its name tells people.

/** "beat" = a Unix datagram listener, "stream" = a Unix stream listener. */
export type SocketRole = "beat" | "stream" | "control";

export interface StoredName {
  readonly role: SocketRole;
  /** net.unix.max_dgram_qlen when it was made; 0 = it was not known. */
  readonly queueLength: number;
  readonly dev: bigint;
  readonly ino: bigint;
  /** Permission bits of the file. */
  readonly mode: number;
}

const FORMAT =
  /^varta-(beat|stream|control)-q([0-9]{1,10})-d([0-9]{1,20})-i([0-9]{1,20})-m([0-7]{3,4})$/;

export function storedNameText({ role, queueLength, dev, ino, mode }: StoredName): string {
  const octal = mode.toString(8).padStart(3, "0");
  return `varta-${role}-q${queueLength}-d${dev}-i${ino}-m${octal}`;
}

/** Undefined = this is no name of a socket that a daemon stored. */
export function readStoredName(text: string): StoredName | undefined {
  const [, role, queueLength, dev, ino, mode] = FORMAT.exec(text) ?? [];
  if (role === undefined) return undefined;
  return {
    role: role as SocketRole,
    queueLength: Number(queueLength),
    dev: BigInt(dev!),
    ino: BigInt(ino!),
    mode: Number.parseInt(mode!, 8),
  };
}

/** Where a UDP listener is, as it is configured. */
export interface UdpPlace {
  readonly address: string;
  readonly port: number;
}

const UDP_FORMAT = /^varta-udp-p([0-9]{1,5})-a[^:]+$/;

export function storedUdpName({ address, port }: UdpPlace): string {
  // No colon, and of the name of an interface nothing that the service manager would not take.
  return `varta-udp-p${port}-a${address.replace(/[^0-9A-Za-z.%-]/g, "_")}`;
}

/** The port of a UDP listener that a daemon stored under the name; undefined = it is none. */
export function udpPortIn(text: string): number | undefined {
  const [, port] = UDP_FORMAT.exec(text) ?? [];
  return port === undefined ? undefined : Number(port);
}
