// Settings of the unit that take from the daemon what it lives by.
import type { Config } from "../../config/config.ts";
import type { UnitSettings } from "../../config/checks/unit_file.ts";
import { check, type Finding, NOT_ASKED } from "../check.ts";
import { dropIn } from "../words.ts";

interface Sandbox {
  readonly unit: UnitSettings;
  readonly config: Config | undefined;
}

interface Harm {
  readonly key: string;
  /** `value` is that of the last line, which is all of it but in a list. */
  readonly harms: (value: string, sandbox: Sandbox) => boolean;
  readonly effect: string;
  /** What takes it back; a list is extended. */
  readonly instead: string;
  readonly severity: "fault" | "warning";
}

const isOn = (value: string): boolean => ["yes", "true", "on", "1"].includes(value);

/** The worst first. */
const HARMS: readonly Harm[] = [
  {
    key: "MemoryDenyWriteExecute",
    harms: isOn,
    effect: "The daemon cannot start: it calls the kernel by code that is made at run time.",
    instead: "no",
    severity: "fault",
  },
  {
    key: "PrivateUsers",
    harms: (value) => value !== "" && !["no", "false", "off", "0", "identity"].includes(value),
    effect: "All users but two look like nobody: no sender can be told from another.",
    instead: "no",
    severity: "fault",
  },
  {
    key: "PrivatePIDs",
    harms: isOn,
    effect: "The daemon sees no process but its own: nobody is proven or recovered.",
    instead: "no",
    severity: "fault",
  },
  {
    key: "RestrictAddressFamilies",
    harms: (_, { unit }) => !allowsUnix(unit.keys.get("RestrictAddressFamilies") ?? []),
    effect: "The daemon cannot open its Unix sockets.",
    instead: "AF_UNIX",
    severity: "fault",
  },
  {
    key: "PrivateTmp",
    harms: (_, { unit, config }) =>
      config?.listeners.some((one) => "path" in one && isInPrivateTmp(unit, one.path)) === true,
    effect: "Its sockets below /tmp are in a /tmp of its own: no agent finds them.",
    instead: "no",
    severity: "fault",
  },
  {
    key: "PrivateNetwork",
    harms: (value, { config }) =>
      isOn(value) && config?.listeners.some((one) => !("path" in one)) === true,
    effect: "No beat by UDP comes in, and nobody can scrape it by TCP.",
    instead: "no",
    severity: "fault",
  },
  {
    key: "ProcSubset",
    harms: (value) => value === "pid",
    effect: "Without /proc/sys and /proc/stat the daemon cannot judge its machine.",
    instead: "all",
    severity: "warning",
  },
  {
    key: "CPUQuota",
    harms: (value) => Number.parseFloat(value) < 50,
    effect: "The kernel stops the daemon for a part of each 100ms: stalls are told late.",
    instead: "",
    severity: "warning",
  },
];

export const SANDBOX = check({
  name: "sandbox",
  about: "the settings of the unit against what the daemon needs",
  gather: ({ unit, config }) => (unit === undefined ? NOT_ASKED : { unit, config }),
  decide: (sandbox: Sandbox): Finding | undefined => {
    const { unit } = sandbox;
    const harm = HARMS.find(({ key, harms }) => {
      const value = unit.keys.get(key)?.at(-1);
      return value !== undefined && harms(value, sandbox);
    });
    if (harm === undefined) return undefined;
    const value = unit.keys.get(harm.key)!.at(-1)!;
    return {
      severity: harm.severity,
      found: `The unit ${unit.name} has ${harm.key}=${value}.`,
      effect: harm.effect,
      fix: dropIn(unit.name, `${harm.key}=${harm.instead}`),
    };
  },
});

/** As systemd reads it: a line that begins with "~" takes its families away. */
function allowsUnix(lines: readonly string[]): boolean {
  let isAllowed = lines[0]?.startsWith("~") === true;
  for (const line of lines) {
    const takesAway = line.startsWith("~");
    if (line.replace("~", "").split(/\s+/).includes("AF_UNIX")) isAllowed = !takesAway;
  }
  return isAllowed;
}

/** The directory that agents find under this path is another one. */
export function isInPrivateTmp({ keys }: UnitSettings, path: string): boolean {
  const value = keys.get("PrivateTmp")?.at(-1) ?? "no";
  const isPrivate = isOn(value) || value === "disconnected";
  return isPrivate && /^(\/var)?\/tmp\//.test(path);
}
