// Every request of the control socket, in the order of the documentation. A new one is a file in
// requests/ and a line here.
import { EXPLAIN } from "./requests/explain.ts";
import { MEMBERS } from "./requests/members.ts";
import { NAMES } from "./requests/names.ts";
import { STATUS } from "./requests/status.ts";
import type { Request } from "./request.ts";

export const REQUESTS: readonly Request[] = [STATUS, MEMBERS, EXPLAIN, NAMES];
