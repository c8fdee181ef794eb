// The labels of varta_agent_info: who an agent is, as far as that stays true when its processes are
// other ones. Nothing that a restart changes is among them: no pid, and no id of a container.
import type { MemberFacts } from "../agents/naming.ts";
import { escaped } from "./family_section.ts";

/** `,unit="a.service",user="app"`: a label without a value is left out, which is the same. */
export function infoLabels({ identity, uid, user, address, listener }: MemberFacts): string {
  const labels = {
    unit: identity?.unit ?? "",
    unit_user: identity?.unitUser ?? "",
    user,
    program: identity?.script || identity?.comm || "",
    address,
    // Of a member on another machine there is little else to say.
    listener: Number.isNaN(uid) ? listener : "",
  };
  return Object.entries(labels)
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `,${name}="${escaped(printable(value))}"`)
    .join("");
}

/** The text comes from processes and is latin1: whatever is not printable ASCII becomes %XX. */
function printable(latin1: string): string {
  return latin1.replace(/[^\x20-\x7e]/g, (character) => {
    const code = character.charCodeAt(0) & 0xff;
    return `%${code.toString(16).toUpperCase().padStart(2, "0")}`;
  });
}
