// A text that is made in pieces while beats come in between: each piece costs about 0.1 ms at most.
// Who sends the text asks for the next piece when there is room for it.

export interface Pieces {
  /**
   * The next piece, which may be "": work was done and more is to do; null = there is none before
   * something happens; undefined = the text is whole.
   */
  next(): string | null | undefined;
  /** Its reader waits for as long as it takes: this is sent when nothing came for 2 s. */
  readonly keepAlive?: string | undefined;
  /** The reader is gone, or has it all. */
  end?(): void;
}

/** A text that is there already. */
export function wholePiece(text: string): Pieces {
  let rest: string | undefined = text;
  return {
    next() {
      const piece = rest;
      rest = undefined;
      return piece;
    },
  };
}
