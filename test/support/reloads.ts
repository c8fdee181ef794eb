// What tests of reloads have in common: a file that is replaced and taken over or refused, and an
// agent whose frames are sealed.
import { renameSync, writeFileSync } from "node:fs";
import { encode } from "../../src/wire/encode.ts";
import { sealShared } from "../../src/wire/secure_frame.ts";
import { UdpPeer } from "../listener/udp_peer.ts";
import type { DaemonProcess } from "./daemon_process.ts";

const HOST = "127.0.0.1";

/** Writes the file beside and renames it into place, as the manual says. */
export function replace(daemon: DaemonProcess, text: string): void {
  writeFileSync(daemon.path("next"), text);
  renameSync(daemon.path("next"), daemon.path("varta.toml"));
}

export async function reload(daemon: DaemonProcess, text: string): Promise<void> {
  const before = daemon.saying("reloaded").length;
  replace(daemon, text);
  daemon.signal("SIGHUP");
  await daemon.untilSays("reloaded", before + 1);
}

/** The place and the text of the problem of a file that is refused. */
export async function refused(daemon: DaemonProcess, text: string): Promise<[string, string]> {
  const before = daemon.saying("configuration problem").length;
  replace(daemon, text);
  daemon.signal("SIGHUP");
  await daemon.untilSays("configuration problem", before + 1);
  const { fields } = daemon.saying("configuration problem").at(-1)!;
  return [fields.get("at")!, fields.get("problem")!];
}

/** An agent elsewhere that seals its beats with a shared key. */
export class SealedAgent implements Disposable {
  readonly #peer: UdpPeer;
  readonly #key: Uint8Array;
  readonly #pid: number;
  readonly #ivRandom = crypto.getRandomValues(new Uint8Array(8));
  #sent = 0;
  #last: Uint8Array | undefined;
  #timer: Timer | undefined;

  constructor(port: number, key: string, pid: number) {
    this.#peer = new UdpPeer({ address: HOST, port });
    this.#key = Uint8Array.fromHex(key);
    this.#pid = pid;
  }

  begin(): void {
    this.#timer = setInterval(() => this.send(), 3);
  }

  send(): void {
    const nonce = ++this.#sent;
    const timestamp = BigInt(nonce) * 1_000_000n;
    const frame = encode({
      status: "ok",
      pid: this.#pid,
      nonce: BigInt(nonce),
      payload: 0,
      timestamp,
    });
    const sealed = { key: this.#key, ivRandom: this.#ivRandom, ivCounter: nonce, frame };
    this.#last = sealShared(sealed);
    this.#peer.send(this.#last);
  }

  /** The last datagram once more, as somebody who recorded it would. */
  sendAgain(): void {
    this.#peer.send(this.#last!);
  }

  /** How many it has sent. */
  end(): number {
    clearInterval(this.#timer);
    return this.#sent;
  }

  [Symbol.dispose](): void {
    this.end();
    this.#peer[Symbol.dispose]();
  }
}
