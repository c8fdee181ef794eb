// "names": which agents there are, for the completion of a shell (spec 16 section 4). Of each
// answer as many as a person would read through.
import type { Pieces } from "../../base/pieces.ts";
import type { StatusWalk } from "../../view/agent_status.ts";
import { answerLine, argText, type Request } from "../request.ts";

const NAMES_MAX = 256;

export const NAMES: Request = {
  name: "names",
  right: "read",
  help: "names of agents, as the completion of a shell wants them",
  args: { prefix: { is: "text", charsMax: 64, help: "only those that begin so" } },
  answer: `one line: \`names\`, at most ${NAMES_MAX} with the worst agents first, and \`cut\`, true if there are more`,
  run: (args, { view }) => new NamesPieces(view.walkStatus(), argText(args, "prefix") ?? ""),
};

class NamesPieces implements Pieces {
  readonly #walk: StatusWalk;
  readonly #prefix: string;
  #isOver = false;

  constructor(walk: StatusWalk, prefix: string) {
    this.#walk = walk;
    this.#prefix = prefix;
  }

  next(): string | undefined {
    if (this.#isOver) return undefined;
    if (!this.#walk.step()) return "";
    this.#isOver = true;
    const names = this.#walk
      .agents()
      .map(({ agent }) => agent)
      .filter((name) => name.startsWith(this.#prefix));
    return answerLine({ names: names.slice(0, NAMES_MAX), cut: names.length > NAMES_MAX });
  }
}
