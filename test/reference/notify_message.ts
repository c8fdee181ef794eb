// A message of sd_notify by the words of spec 20 section 1: whole strings, split and matched.

export type ReferenceMessage =
  | { readonly refusal: string }
  | { readonly refusal: ""; readonly fields: Readonly<Record<string, string | number>> };

type Field = (value: string) => string | number | undefined;

const one: Field = (value) => (value === "1" ? 1 : undefined);
const numeric = (value: string) => (/^[0-9]{1,19}$/.test(value) ? Number(value) : Number.NaN);
const positive: Field = (value) => (numeric(value) > 0 ? numeric(value) : undefined);

const FIELDS: Readonly<Record<string, Field>> = {
  READY: one,
  STOPPING: one,
  RELOADING: one,
  BARRIER: one,
  WATCHDOG: (value) => (value === "1" || value === "trigger" ? value : undefined),
  WATCHDOG_USEC: positive,
  EXTEND_TIMEOUT_USEC: positive,
  ERRNO: (value) => (numeric(value) <= 4095 ? numeric(value) : undefined),
  MAINPID: (value) => (numeric(value) <= 4194304 ? numeric(value) : 0),
  STATUS: cut,
  X_VARTA_NAME: (value) =>
    /^[A-Za-z0-9_.@:-]{1,40}$/.test(value) && !/^([0-9]+|other)$/.test(value) ? value : undefined,
};

/** Texts are latin1. */
export function referenceMessage(datagram: Uint8Array): ReferenceMessage {
  if (datagram.length === 0) return { refusal: "empty" };
  if (datagram.length > 4096) return { refusal: "too_long" };
  const text = Buffer.from(datagram)
    .toString("latin1")
    .replace(/(?<=.)\0$/s, "");
  if (text.includes("\0")) return { refusal: "nul" };
  const fields: Record<string, string | number> = {};
  for (const line of text.split("\n")) {
    const [, field, value] = /^([^=]*)=(.*)$/s.exec(line) ?? [];
    const good = Object.hasOwn(FIELDS, field ?? "") ? FIELDS[field!]!(value!) : undefined;
    if (good === undefined) continue;
    fields[field === "WATCHDOG" ? `WATCHDOG=${good}` : field!] = good;
  }
  return { refusal: "", fields };
}

/** The first 256 bytes, less the beginning of a character that goes on behind them. */
function cut(latin1: string): string {
  if (latin1.length <= 256) return latin1;
  for (let back = 0; back <= 4; back++)
    if (!/[\x80-\xbf]/.test(latin1[256 - back]!)) return latin1.slice(0, 256 - back);
  return latin1.slice(0, 256);
}
