// Problems of a file that is right by itself, each with the place of its key: what it asks for
// cannot be done now (spec 17 sections 3 and 7).
import type { LoadFailure, LoadSuccess, Problem } from "../load_result.ts";
import { type Path, pathKey } from "./fault.ts";
import { failure, renderFaults } from "./render.ts";

interface Placed {
  readonly path: Path;
  /** The whole sentence. */
  readonly text: string;
}

/** The failure for one problem or more. */
export async function placedFailure(
  problems: readonly Placed[],
  { file, text, config }: LoadSuccess,
): Promise<LoadFailure> {
  const names = { listener: [], agent: [], "recovery.plan": [] };
  const source = { file, text, names, logFormat: config.log.format };
  const placed: Problem[] = [];
  for (const { path, text: said } of problems) {
    const fault = { path, anchor: "value", found: "", want: "" } as const;
    const [problem] = (await renderFaults([fault], source)).problems;
    placed.push({ ...problem!, key: pathKey(path), where: "", text: said });
  }
  return failure(placed, 78, config.log.format);
}
