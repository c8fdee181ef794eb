// Why a datagram was refused and what to do about it, in words. The causes are those of an
// operator's world (a container, a client of another version, a table that is full), not the names
// of checks.
import { ORIGIN_TEXTS } from "../base/origin.ts";
import type { Refusal } from "../events/refusals.ts";
import { CONTROL_ERROR_NAMES } from "../wire/control_datagram.ts";
import type { ListenerKind } from "../listener/listener.ts";

/** The last datagram that was refused so. */
export interface RefusedExample {
  readonly kind: ListenerKind;
  /** Its senders may state the pid that they have in a container. */
  readonly containers: boolean;
  /** The daemon takes hellos and byes. */
  readonly takesControl: boolean;
  readonly framePid: number;
  /** By the kernel's word; 0 = unknown. */
  readonly peerPid: number;
  readonly peerUid: number;
  /** Namespace of the sender, origin of the slot, or kind of a hello or a bye; NaN = none. */
  readonly detail: number;
  /** No process has the pid of the sender any more. */
  readonly hasEnded: boolean;
  /** Pid of the sender in its own namespace; NaN = unknown. */
  readonly innermostPid: number;
  readonly trackerCapacity: number;
}

interface RefusalText {
  readonly cause: (example: RefusedExample) => string;
  readonly hint: string | ((example: RefusedExample) => string);
}

const CLIENT = "find the program that writes here: no client of varta-watch sends this";
const CONTAINER =
  'set containers = true in its [[listener]], or share the pid namespace; see "Agents in containers" in docs/operating.md';

const TEXTS: Readonly<Record<Refusal, RefusalText>> = {
  wrong_size: {
    cause: wrongSize,
    hint: CLIENT,
  },
  ctrl_truncated: {
    cause: () => "descriptors or other control data attached",
    hint: "send the frame alone, without SCM_RIGHTS",
  },
  no_credentials: {
    cause: () => "the kernel attached no credentials",
    hint: "sent before the daemon had asked for credentials: the next beat has them",
  },
  decrypt: {
    cause: () => "no key of this listener fits",
    hint: "compare the agent's key with key_file, accepted_key_file and master_key_file of the listener; of a flood, varta_secure_untried_total counts those that no key was tried on",
  },
  sender_table_full: {
    cause: () => "the replay state has no room for another sender",
    hint: "raise sender_states of the listener; a silent sender's place is free after ten minutes",
  },
  replay: {
    cause: () => "seen before, or from an agent whose clock went back before it was called silent",
    hint: "an agent on a machine that was booted again is heard once its stall was reported; without a stall, a recording is being replayed",
  },
  decode: {
    cause: ({ detail }) => `no hello and no bye: ${CONTROL_ERROR_NAMES[detail] ?? "unknown"}`,
    hint: "correct the client: docs/spec/01-wire.md has the layout, test/vectors has examples",
  },
  bad_magic: { cause: () => 'no "VA" at the beginning: no beat at all', hint: CLIENT },
  bad_version: {
    cause: () => "another version of the protocol than 2",
    hint: "bring the agent's client and the daemon to the same version",
  },
  bad_status: {
    cause: () => "a status that the protocol does not have",
    hint: "correct the client: a status is 0, 1 or 2",
  },
  stall_on_wire: {
    cause: () => "the status stall, which only the observer gives",
    hint: "correct the client: a status is 0, 1 or 2",
  },
  bad_pid: {
    cause: () => "pid 0 or 1, which is reserved",
    hint: `an agent that is pid 1 of a container: ${CONTAINER}`,
  },
  bad_timestamp: {
    cause: () => "the reserved timestamp",
    hint: "correct the client: it has no clock",
  },
  bad_nonce: {
    cause: () => "the nonce of a last beat with a status that is not critical",
    hint: "correct the client: only a critical beat may have the last nonce",
  },
  bad_crc: {
    cause: () => "wrong checksum",
    hint: "a client must send the CRC-32C of the first 28 bytes; see docs/client.md",
  },
  uid: {
    cause: ({ peerPid, peerUid }) =>
      `uid ${peerUid} (pid ${peerPid}) is on no allow list of the listener`,
    hint: "add it to allow_uids, or its group to allow_gids, if it may beat here",
  },
  pid: { cause: otherPid, hint: otherPidHint },
  pid_above_max: {
    cause: ({ framePid }) => `frame pid ${framePid} is above the kernel's largest pid`,
    hint: "correct the client: the agent runs on another machine, or it states a pid of its own making",
  },
  rate_per_pid: {
    cause: ({ framePid, detail }) =>
      detail > 0
        ? `pid ${framePid} says hello or bye more than four times a second`
        : `pid ${framePid} beats faster than limits.per_pid_rate allows`,
    hint: ({ detail }) =>
      detail > 0
        ? "correct the client: hello is said once, and again on a new connection"
        : "let it beat less often, or raise limits.per_pid_rate",
  },
  rate_global: {
    cause: () => "all senders together are above limits.global_rate",
    hint: "look for a flood in varta_datagrams_rejected_total, or raise limits.global_rate",
  },
  cross_namespace: {
    cause: ({ framePid, detail }) =>
      `pid ${framePid} runs in another pid namespace (${detail === 0 ? "hidden" : detail})`,
    hint: CONTAINER,
  },
  origin_conflict: {
    cause: ({ framePid, detail }) =>
      `pid ${framePid} beats by another transport than before (${ORIGIN_TEXTS[detail] ?? "unknown"})`,
    hint: "two agents claim one pid, or one uses two listeners: give each its own",
  },
  namespace_conflict: {
    cause: ({ framePid, detail, hasEnded }) =>
      !Number.isNaN(detail)
        ? `pid ${framePid} beats from two pid namespaces`
        : hasEnded
          ? `pid ${framePid} has ended: its beat was read too late to tell its pid namespace`
          : `the pid namespace of pid ${framePid}, which was known, cannot be read any more`,
    hint: ({ detail, hasEnded }) =>
      Number.isNaN(detail)
        ? hasEnded
          ? "none is needed: what a process sends right before its end may be read after it"
          : "so it is with a process that ended right after this beat; if it lives, /proc hides it"
        : `two agents have one number in different namespaces: ${CONTAINER}`,
  },
  capacity: {
    cause: ({ framePid, trackerCapacity }) =>
      `the table of ${trackerCapacity} agents is full, pid ${framePid} has no place`,
    hint: "raise tracker.capacity; an agent that stalled gives its place after ten thresholds of silence",
  },
  out_of_order: {
    cause: ({ framePid }) => `the nonce of pid ${framePid} does not advance`,
    hint: "two processes share a client (fork without a new one), beats overtook each other, or one was sent twice",
  },
  text: {
    cause: ({ detail }) => TEXT_CAUSES[detail] || "no message of sd_notify",
    hint: "a message is lines of FIELD=VALUE, without a NUL, in at most 4096 bytes",
  },
  mainpid: {
    cause: ({ peerPid, peerUid, detail }) =>
      detail < 0
        ? `pid ${peerPid} of uid ${peerUid}, which spoke for pid ${-detail}, had ended before its unit could be looked at`
        : `pid ${peerPid} of uid ${peerUid} speaks for ${mainPidText(detail)}, which is not a live process of the same user in the same unit`,
    hint: ({ detail }) =>
      detail < 0
        ? "the next ones are heard once one was looked at in time: varta-watch status"
        : "a process speaks for one of its own user and unit: systemd-notify --pid=$$ from the script itself",
  },
};

