// "bye": a process that asks, or one that it descends from, is about to end (spec 16 section 15).
import { wholePiece } from "../../base/pieces.ts";
import { PID_MIN } from "../../wire/frame.ts";
import { laterPieces } from "../later_pieces.ts";
import { answerLine, argNumber, type Request } from "../request.ts";
import { PID_MAX } from "./beat.ts";

export const BYE: Request = {
  name: "bye",
  right: "beat",
  help: "a goodbye of a process, asked for by itself or by a descendant of it",
  args: {
    pid: { is: "integer", min: PID_MIN, max: PID_MAX, required: true, help: "whose goodbye it is" },
  },
  answer: "one line: `pid`, and `accepted`, which is true, also of a pid that is no member",
  run(args, { beats }, { peer, wake }) {
    const answer = beats.bye(argNumber(args, "pid")!, peer);
    if (answer instanceof Promise) return laterPieces(answer.then(answerLine), wake);
    return wholePiece(answerLine(answer));
  },
};
