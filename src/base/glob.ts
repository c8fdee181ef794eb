// Globs, with the wildcards of a shell: "worker@*.service". A dozen characters of pattern against a
// text of a few hundred bytes; no regular expression is made of what was written in a file.

/** True if `glob` matches `text` from end to end: "*" any characters, "?" exactly one. */
export function matchesGlob(glob: string, text: string): boolean {
  return isMatch(glob, text, "");
}

/** True if one of `globs` matches `text`. */
export function matchesAnyGlob(globs: readonly string[], text: string): boolean {
  for (const glob of globs) if (isMatch(glob, text, "")) return true;
  return false;
}

/**
 * True if `wide` matches every text that `narrow` matches. It never says so wrongly; of patterns
 * that have no use it may miss one.
 */
export function coversGlob(wide: string, narrow: string): boolean {
  // `narrow` is taken as a text, in which "?" is one more letter, and only a star covers a star.
  return isMatch(inOrder(wide), inOrder(narrow), "*");
}

/** The same pattern with "?" before "*" wherever they meet: "a*?*" is "a?*". */
function inOrder(glob: string): string {
  return glob.replace(/[*?]+/g, (run) => {
    const any = run.includes("*") ? "*" : "";
    return run.replaceAll("*", "") + any;
  });
}

/**
 * Only a star of `glob` takes a letter that is `starOnly`. Linear but for the retreats to the last
 * star, as a name has no repetitions worth a thought.
 */
function isMatch(glob: string, text: string, starOnly: string): boolean {
  let globAt = 0;
  let textAt = 0;
  let starAt = -1;
  let retryAt = 0;
  while (textAt < text.length) {
    const wanted = glob[globAt];
    const letter = text[textAt]!;
    if (wanted === "*") {
      starAt = globAt++;
      retryAt = textAt;
    } else if ((wanted === "?" || wanted === letter) && letter !== starOnly) {
      globAt += 1;
      textAt += 1;
    } else if (starAt >= 0) {
      globAt = starAt + 1;
      textAt = ++retryAt;
    } else return false;
  }
  while (glob[globAt] === "*") globAt += 1;
  return globAt === glob.length;
}
