// The number that all lines of one run carry in JSON: 16 hex digits, random per process.
import { randomBytes } from "node:crypto";

export const SESSION_ID: string = randomBytes(8).toString("hex");
