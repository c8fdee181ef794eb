// What came of an act, as the lines of its answer: what is true now, or one that says why nothing
// was done.
import { type Pieces, wholePiece } from "../base/pieces.ts";
import type { ActRefusal } from "../view/act_views.ts";
import { answerLine, type Arguments, argText, type Refusal, refusalPieces } from "./request.ts";

export function actPieces(answer: { readonly v: 1 } | ActRefusal): Pieces {
  return "error" in answer ? refusalPieces(answer) : wholePiece(answerLine(answer));
}

/** Undefined = all agents; what names neither one nor all is a slip, and so is both. */
export function oneOrAll(args: Arguments): { readonly target: string | undefined } | Refusal {
  const target = argText(args, "target");
  const isAll = args.get("all") === true;
  if (isAll !== (target !== undefined)) return { target };
  const found = isAll ? "target and all" : "neither target nor all";
  return { error: "bad_field", text: `found ${found}; want one of them` };
}
