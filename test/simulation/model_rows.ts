// Event rows and stalls as text, one form for the rows of the daemon and one for those of the
// model: equal text, equal row. Only the columns that spec 04 section 2.1 gives a kind are in its
// text.
import type { EventBatch } from "../../src/events/event_batch.ts";
import type { Stall } from "../../src/events/stall.ts";

export interface DecodedFrame {
  readonly status: number;
  readonly pid: number;
  readonly timestamp: bigint;
  readonly nonce: bigint;
  readonly payload: number;
}

export interface ModelStall {
  readonly pid: number;
  readonly nonce: bigint;
  readonly lastNs: number;
  readonly observerNs: number;
  readonly origin: number;
  readonly namespaceInode: number | undefined;
  readonly generation: number | undefined;
  readonly uid: number | undefined;
  readonly proven: boolean;
  readonly status: number;
  readonly payload: number;
  readonly listener: number;
  readonly thresholdNs: number;
  /** Index of the rule; 65535 = none. */
  readonly rule: number;
  /** It was let in by the number that it has in a container. */
  readonly isContained: boolean;
}

interface ModelIdentity {
  readonly inode: number | undefined;
  readonly generation: number | undefined;
}

/** In the order of the codes: the label values of varta_decode_errors_total. */
const DECODE_ERRORS = [
  "BadMagic",
  "BadVersion",
  "BadStatus",
  "BadPid",
  "BadTimestamp",
  "BadNonce",
  "StallOnWire",
  "BadCrc",
];

/** The rows that the model expects. */
export const row = {
  beat(
    listenerNumber: number,
    nowNs: number,
    frame: DecodedFrame,
    origin: number,
    identity: ModelIdentity,
    slot: number,
    resumed: boolean,
  ): string {
    const { pid, status, payload, nonce } = frame;
    const inode = identity.inode ?? Number.NaN;
    const generation = identity.generation ?? Number.NaN;
    return `beat ${listenerNumber} @${nowNs} pid ${pid} status ${status} payload ${payload} nonce ${nonce} origin ${origin} ns ${inode} generation ${generation} slot ${slot} resumed ${resumed ? 1 : 0}`;
  },
  authFailure(listenerNumber: number, nowNs: number, pid: number, reason: "pid" | "uid"): string {
    return `auth ${listenerNumber} @${nowNs} pid ${pid} reason ${reason === "pid" ? 0 : 1}`;
  },
  originConflict(
    listenerNumber: number,
    nowNs: number,
    pid: number,
    observed: number,
    held: number,
  ): string {
    return `origin ${listenerNumber} @${nowNs} pid ${pid} origin ${observed} slot origin ${held}`;
  },
  namespaceConflict(
    listenerNumber: number,
    nowNs: number,
    pid: number,
    inode: number | undefined,
    bothKnown: boolean,
  ): string {
    return `namespace ${listenerNumber} @${nowNs} pid ${pid} ns ${inode ?? Number.NaN} both known ${bothKnown ? 1 : 0}`;
  },
  io(listenerNumber: number, nowNs: number, errno: number): string {
    return `io ${listenerNumber} @${nowNs} errno ${errno}`;
  },
  ctrlTruncated(listenerNumber: number, nowNs: number): string {
    return `ctrl ${listenerNumber} @${nowNs}`;
  },
};

export function decodeErrorRow(
  listenerNumber: number,
  nowNs: number,
  error: string,
  operands: readonly bigint[],
): string {
  return `decode ${listenerNumber} @${nowNs} ${error} ${operandText(error, operands)}`;
}

/** Row `i` of a batch of the daemon. */
export function rowText(batch: EventBatch, i: number): string {
  const head = `${batch.listener[i]} @${batch.observerNs[i]}`;
  const pid = `pid ${batch.pid[i]}`;
  const detail = batch.detail[i]!;
  switch (batch.kind[i]) {
    case 0: {
      const nonce = wide(batch.nonceHi[i]!, batch.nonceLo[i]!);
      return `beat ${head} ${pid} status ${batch.status[i]} payload ${batch.payload[i]} nonce ${nonce} origin ${batch.origin[i]} ns ${batch.namespaceInode[i]} generation ${batch.generation[i]} slot ${batch.slot[i]} resumed ${batch.resumed[i]}`;
    }
    case 2: {
      const error = DECODE_ERRORS[detail - 1]!;
      return `decode ${head} ${error} ${operandsOfRow(error, batch, i)}`;
    }
    case 3:
      return `auth ${head} ${pid} reason ${detail}`;
    case 4:
      return `origin ${head} ${pid} origin ${batch.origin[i]} slot origin ${detail}`;
    case 5:
      return `namespace ${head} ${pid} ns ${batch.namespaceInode[i]} both known ${detail}`;
    case 6:
      return `io ${head} errno ${detail}`;
    case 7:
      return `ctrl ${head}`;
    default:
      return `unknown kind ${batch.kind[i]}`;
  }
}

/** A member that is late. */
export interface ModelLate {
  readonly pid: number;
  readonly observerNs: number;
  readonly lastNs: number;
  readonly lateNs: number;
  readonly thresholdNs: number;
}

export function lateText({ pid, observerNs, lastNs, lateNs, thresholdNs }: ModelLate): string {
  return `late ${pid} @${observerNs} last ${lastNs} late ${lateNs} threshold ${thresholdNs}`;
}

export function stallText(stall: Stall): string {
  const nonce = wide(stall.lastNonceHi, stall.lastNonceLo);
  return `stall of ${stall.pid} @${stall.observerNs} last ${stall.lastNs} nonce ${nonce} origin ${stall.origin} ns ${stall.namespaceInode} generation ${stall.generation} proven ${stall.proven} status ${stall.status} payload ${stall.payload} listener ${stall.listener} threshold ${stall.thresholdNs} rule ${stall.rule} contained ${stall.innerPid !== 0}`;
}

export function modelStallText(stall: ModelStall): string {
  return `stall of ${stall.pid} @${stall.observerNs} last ${stall.lastNs} nonce ${stall.nonce} origin ${stall.origin} ns ${stall.namespaceInode ?? Number.NaN} generation ${stall.generation ?? Number.NaN} proven ${stall.proven} status ${stall.status} payload ${stall.payload} listener ${stall.listener} threshold ${stall.thresholdNs} rule ${stall.rule} contained ${stall.isContained}`;
}

function operandText(error: string, operands: readonly bigint[]): string {
  switch (error) {
    case "BadStatus":
    case "BadPid":
    case "BadTimestamp":
      return `${operands[0]}`;
    case "BadCrc":
    case "BadNonce":
      return `${operands[0]} ${operands[1]}`;
    default:
      return "";
  }
}

function operandsOfRow(error: string, batch: EventBatch, i: number): string {
  const hi = batch.errHi[i]!;
  const lo = batch.errLo[i]!;
  switch (error) {
    case "BadStatus":
    case "BadPid":
      return `${lo}`;
    case "BadTimestamp":
      return `${wide(hi, lo)}`;
    case "BadCrc":
      return `${hi} ${lo}`;
    case "BadNonce":
      return `${wide(hi, lo)} ${batch.err2[i]}`;
    default:
      return "";
  }
}

function wide(hi: number, lo: number): bigint {
  return hi === 0 ? BigInt(lo) : (BigInt(hi) << 32n) | BigInt(lo);
}
