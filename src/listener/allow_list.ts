// Which senders a Unix listener accepts (spec 05 section 3.1): with uids or gids given, a sender
// passes if its uid is among the uids or its primary gid is among the gids.

export class AllowList {
  readonly #uids: ReadonlySet<number>;
  readonly #gids: ReadonlySet<number>;

  constructor(uids: readonly number[], gids: readonly number[]) {
    this.#uids = new Set(uids);
    this.#gids = new Set(gids);
  }

  allows(uid: number, gid: number): boolean {
    return this.#uids.has(uid) || this.#gids.has(gid);
  }
}

/** The list of a configuration; undefined if it names no user and no group, which lets all pass. */
export function allowListOf(
  uids: readonly number[] | undefined,
  gids: readonly number[] | undefined,
): AllowList | undefined {
  if (uids === undefined && gids === undefined) return undefined;
  return new AllowList(uids ?? [], gids ?? []);
}
