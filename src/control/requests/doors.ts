// "doors": where the daemon takes beats of this machine (spec 16 section 14).
import { wholePiece } from "../../base/pieces.ts";
import { COMM_BYTES_MAX, PROGRAM_PATH_CHARS_MAX } from "../beats_door.ts";
import { answerLine, argText, type Request } from "../request.ts";

export const DOORS: Request = {
  name: "doors",
  right: "beat",
  help: "where the daemon takes beats, and the threshold of who asks",
  args: {
    name: {
      is: "text",
      charsMax: 256,
      help: "an agent whose threshold is wanted instead, if a rule has that name",
    },
    comm: {
      is: "text",
      charsMax: COMM_BYTES_MAX,
      help: "of the program that the asker is about to become: the threshold is that of its rule",
    },
    exe: { is: "text", charsMax: PROGRAM_PATH_CHARS_MAX, help: "beside `comm`: its path" },
  },
  answer:
    "one line: `socket`, `stream` and `notify`, the paths of the first listener of each kind, and `threshold_ms`",
  run: (args, { beats }, { peer }) =>
    wholePiece(
      answerLine(
        beats.doors(
          { name: argText(args, "name"), comm: argText(args, "comm"), exe: argText(args, "exe") },
          peer,
        ),
      ),
    ),
};
