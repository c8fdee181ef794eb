// The receive algorithm of the secure listener as spec 02 section 4 describes it, step by step and
// with everything slow: the literal cipher, HKDF for every frame, and the Map of senders.
import { hkdfSync } from "node:crypto";
import { aeadOpen } from "./aead.ts";
import { referenceControlDatagram } from "./control_datagram.ts";
import { referenceDecode } from "./frame.ts";
import { ReferenceSenders } from "./replay.ts";

export type SecureVerdict = "pass" | "wrong_size" | "decrypt" | "sender_table_full" | "replay";

export interface ReferenceKeys {
  readonly shared: readonly Uint8Array[];
  readonly master: Uint8Array | undefined;
}

const NONE = new Uint8Array(0);

export class ReferenceSecureListener {
  keys: ReferenceKeys;
  gapNs: number;
  aeadAttempts = 0;
  /** Of the last datagram, if a key opened it. */
  plaintext: Uint8Array | undefined;
  readonly senders: ReferenceSenders;
  /** It takes hellos and byes, too. */
  takesControl = false;

  constructor(keys: ReferenceKeys, senderStates: number, gapNs: number) {
    this.keys = keys;
    this.gapNs = gapNs;
    this.senders = new ReferenceSenders(senderStates);
  }

  receive(datagram: Uint8Array, instantNs: number, nowNs: number): SecureVerdict {
    this.plaintext = undefined;
    const isControl = this.takesControl && (datagram.length === 92 || datagram.length === 96);
    if (!isControl && datagram.length !== 60 && datagram.length !== 64) return "wrong_size";
    const sealed = datagram.subarray(datagram.length - (isControl ? 92 : 60));
    const plaintext = this.#open(datagram, sealed);
    this.plaintext = plaintext;
    if (plaintext === undefined) return "decrypt";
    const decoded = isControl ? referenceControlDatagram(plaintext) : referenceDecode(plaintext);
    if (decoded.error !== undefined) return "pass";
    const view = new DataView(sealed.buffer, sealed.byteOffset);
    const beat = {
      pid: Number(decoded.pid),
      prefix: view.getBigUint64(0, true),
      counter: view.getUint32(8, true),
      nonce: decoded.nonce,
      timestamp: "timestamp" in decoded ? decoded.timestamp : 0n,
    };
    if (isControl) return this.senders.arriveControl(beat, instantNs, nowNs);
    return this.senders.arrive(beat, instantNs, nowNs, this.gapNs);
  }

  #open(datagram: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    const nonce = sealed.slice(0, 12);
    const body = sealed.slice(12);
    const { shared, master } = this.keys;
    const candidates = shared.map((key) => aeadOpen({ key, nonce, additional: NONE }, body));
    if ((datagram.length === 64 || datagram.length === 96) && master !== undefined) {
      const additional = datagram.slice(0, 4);
      const info = Uint8Array.from([
        ...new TextEncoder().encode("varta-agent-v1\0"),
        ...additional,
      ]);
      const key = new Uint8Array(hkdfSync("sha256", master, NONE, info, 32));
      const plaintext = aeadOpen({ key, nonce, additional }, body);
      const isOwn = plaintext?.slice(4, 8).toHex() === additional.toHex();
      candidates.push(isOwn ? plaintext : undefined);
    }
    this.aeadAttempts += candidates.length;
    return candidates.find((plaintext) => plaintext !== undefined);
  }
}
