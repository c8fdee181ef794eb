// The configuration in force. Parts that ask it in every case go by a new one from the swap on
// (spec 17); what they keep of it is changed there.
import type { Config } from "../config/config.ts";

/** "/etc/varta/varta.toml:31" for each rule and each listener of a file; "" = it is not in it. */
export interface FilePlaces {
  readonly rules: readonly string[];
  readonly listeners: readonly string[];
}

export type ReadPlaces = () => Promise<FilePlaces>;

export class LiveConfig {
  /** Observer time from which on it is in force; members and stalls of before had other rules. */
  sinceNs = Number.NEGATIVE_INFINITY;
  /** Where the file has its first problem, in whose place the last good one is in force. */
  refusedAt: string | undefined = undefined;
  #current: Config;
  #readPlaces: ReadPlaces;

  constructor(config: Config, places: ReadPlaces) {
    this.#current = config;
    this.#readPlaces = places;
  }

  get current(): Config {
    return this.#current;
  }

  /** Where rules and listeners stand; reading that takes a moment. Another one after a change. */
  get readPlaces(): ReadPlaces {
    return this.#readPlaces;
  }

  /** The same configuration, and its file has other lines. */
  moved(places: ReadPlaces): void {
    this.#readPlaces = places;
  }

  replace(config: Config, places: ReadPlaces, nowNs: number): void {
    this.#current = config;
    this.#readPlaces = places;
    this.sinceNs = nowNs;
  }
}