function wrongSize({ kind, takesControl }: RefusedExample): string {
  if (kind === "secure-udp")
    return takesControl
      ? "wrong length, neither 60 or 64 bytes (a beat) nor 92 or 96 (a hello or a bye)"
      : "wrong length, neither 60 nor 64 bytes";
  return takesControl
    ? "wrong length, neither 32 bytes (a beat) nor 64 (a hello or a bye)"
    : "wrong length, not 32 bytes";
}

/** By the codes of notify_message.ts. */
const TEXT_CAUSES: readonly string[] = [
  "",
  "an empty message",
  "a message of more than 4096 bytes",
  "a message with a NUL in it",
];

function mainPidText(pid: number): string {
  return pid === 0 ? "what is no pid" : `pid ${pid}`;
}

export function refusalCause(refusal: Refusal, example: RefusedExample): string {
  return TEXTS[refusal].cause(example);
}

export function refusalHint(refusal: Refusal, example: RefusedExample): string {
  const { hint } = TEXTS[refusal];
  return typeof hint === "string" ? hint : hint(example);
}

/** Its sender is in a container, and the listener takes none of its pids. */
export function isFromContainer(
  refusal: Refusal,
  { framePid, innermostPid, containers }: RefusedExample,
): boolean {
  if (containers) return false;
  return refusal === "cross_namespace" || (refusal === "pid" && innermostPid === framePid);
}

function otherPid(example: RefusedExample): string {
  const { framePid, peerPid, innermostPid, containers, hasEnded } = example;
  const both = `frame pid ${framePid} is kernel pid ${peerPid}`;
  if (containers && innermostPid === framePid)
    return `${both}, one of more new senders than are looked up in a second`;
  if (innermostPid === framePid) return `${both}, the agent runs in another pid namespace`;
  if (Number.isNaN(innermostPid) && hasEnded)
    return `${both}, which has ended: a child that beat for its parent, or one of a container`;
  if (Number.isNaN(innermostPid))
    return `${both}, the agent runs in another pid namespace or is not the one it claims to be`;
  return `${both}, a process beats for another one`;
}

function otherPidHint({ framePid, innermostPid, containers, hasEnded }: RefusedExample): string {
  if (containers && innermostPid === framePid) return "its next beat is looked up again";
  if (Number.isNaN(innermostPid) && hasEnded)
    return `after a fork the child needs a client of its own; of one in a container: ${CONTAINER}`;
  if (innermostPid === framePid || Number.isNaN(innermostPid)) return CONTAINER;
  return "a process beats for itself alone: after a fork the child needs a client of its own";
}
