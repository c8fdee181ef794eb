// An audit log written the slow, obvious way from spec 11 sections 1 and 2, without any code of the
// daemon: its files must be resumed and verified like those of this program.
import { createHash, createHmac } from "node:crypto";

export const TWIN_HEADER = "# varta-watch recovery audit v2\n";
export const TWIN_ZEROS = "0".repeat(64);

export class AuditWriterTwin {
  text: string;
  seq = 0;
  chain = TWIN_ZEROS;
  /** 64 hex digits; undefined = rows are under none. */
  keyHex: string | undefined;

  constructor(header = TWIN_HEADER) {
    this.text = header;
  }

  /** `columns` begin with the kind; wall clock and observer time are made up. */
  add(...columns: (string | number)[]): string {
    this.seq += 1;
    const observerNs = columns[0] === "boot" ? 0 : this.seq * 1_000_000_000;
    const body = [this.seq, 1_700_000_000_000 + this.seq, observerNs, ...columns].join("\t");
    this.chain = twinChain(this.chain, String(columns[0]), body, this.keyHex);
    const line = `${body}\t${this.chain}\n`;
    this.text += line;
    return line;
  }

  /** As a writer without a chain does. */
  addUnchained(...columns: (string | number)[]): void {
    this.seq += 1;
    this.text += `${[this.seq, 1_700_000_000_000, 5, ...columns].join("\t")}\t-\n`;
    this.chain = TWIN_ZEROS;
  }
}

export function twinChain(
  previousHex: string,
  kind: string,
  body: string,
  keyHex?: string,
): string {
  const zero = Buffer.from([0]);
  const parts = [
    Buffer.from(keyHex === undefined ? "VARTA-AUDIT-v2" : "VARTA-AUDIT-v2-HMAC", "ascii"),
    zero,
    Buffer.from(kind, "ascii"),
    zero,
    Buffer.from(previousHex, "hex"),
    zero,
    Buffer.from(body, "utf8"),
  ];
  const hash =
    keyHex === undefined ? createHash("sha256") : createHmac("sha256", Buffer.from(keyHex, "hex"));
  return hash.update(Buffer.concat(parts)).digest("hex");
}

/** How rows call a key. */
export function twinKeyId(keyHex: string): string {
  const id = createHmac("sha256", Buffer.from(keyHex, "hex")).update("VARTA-AUDIT-KEY-ID");
  return id.digest("hex").slice(0, 16);
}
