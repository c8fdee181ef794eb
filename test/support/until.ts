// Waiting for a condition of the real world: it is checked every few milliseconds, and a wait that
// takes too long says what it waited for. Nothing here waits for time to pass.

const LOOK_MS = 4;
const PATIENCE_MS = 30_000;

/** Resolves when `happened` holds; throws after `msMax`, naming `what`. */
export async function until(
  what: string,
  happened: () => boolean | Promise<boolean>,
  msMax: number = PATIENCE_MS,
): Promise<void> {
  const endMs = performance.now() + msMax;
  while (!(await happened())) {
    if (performance.now() > endMs) throw new Error(`waited ${msMax} ms in vain for ${what}`);
    await Bun.sleep(LOOK_MS);
  }
}
