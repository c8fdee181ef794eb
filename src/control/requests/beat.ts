// "beat": one beat of the process that asks, or of one that it descends from (spec 16 section 15).
import { wholePiece } from "../../base/pieces.ts";
import { PID_MIN } from "../../wire/frame.ts";
import { BEAT_STATUSES } from "../beats_door.ts";
import { laterPieces } from "../later_pieces.ts";
import { answerLine, argNumber, argText, type Request } from "../request.ts";

/** A pid on the wire is a u32. */
export const PID_MAX = 4_294_967_295;

export const BEAT: Request = {
  name: "beat",
  right: "beat",
  help: "a beat of a process, asked for by itself or by a descendant of it",
  args: {
    pid: { is: "integer", min: PID_MIN, max: PID_MAX, required: true, help: "whose beat it is" },
    status: { is: "word", words: BEAT_STATUSES, help: "what it says of itself; `ok` without it" },
  },
  answer: "one line: `pid`, and `accepted`, which is true",
  run(args, { beats }, { peer, wake }) {
    const pid = argNumber(args, "pid")!;
    const status = BEAT_STATUSES.find((word) => word === argText(args, "status")) ?? "ok";
    const answer = beats.beat({ pid, status }, peer);
    if (answer instanceof Promise) return laterPieces(answer.then(answerLine), wake);
    return wholePiece(answerLine(answer));
  },
};
