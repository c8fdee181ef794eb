// Did-you-mean (spec 07 section 4): the nearest known word within two edits, one edit for words of
// up to four letters.

/** The nearest of `candidates` to `word`, the first of equals; undefined if none is near enough. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const distanceMax = [...word].length <= 4 ? 1 : 2;
  let best: string | undefined;
  let bestDistance = distanceMax + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) > distanceMax) continue;
    const distance = editDistance(word, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** As a hint of its own; undefined if none is near enough. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const like = nearest(word, candidates);
  return like === undefined ? undefined : `did you mean ${like}?`;
}

/**
 * Insertions, deletions and replacements that turn `a` into `b`; swapped neighbours count as one.
 */
export function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      let cost = Math.min(replaced, previous[column]! + 1, current[column - 1]! + 1);
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (row > 1 && column > 1 && swapped) {
        cost = Math.min(cost, beforePrevious[column - 2]! + 1);
      }
      current.push(cost);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length]!;
}
