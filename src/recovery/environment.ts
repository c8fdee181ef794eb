// The environment of a recovery child (spec 10 section 2): empty but for PATH, or the daemon's own
// without what the service manager meant for the daemon alone; then the placeholders as VARTA_*
// variables; then the operator's entries, which win over everything. Where there is no pid to act
// on, VARTA_PID is empty and VARTA_PID_GONE says so.
import { CHILD_PATH_DEFAULT } from "../base/child_path.ts";
import { PLACEHOLDERS } from "../base/placeholders.ts";
import { LISTEN_VARIABLES } from "../systemd/passed_descriptors.ts";

export class ChildEnvironment {
  readonly #base: Environment;
  readonly #entries: Readonly<Record<string, string>>;

  /** `inherited` is the daemon's environment, or undefined if children get none of it. */
  constructor(
    entries: Readonly<Record<string, string>>,
    inherited: Readonly<Record<string, string | undefined>> | undefined,
  ) {
    this.#base = emptyEnvironment();
    this.#base["PATH"] = CHILD_PATH_DEFAULT;
    for (const [name, value] of Object.entries(inherited ?? {})) {
      if (value !== undefined && !NOT_INHERITED.includes(name)) this.#base[name] = value;
    }
    this.#entries = entries;
  }

  /**
   * The environment for one spawn; `values` are those of `placeholderValues()`, for the same
   * `isPidGone`. `source` is the address of an agent that beats by plain UDP, else "".
   */
  expand(values: readonly string[], isPidGone = false, source = ""): Record<string, string> {
    const environment = Object.assign(emptyEnvironment(), this.#base);
    for (let index = 0; index < VARIABLES.length; index++) {
      environment[VARIABLES[index]!] = values[index]!;
    }
    if (isPidGone) environment[PID_GONE] = "1";
    if (source !== "") environment[SOURCE] = source;
    return Object.assign(environment, this.#entries);
  }
}

type Environment = Record<string, string>;

const VARIABLES = PLACEHOLDERS.map((word) => `VARTA_${word.toUpperCase()}`);

const PID_GONE = "VARTA_PID_GONE";
/** Of an agent that beats by plain UDP: on which machine its pid is one. */
const SOURCE = "VARTA_SOURCE";

/**
 * A child that answers the service manager in the daemon's name would keep a dead daemon alive, the
 * sockets that were handed over are the daemon's; and only it knows whether there is a pid.
 */
const NOT_INHERITED: readonly string[] = [
  "NOTIFY_SOCKET",
  "WATCHDOG_USEC",
  "WATCHDOG_PID",
  ...LISTEN_VARIABLES,
  "FDSTORE",
  PID_GONE,
  SOURCE,
];

function emptyEnvironment(): Environment {
  // Without a prototype, so that a variable may have any name, `__proto__` included.
  return Object.create(null) as Environment;
}
