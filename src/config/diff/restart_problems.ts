// Why a changed file is refused although it is right: what it changes takes a restart (spec 17
// section 3). One problem for each such change, with its place in the new file.
import { pathKey } from "../problems/fault.ts";
import type { LoadFailure, LoadSuccess, Problem } from "../load_result.ts";
import { failure, renderFaults } from "../problems/render.ts";
import { type Change, changeLine } from "./diff.ts";

/** Undefined = no change takes a restart. */
export async function restartFailure(
  changes: readonly Change[],
  { file, text, config }: LoadSuccess,
): Promise<LoadFailure | undefined> {
  const refused = changes.filter(({ reload }) => reload === "restart");
  if (refused.length === 0) return undefined;
  const names = { listener: [], agent: [], "recovery.plan": [] };
  const source = { file, text, names, logFormat: config.log.format };
  const problems: Problem[] = [];
  for (const change of refused) {
    const { path } = change;
    const fault = { path, anchor: "value", found: "", want: "" } as const;
    const placed = (await renderFaults([fault], source)).problems[0]!;
    const said = `${changeLine(change)} takes a restart`;
    problems.push({ ...placed, key: pathKey(path), where: "", text: said });
  }
  return failure(problems, 78, config.log.format);
}
