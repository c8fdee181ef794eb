// "mutes": who is muted, until when, and who asked for it (spec 16 section 8).
import { actPieces } from "../act_answer.ts";
import type { Request } from "../request.ts";

export const MUTES: Request = {
  name: "mutes",
  right: "read",
  help: "all mutes",
  args: {},
  answer:
    "one line: `time` and `mutes` as `mute` has them, the one that ends first before the others",
  run: (_args, { acts }) => actPieces(acts.mutes()),
};
