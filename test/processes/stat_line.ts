/** A stat line whose 22nd field is `startTime`. */
export function statLine(name: string, startTime: string): string {
  const before = "S 1 42 42 0 -1 4194304 100 0 0 0 1 2 0 0 20 0 1 0";
  return `42 (${name}) ${before} ${startTime} 123456 78 18446744073709551615\n`;
}
