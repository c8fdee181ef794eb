// The configuration in force. Parts that ask it in every case go by a new one from the swap on
// (spec 17); what they keep of it is changed there.
import type { Config } from "../config/config.ts";

/** "/etc/varta/varta.toml:31" for each rule of a file. */
type RulePlaces = () => Promise<readonly string[]>;

export class LiveConfig {
  /** Observer time from which on it is in force; members and stalls of before had other rules. */
  sinceNs = Number.NEGATIVE_INFINITY;
  #current: Config;
  #rulePlaces: RulePlaces;

  constructor(config: Config, rulePlaces: RulePlaces) {
    this.#current = config;
    this.#rulePlaces = rulePlaces;
  }

  get current(): Config {
    return this.#current;
  }

  /** Where each of its rules stands; reading that takes a moment. */
  rulePlaces(): Promise<readonly string[]> {
    return this.#rulePlaces();
  }

  replace(config: Config, rulePlaces: RulePlaces, nowNs: number): void {
    this.#current = config;
    this.#rulePlaces = rulePlaces;
    this.sinceNs = nowNs;
  }
}
