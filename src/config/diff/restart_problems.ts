// Why a changed file is refused although it is right: what it changes takes a restart (spec 17
// section 3). One problem for each such change, with its place in the new file.
import type { LoadFailure, LoadSuccess } from "../load_result.ts";
import { placedFailure } from "../problems/placed.ts";
import { type Change, changeLine } from "./diff.ts";

/** Undefined = no change takes a restart. */
export async function restartFailure(
  changes: readonly Change[],
  loaded: LoadSuccess,
): Promise<LoadFailure | undefined> {
  const refused = changes.filter(({ reload }) => reload === "restart");
  if (refused.length === 0) return undefined;
  const problems = refused.map((change) => {
    const text = `${changeLine(change)} takes a restart`;
    return { path: change.path, text };
  });
  return await placedFailure(problems, loaded);
}
