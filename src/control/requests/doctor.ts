// "doctor": what only the daemon knows of what doctor checks (spec 19 section 1).
import { answerLine, type Request } from "../request.ts";
import { wholeMsFromNs } from "../../base/time.ts";
import { wholePiece } from "../../base/pieces.ts";
import type { DoctorView } from "../../view/doctor_view.ts";

export const DOCTOR: Request = {
  name: "doctor",
  right: "read",
  help: "what only the daemon knows of what doctor checks",
  args: {},
  answer:
    "one line: `queues`, of each Unix listener `listener`, `path`, `holds` (beats, null = not known) and how often it was found `full`; `paused_in_minute_ms`; `rules`, how many there are, those that took nobody (`idle`) and agents that have none (`without`); `state`, `file` and `problem` of the state file, null = none is kept",
  run: (_args, { view }) => {
    const paused_in_minute_ms = wholeMsFromNs(view.pausedInMinuteNs());
    const facts: DoctorView = {
      queues: view.queues(),
      paused_in_minute_ms,
      rules: view.ruleUse(),
      state: view.stateFile(),
    };
    return wholePiece(answerLine(facts));
  },
};
