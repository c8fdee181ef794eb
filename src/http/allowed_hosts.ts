// By which names a request may call this server. A page in a browser on this machine can be made to
// talk to it by a name that the page's owner points here (DNS rebinding); it cannot change the Host
// field, which still carries that name (spec 13 section 3).
import { isIP } from "node:net";

export class AllowedHosts {
  readonly #names: ReadonlySet<string>;

  /**
   * `names`: those of the machine, and those that the operator lists, in any case. "localhost" and
   * IP literals are always right.
   */
  constructor(names: readonly string[]) {
    this.#names = new Set(["localhost", ...names.map((name) => plainName(name))]);
  }

  /**
   * `authority` is a host and perhaps a port; undefined, as an HTTP/1.0 client leaves it, is no
   * browser.
   */
  allows(authority: string | undefined): boolean {
    if (authority === undefined) return true;
    const host = authority.replace(/:[0-9]*$/, "");
    if (host.startsWith("[")) return isIP(host.slice(1, -1)) === 6;
    return isIP(host) === 4 || this.#names.has(plainName(host));
  }
}

/** Lower case, and without the dot that ends a full name. */
function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}
