// Writes D-Bus messages of any type, as a bus and systemd send them: slowly, and straight from the
// D-Bus specification.

/** A value as its signature wants it; of a variant its signature and its value. */
export type DbusValue =
  | number
  | bigint
  | string
  | readonly DbusValue[]
  | { readonly signature: string; readonly value: DbusValue };

export interface EncodedMessage {
  readonly type: number;
  readonly serial?: number;
  /** Header fields: code, signature, value. */
  readonly fields: readonly (readonly [number, string, DbusValue])[];
  readonly signature?: string;
  readonly body?: readonly DbusValue[];
  readonly bigEndian?: boolean;
}

export function encodeMessage(message: EncodedMessage): Uint8Array {
  const { type, serial = 1, fields, signature = "", body = [], bigEndian = false } = message;
  const content = new Encoder(bigEndian);
  for (const [index, one] of typesOf(signature).entries()) content.put(one, body[index]!);
  const all = new Encoder(bigEndian);
  const withSignature = signature === "" ? fields : [...fields, [8, "g", signature] as const];
  all.bytes.push(bigEndian ? 0x42 : 0x6c, type, 0, 1);
  all.put("u", content.bytes.length);
  all.put("u", serial);
  all.put(
    "a(yv)",
    withSignature.map(([code, one, value]) => [code, { signature: one, value }]),
  );
  all.align(8);
  return Uint8Array.from([...all.bytes, ...content.bytes]);
}

/** The single types of a signature. */
export function typesOf(signature: string): string[] {
  const types: string[] = [];
  for (let at = 0; at < signature.length; ) {
    const end = endOf(signature, at);
    types.push(signature.slice(at, end));
    at = end;
  }
  return types;
}

function endOf(signature: string, at: number): number {
  if (signature[at] === "a") return endOf(signature, at + 1);
  if (signature[at] !== "(" && signature[at] !== "{") return at + 1;
  let next = at + 1;
  while (signature[next] !== ")" && signature[next] !== "}") next = endOf(signature, next);
  return next + 1;
}

const ALIGNMENT: Readonly<Record<string, number>> = {
  ...{ y: 1, g: 1, v: 1, n: 2, q: 2, x: 8, t: 8, d: 8, "(": 8, "{": 8 },
};

class Encoder {
  readonly bytes: number[] = [];
  readonly #bigEndian: boolean;

  constructor(bigEndian: boolean) {
    this.#bigEndian = bigEndian;
  }

  align(to: number): void {
    while (this.bytes.length % to !== 0) this.bytes.push(0);
  }

  put(type: string, value: DbusValue): void {
    this.align(ALIGNMENT[type[0]!] ?? 4);
    if (type[0] === "a") this.#array(type.slice(1), value as readonly DbusValue[]);
    else if (type[0] === "(" || type[0] === "{") {
      const types = typesOf(type.slice(1, -1));
      for (const [index, one] of types.entries())
        this.put(one, (value as readonly DbusValue[])[index]!);
    } else if (type === "v") {
      const { signature, value: inner } = value as { signature: string; value: DbusValue };
      this.put("g", signature);
      this.put(signature, inner);
    } else if (type === "g") this.bytes.push(`${value}`.length, ...Buffer.from(`${value}`), 0);
    else if (type === "s" || type === "o") {
      const text = Buffer.from(value as string, "latin1");
      this.put("u", text.length);
      this.bytes.push(...text, 0);
    } else this.#number(type, value as number | bigint);
  }

  #number(type: string, value: number | bigint): void {
    const size = { y: 1, n: 2, q: 2, x: 8, t: 8, d: 8 }[type] ?? 4;
    const bits = BigInt.asUintN(size * 8, BigInt(value));
    const bytes = Array.from({ length: size }, (_, i) => Number((bits >> BigInt(8 * i)) & 0xffn));
    this.bytes.push(...(this.#bigEndian ? bytes.reverse() : bytes));
  }

  #array(type: string, values: readonly DbusValue[]): void {
    const lengthAt = this.bytes.length;
    this.put("u", 0);
    this.align(ALIGNMENT[type[0]!] ?? 4);
    const start = this.bytes.length;
    for (const value of values) this.put(type, value);
    const length = new Encoder(this.#bigEndian);
    length.put("u", this.bytes.length - start);
    this.bytes.splice(lengthAt, 4, ...length.bytes);
  }
}

export type Properties = Readonly<Record<string, { signature: string; value: DbusValue }>>;

/** What systemd answers to GetAll under `serial`. */
export function propertiesReply(
  properties: Properties,
  serial = 2,
  bigEndian = false,
  destination = ":1.7",
): Uint8Array {
  return encodeMessage({
    type: 2,
    fields: [
      [5, "u", serial],
      [6, "s", destination],
      [7, "s", "org.freedesktop.systemd1"],
    ],
    signature: "a{sv}",
    body: [Object.entries(properties)],
    bigEndian,
  });
}

export const u = (value: number) => ({ signature: "u", value });
export const i = (value: number) => ({ signature: "i", value });
export const t = (value: number) => ({ signature: "t", value });
export const s = (value: string) => ({ signature: "s", value });

/** Those of a service whose main process ended with status 3, among others of every shape. */
export const ENDED_SERVICE: Properties = {
  Id: s("app.service"),
  Names: { signature: "as", value: ["app.service", "other.service"] },
  ActiveState: s("failed"),
  Conditions: { signature: "a(sbbsi)", value: [["ConditionPathExists", 0, 1, "/etc", 1]] },
  ActiveExitTimestampMonotonic: t(5_000_200),
  ExecStart: {
    signature: "a(sasbttttuii)",
    value: [["/bin/app", ["app", "-x"], 0, 1, 2, 3, 4, 4_711, 1, 3]],
  },
  MemoryMax: { signature: "t", value: 2n ** 64n - 1n },
  BindsTo: { signature: "as", value: [] },
  Environment: { signature: "a{sv}", value: [["A", s("b")]] },
  ExecMainStartTimestampMonotonic: t(4_000_000),
  ExecMainExitTimestampMonotonic: t(5_000_100),
  ExecMainPID: u(4_711),
  ExecMainCode: i(1),
  ExecMainStatus: i(3),
  Result: s("exit-code"),
  NRestarts: u(0),
  Slice: { signature: "v", value: { signature: "(oy)", value: ["/a/b", 7] } },
};
