// State that belongs to the process and not to a module: one nonce stream per socket path, one pair
// of crash handlers. It hangs on globalThis, so that it survives a hot reload and is shared by two
// copies of this library; a second nonce stream under the same pid would be refused by the observer
// as out of order, and look like a stall.

/**
 * The value called `name` in this process (this thread, if there are workers), made on the first
 * call.
 */
export function processWide<T>(name: string, make: () => T): T {
  const key = Symbol.for(`varta-watch.client.1.${name}`);
  const holder = globalThis as { [key: symbol]: unknown };
  holder[key] ??= make();
  return holder[key] as T;
}
