// An answer that is not there yet when its request is read: it waits for something that takes more
// than one turn.
import type { Pieces } from "../base/pieces.ts";

/** `answer` resolves with the whole text; `wake` says that there is more to send. */
export function laterPieces(answer: Promise<string>, wake: () => void): Pieces {
  let text: string | undefined;
  let isSent = false;
  let isGone = false;
  void answer.then((whole) => {
    text = whole;
    if (!isGone) wake();
  });
  return {
    next() {
      if (isSent) return undefined;
      if (text === undefined) return null;
      isSent = true;
      return text;
    },
    end() {
      isGone = true;
    },
  };
}
