// The control messages of a datagram as cmsg(3) describes them, slow and literal: CMSG_FIRSTHDR and
// CMSG_NXTHDR over bytes with 64-bit lengths. It knows nothing of the fast code.

export interface ReferenceControl {
  /** Byte offset of the first struct ucred in the buffer. */
  readonly credentialsAt: number | undefined;
  readonly pidfd: number | undefined;
  readonly pidfdFailed: boolean;
  readonly strays: readonly number[];
}

interface Message {
  readonly level: number;
  readonly type: number;
  readonly dataAt: number;
  readonly dataBytes: number;
}

const HEADER = 16n;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const SCM_CREDENTIALS = 2;
const SCM_PIDFD = 4;

/** Reads `lengthBytes` from byte `at` of `view`. */
export function referenceControl(
  view: DataView,
  at: number,
  lengthBytes: number,
): ReferenceControl {
  const messages = messagesOf(view, at, BigInt(lengthBytes)).filter(
    ({ level }) => level === SOL_SOCKET,
  );
  const ints = (wanted: number) =>
    messages
      .filter(({ type }) => type === wanted)
      .map(({ dataAt, dataBytes }) =>
        Array.from({ length: Math.floor(dataBytes / 4) }, (_, i) =>
          view.getInt32(dataAt + 4 * i, true),
        ),
      );
  const credentials = messages.find(
    ({ type, dataBytes }) => type === SCM_CREDENTIALS && dataBytes >= 12,
  );
  const pidfds = ints(SCM_PIDFD).flatMap((values) => values.slice(0, 1));
  const [pidfd, ...others] = pidfds.filter((fd) => fd >= 0);
  return {
    credentialsAt: credentials?.dataAt,
    pidfd,
    pidfdFailed: pidfds.some((fd) => fd < 0),
    strays: [...others, ...ints(SCM_RIGHTS).flat()].filter((fd) => fd >= 0).toSorted(byNumber),
  };
}

export function byNumber(a: number, b: number): number {
  return a - b;
}

function messagesOf(view: DataView, at: number, length: bigint): Message[] {
  const found: Message[] = [];
  for (let cursor = 0n; cursor + HEADER <= length; ) {
    const header = at + Number(cursor);
    const cmsgLen = view.getBigUint64(header, true);
    if (cmsgLen > length - cursor) break;
    if (cmsgLen >= HEADER)
      found.push({
        level: view.getInt32(header + 8, true),
        type: view.getInt32(header + 12, true),
        dataAt: header + 16,
        dataBytes: Number(cmsgLen - HEADER),
      });
    const aligned = ((cmsgLen + 7n) / 8n) * 8n;
    cursor += aligned > HEADER ? aligned : HEADER;
  }
  return found;
}
