// Every request of the control socket, in the order of the documentation. A new one is a file in
// requests/ and a line here.
import { BEAT } from "./requests/beat.ts";
import { BYE } from "./requests/bye.ts";
import { DOCTOR } from "./requests/doctor.ts";
import { DOORS } from "./requests/doors.ts";
import { EVENTS } from "./requests/events.ts";
import { EXPLAIN } from "./requests/explain.ts";
import { FORGET } from "./requests/forget.ts";
import { GATES } from "./requests/gates.ts";
import { LOG_LEVEL } from "./requests/log_level.ts";
import { MEMBERS } from "./requests/members.ts";
import { MUTE } from "./requests/mute.ts";
import { MUTES } from "./requests/mutes.ts";
import { NAMES } from "./requests/names.ts";
import { RECOVER } from "./requests/recover.ts";
import { RELOAD } from "./requests/reload.ts";
import { STATUS } from "./requests/status.ts";
import { UNMUTE } from "./requests/unmute.ts";
import type { Request } from "./request.ts";

export const REQUESTS: readonly Request[] = [
  STATUS,
  MEMBERS,
  EXPLAIN,
  EVENTS,
  NAMES,
  DOCTOR,
  DOORS,
  BEAT,
  BYE,
  MUTES,
  MUTE,
  UNMUTE,
  GATES,
  RECOVER,
  FORGET,
  LOG_LEVEL,
  RELOAD,
];
