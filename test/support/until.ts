// Waiting for a condition of the real world: it is checked every few milliseconds, and a wait that
// takes too long says what it waited for. Nothing here waits for time to pass.

/** Looks cost, and those who wait long may learn of it a little later. */
const LOOK_MS_MIN = 4;
const LOOK_MS_MAX = 32;
const LOOKS_PER_WAIT = 16;
const PATIENCE_MS = 30_000;

/** Resolves when `happened` holds; throws after `msMax`, naming `what`. */
export async function until(
  what: string,
  happened: () => boolean | Promise<boolean>,
  msMax: number = PATIENCE_MS,
): Promise<void> {
  const beganMs = performance.now();
  while (!(await happened())) {
    const waitedMs = performance.now() - beganMs;
    if (waitedMs > msMax) throw new Error(`waited ${msMax} ms in vain for ${what}`);
    const lookMs = waitedMs / LOOKS_PER_WAIT;
    await Bun.sleep(Math.min(Math.max(lookMs, LOOK_MS_MIN), LOOK_MS_MAX));
  }
}
