// What keeps the daemon from starting: exit 1, with the likely cure.

export class StartError extends Error {
  override readonly name = "StartError";
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
