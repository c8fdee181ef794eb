// What is wrong with the file of a secret, and how it is said. No content of it is ever in the
// words.

/** Why a file cannot be read as a secret: `found` goes through `foundText()`. */
export interface SecretFault {
  readonly ok: false;
  readonly found: string;
  readonly want: string;
}

/** "PATH with mode 0644", "PATH, which is a symlink". */
export function foundText(path: string, { found }: Pick<SecretFault, "found">): string {
  return `${path}${found.startsWith("which") ? "," : ""} ${found}`;
}
