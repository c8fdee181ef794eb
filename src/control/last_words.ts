// What the control socket says last before it closes a connection (spec 16 section 3).
import { NS_PER_S } from "../base/time.ts";
import { LINE_BYTES_MAX } from "./connection.ts";
import { PATIENCE_NS } from "./patience.ts";
import { CONNECTIONS_MAX, CONNECTIONS_PER_UID_MAX } from "./places.ts";
import type { Refusal } from "./request.ts";

export const TOO_MANY: Refusal = {
  error: "too_many",
  text: `too many connections: ${CONNECTIONS_MAX} in all, ${CONNECTIONS_PER_UID_MAX} of a user`,
};

export const TOO_LONG: Refusal = {
  error: "too_long",
  text: `a line of more than ${LINE_BYTES_MAX} bytes`,
};

export const TOO_SLOW: Refusal = {
  error: "too_slow",
  text: `a line was not whole after ${PATIENCE_NS / NS_PER_S}s`,
};

export const CLOSING: Refusal = { error: "closing", text: "the daemon ends" };

/** To one who may ask alone; the connection goes on. */
/** Of a refusal that is about acting, and no other. */
export const OPERATORS_HINT = "[control] operators";

export function mayNotAct(name: string): Refusal {
  const text = `${name} needs root, the user of the daemon or an operator`;
  return { error: "not_permitted", text, hint: OPERATORS_HINT };
}
