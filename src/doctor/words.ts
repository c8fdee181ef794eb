// Words that several findings have in common.

import { shellWord } from "../base/shell_word.ts";

const NAMES_SHOWN = 3;

/** "a, b, c and 4 more": a finding is a few lines, whatever the machine has. */
export function someOf(names: readonly string[], count = names.length): string {
  const shown = names.slice(0, NAMES_SHOWN).join(", ");
  const more = count - NAMES_SHOWN;
  return more > 0 ? `${shown} and ${more} more` : shown;
}

export function counted(count: number, noun: string, nouns = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : nouns}`;
}

/**
 * Adds to a drop-in of the unit, where another finding may have added something, too. It is read
 * after those of others: systemctl edit writes an override.conf.
 */
export function dropIn(unit: string, ...lines: readonly string[]): { readonly run: string[] } {
  const text = ["[Service]", ...lines].map((line) => `'${line}'`).join(" ");
  const directory = `/etc/systemd/system/${unit}.d`;
  return {
    run: [
      `mkdir -p ${shellWord(directory)}`,
      `printf '%s\\n' ${text} >> ${shellWord(`${directory}/zz-doctor.conf`)}`,
      "systemctl daemon-reload",
      `systemctl restart ${shellWord(unit)}`,
    ],
  };
}
