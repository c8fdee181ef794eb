// The configuration in force. Parts that ask it in every case go by a new one from the swap on
// (spec 17); what they keep of it is changed there.
import type { Config } from "../config/config.ts";

export class LiveConfig {
  /** Observer time from which on it is in force; members and stalls of before had other rules. */
  sinceNs = Number.NEGATIVE_INFINITY;
  #current: Config;

  constructor(config: Config) {
    this.#current = config;
  }

  get current(): Config {
    return this.#current;
  }

  replace(config: Config, nowNs: number): void {
    this.#current = config;
    this.sinceNs = nowNs;
  }
}
