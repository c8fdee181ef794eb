// Frames of one stream connection as the rules of spec 05 section 10.1 read, slow and literal: the
// whole history is a list of single bytes, each with its sender. It knows nothing of the fast code.

export interface SentByte {
  readonly value: number;
  readonly sender: number;
}

export interface StreamHistory {
  /** Each with the one sender of its bytes. */
  readonly frames: readonly { readonly bytes: readonly number[]; readonly sender: number }[];
  /** Another sender's byte came within a frame: nothing after it counts. */
  readonly isMixed: boolean;
  /** Bytes at the end that make no frame yet. */
  readonly half: number;
}

export function framesOf(sent: readonly SentByte[]): StreamHistory {
  const frames: { bytes: number[]; sender: number }[] = [];
  let size = 0;
  for (let at = 0; at < sent.length; at += size) {
    size = sent[at]!.value === 0x56 && sent[at + 1]?.value === 0x43 ? 64 : 32;
    const piece = sent.slice(at, at + size);
    const { sender } = piece[0]!;
    if (piece.some((byte) => byte.sender !== sender)) return { frames, isMixed: true, half: 0 };
    if (piece.length < size) return { frames, isMixed: false, half: piece.length };
    frames.push({ bytes: piece.map(({ value }) => value), sender });
  }
  return { frames, isMixed: false, half: 0 };
}
