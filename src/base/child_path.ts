// Where a recovery command without a slash in its name is looked up. The configuration checks at
// the start what the child will find later, so both must look in the same places (spec 10
// section 2).

/** PATH of a child whose environment names none: only what the system installs. */
export const CHILD_PATH_DEFAULT = "/usr/bin:/bin";

/** What a `restart_unit` step runs. */
export const UNIT_MANAGER = "systemctl";

/** The PATH that a child gets: the operator's entry, then an inherited one, then the default. */
export function childPath(
  entries: Readonly<Record<string, string>>,
  inherited: Readonly<Record<string, string | undefined>> | undefined,
): string {
  return entries["PATH"] ?? inherited?.["PATH"] ?? CHILD_PATH_DEFAULT;
}
