// The bounds that more than one file uses, with their reasons (register in spec README); others
// stand beside their use. The relations between bounds are asserted at the end.
import { assert } from "./assert.ts";
import { NS_PER_MS, NS_PER_S } from "./time.ts";

/** One datagram of the base protocol (spec 01). */
export const FRAME_BYTES = 32;
/**
 * Datagrams of one receive call: 64 x 64 bytes fill one page and the fixed cost of the call is
 * spread (spec 05).
 */
export const BATCH_SIZE = 64;

/**
 * 2^20: PID_MAX_LIMIT of a 64-bit kernel is 2^22, and a quarter of all pids is more agents than any
 * machine has.
 */
export const TRACKER_CAPACITY_MAX = 1_048_576;
/**
 * The largest capacity that a tracker may be given while it runs: rows are reserved for it, of
 * which those that are never used cost no memory. A larger table takes too long to be indexed anew.
 */
export const TRACKER_CAPACITY_LIVE_MAX = 65_536;
export const EVICTION_WINDOW_DEFAULT = 256;
export const EVICTION_WINDOW_MIN = 1;
/** Bounds the work of one frame: at most two windows of slots are searched. */
export const EVICTION_WINDOW_MAX = 4_096;
/**
 * Uids whose slots are counted one by one: no known machine runs agents of more of them.
 */
export const UID_SHARE_ROWS = 256;
/**
 * Processes asked for meanwhile whether they have ended, 3 us each: less than the look-up of the
 * newcomer itself.
 */
export const UID_SHARE_LOOKUPS_MAX = 8;

/**
 * Shortest silence that may be a stall: below it a busy machine would report every agent for ever.
 */
export const THRESHOLD_NS_MIN = 10 * NS_PER_MS;

/**
 * Different thresholds of one configuration, each with its late, those that its members may ask for
 * among them: each that a member has is a lane that a turn looks at, 3 ns each. Nine rules with a
 * late of their own may let their members ask for anything from a second to a minute.
 */
export const THRESHOLDS_MAX = 256;

/** More time that a member may ask for at once: a program that needs longer beats meanwhile. */
export const EXTEND_NS_MAX = 600 * NS_PER_S;

/** burst x 10^9 token-nanoseconds must stay below 2^53 to be exact. */
export const GLOBAL_BURST_MAX = 9_000_000;

/** Datagrams taken in one turn: bounds the delay of everything else in the turn (spec 04, 12). */
export const PUMP_BUDGET_PER_TURN = 4_096;
/**
 * Time after which a turn begins no further receive: a forged frame that is tried with nine keys
 * costs thirty times a plain one, so the number alone would let a flood of them hold the turn for
 * 100 ms. One batch of them is 1.6 ms.
 */
export const PUMP_NS_PER_TURN_MAX = 5 * NS_PER_MS;
/** Datagrams after which stalls are judged although the sockets are not empty. */
export const JUDGE_DATAGRAMS_MAX = 4_096;
/** The same after a pause: more than long queues hold, and a tenth of a second of a flood. */
export const HEAR_OUT_DATAGRAMS_MAX = 65_536;
/** Removed pids handled in one turn. */
export const REMOVED_PIDS_PER_TURN_MAX = 4_096;
/**
 * Receive failures in a row after which a listener leaves the wait set, and when it is tried again
 * (spec 12).
 */
export const RECEIVE_FAILURES_MAX = 8;
export const RECEIVE_RETRY_NS = NS_PER_S;

/**
 * A sender that is not proven yet is, by its next beat, if its socket was seen empty after the tick
 * in which it started: a quiet loop looks once more so long after its first beat. One tick, and
 * what two clocks may differ in it.
 */
export const PROOF_LOOK_NS = 12 * NS_PER_MS;
/**
 * The filter against floods lets one datagram of so many through, so that what is refused stays
 * visible. A power of two.
 */
export const RUBBISH_SAMPLE = 64;
/**
 * The same while the sample alone is a flood: three senders in blocking mode fill a queue of 10
 * with one in 64.
 */
export const RUBBISH_SAMPLE_RARE = 64 * RUBBISH_SAMPLE;

/** What the kernel gives a 64-bit system by default when /proc cannot say. */
export const PID_MAX_FALLBACK = 4_194_304;
export const PID_MAX_REFRESH_NS = 60 * NS_PER_S;

/** Stalls decided in one turn (spec 10 section 4). */
export const RECOVERY_EVALUATIONS_PER_TURN_MAX = 256;
/** A fork costs about half a millisecond: 16 keep a turn under 10 ms. */
export const RECOVERY_SPAWNS_PER_TURN_MAX = 16;
/**
 * Time of spawns after which a turn begins none: a fork ends when the child has its first share of
 * a core, which takes many times as long on a busy machine, and a busy machine is where a thousand
 * agents stall at once.
 */
export const RECOVERY_SPAWN_NS_PER_TURN_MAX = 2 * NS_PER_MS;
export const RECOVERY_COMPLETIONS_PER_TURN_MAX = 64;
/**
 * Orphans that the first process of a container reaps in one turn: two calls each, well below a
 * millisecond.
 */
export const ORPHANS_PER_TURN_MAX = 64;
/**
 * Between two looks for them: an ended process holds nothing but its pid, so a second of it does no
 * harm.
 */
export const ORPHAN_LOOK_NS = NS_PER_S;
/**
 * Recoveries that a restarted daemon remembers: as many as there are agents by default, in 256 KiB.
 */
export const FIRED_JOURNAL_LINES = 4_096;
/**
 * Signals sent to children in one turn, each kind: a kill costs microseconds, so this stays below a
 * millisecond.
 */
export const RECOVERY_KILL_STEPS_PER_TURN_MAX = 256;
/**
 * Between two looks whether beats of a stalled agent are still refused: until then nothing is done
 * to it.
 */
export const RECOVERY_HOLD_LOOK_NS = NS_PER_S;
/** Bytes of output taken from one child in one turn: a full pipe. */
export const CAPTURE_BYTES_PER_TURN_MAX = 65_536;
/** Output of one child after which it is cut off; it then gets SIGPIPE (spec 10 section 5). */
export const CAPTURE_READ_BYTES_MAX = 1_048_576;

/**
 * Longest block in poll(2) while no agent is watched; else it is the gap of a pause. Nothing needs
 * a shorter one: a signal, also one that lands just before the block, makes the runtime's event
 * descriptor readable (spec 12 section 1); each wake-up of a quiet daemon costs about 0.2 ms.
 */
export const WAIT_NS_MAX = NS_PER_S;

/** Longest Unix socket path: sun_path holds 108 bytes with its NUL, and 104 on macOS. */
export const SOCKET_PATH_BYTES_MAX: number = process.platform === "darwin" ? 103 : 107;

/**
 * Time for identities in one turn: about five of them. While more wait, turn follows turn, and each
 * begins with the sockets: a short queue fills within a millisecond, and then beats wait, or are
 * refused. Larger slices made 10,000 newcomers no faster.
 */
export const IDENTITY_NS_PER_TURN_MAX = 0.25 * NS_PER_MS;
/**
 * Between two looks at one member: execve keeps pid and start time, and a name follows within 7 s.
 */
export const IDENTITY_LOOK_EVERY_NS = 5 * NS_PER_S;
/** So long the first judgement of a member waits for its identity. */
export const IDENTITY_PUT_OFF_NS_MAX = 50 * NS_PER_MS;

/** Listeners of one daemon: the listener of a beat is a u8 in the event row. */
export const LISTENERS_MAX = 64;

/**
 * Connections of all stream listeners together: with a pidfd each they are 8,192 descriptors, half
 * of what a service has by default (spec 05 section 10).
 */
export const STREAM_CONNECTIONS_MAX = 4_096;
/** Of them of one user, so that four are needed to take all. */
export const STREAM_CONNECTIONS_PER_UID_MAX = 1_024;
/** Of one process: a client has one, and a program may have several clients. */
export const STREAM_CONNECTIONS_PER_PID_MAX = 16;
/** Shared keys of one secure listener: every one is tried on every datagram (spec 02). */
export const SHARED_KEYS_MAX = 8;
/** Senders whose replay state one secure listener keeps; the unknown one beyond them is refused. */
export const SENDER_STATES_DEFAULT = 1_024;
/**
 * Prefixes that a secure listener remembers when they are no longer in use: an agent that crashes
 * every second for an hour leaves 3,600. 256 KiB. A power of two.
 */
export const RETIRED_PREFIXES_MAX = 32_768;
/**
 * Datagrams that no key opens, or that were there before, per second: what one source may send
 * before its datagrams are refused unopened, what may come under the prefix of one sender, and what
 * may come from all unknown sources together. An agent with a wrong key beats ten times a second; a
 * trial costs four microseconds per key.
 */
export const FORGERIES_PER_S_SOURCE = 32;
export const FORGERIES_BURST_SOURCE = 512;
export const FORGERIES_PER_S_SENDER = 64;
export const FORGERIES_BURST_SENDER = 256;
export const FORGERIES_PER_S_STRANGERS = 1_000;
export const FORGERIES_BURST_STRANGERS = 2_000;

/**
 * Per-pid rows beyond the tracker's capacity: evicted pids keep theirs until the removal is handled
 * (spec 08).
 */
export const METRICS_SPARE_ROWS = 64;

/**
 * Connections of the HTTP server at a time: a few scrapers and probes; what one more would want is
 * a descriptor.
 */
export const HTTP_CONNECTIONS_MAX = 256;
/** Of them from one address, so that eight of them are needed to take all. */
export const HTTP_CONNECTIONS_PER_ADDRESS_MAX = 32;
/**
 * Requests after which a connection is ended: its client connects again, and others get their turn.
 */
export const HTTP_REQUESTS_PER_CONNECTION_MAX = 100;
/** Bytes of a request line with its header, and the time that they may take. */
export const HTTP_HEAD_BYTES_MAX = 16 * 1_024;
export const HTTP_HEAD_NS_MAX = 5 * NS_PER_S;
export const HTTP_HEADER_FIELDS_MAX = 100;
/** Time that a connection may wait for its next request. */
export const HTTP_IDLE_NS_MAX = 10 * NS_PER_S;
/** Time without a byte taken, and in all, after which an answer is given up: its body is memory. */
export const HTTP_ANSWER_STALL_NS_MAX = 10 * NS_PER_S;
export const HTTP_ANSWER_NS_MAX = 60 * NS_PER_S;
/** Connections accepted in one turn, and served in one turn: each costs 10 to 20 us. */
export const HTTP_ACCEPTS_PER_TURN_MAX = 16;
export const HTTP_EVENTS_PER_TURN_MAX = 64;
/**
 * Times the length of its work that the HTTP server then rests, so that clients never have more
 * than a quarter of a core: a process that is always busy waits for its turn behind others, and
 * beats with it.
 */
export const HTTP_REST_PARTS = 3;
/** When accepting is tried again after the system had no descriptor or memory for it. */
export const HTTP_ACCEPT_RETRY_NS = 100 * NS_PER_MS;
/**
 * Descriptors, the last below the limit, that no connection may have: for the pipes of children,
 * and files.
 */
export const DESCRIPTORS_RESERVED_MAX = 512;
/** Health checks per second and address, and at once: twenty probes of every kind, and no flood. */
export const HTTP_HEALTH_PER_SEC = 50;
/** Time that responses in flight get at shutdown. */
export const HTTP_DRAIN_NS_MAX = NS_PER_S;
/** Scraper addresses remembered by the limiter, how long, and how often the table is swept. */
export const SCRAPER_ADDRESSES_MAX = 1_024;
export const SCRAPER_TTL_NS = 60 * NS_PER_S;
export const SCRAPER_SWEEP_NS = 10 * NS_PER_S;

/** Bytes of lines that may wait for a slow disk (spec 09). */
export const FILE_QUEUE_BYTES_MAX = 4 * 1_048_576;
/**
 * Bytes of one write call: large enough to be cheap, small enough that rotation overshoots little.
 */
export const FILE_WRITE_BYTES_MAX = 256 * 1_024;
/**
 * Spacing of the checks whether a path still names the file that is open, and of the log lines that
 * it cannot be opened.
 */
export const FILE_LOOK_NS = NS_PER_S;
export const FILE_REFUSAL_NS = 60 * NS_PER_S;
/** Old files kept by rotation: `.1` to `.5`. */
export const ROTATED_FILES_MAX = 5;
/** Export lines are handed to the writer at this size or age, whichever comes first (spec 09). */
export const EXPORT_FLUSH_BYTES = 32 * 1_024;
export const EXPORT_FLUSH_NS_MAX = 100 * NS_PER_MS;

/**
 * Audit records that wait for the disk: a burst of sixteen turns of spawns, and a known amount of
 * memory (spec 11).
 */
export const AUDIT_RING_LINES = 256;
/** 75 % and 95 % of the ring. */
export const AUDIT_RING_WARN_LINES = 192;
export const AUDIT_RING_CRITICAL_LINES = 243;
/**
 * Text that waits in the ring: 256 rows with the default capture fit many times, rows with the
 * largest one do not.
 */
export const AUDIT_RING_BYTES_MAX = 64 * 1_048_576;
/**
 * When a failed write, sync or rotation of the audit log is tried again although no record comes.
 */
export const AUDIT_RETRY_NS = NS_PER_S;
/** Longest line that is taken for a record: two tails of 1 MiB, every byte escaped to four. */
export const AUDIT_LINE_BYTES_MAX = 9 * 1_048_576;

/** Whoever has more agents to mute has a pattern for them; a page asks each for each agent. */
export const MUTES_MAX = 256;
/** A mute is for a time that somebody can oversee: what is off for longer belongs in the file. */
export const MUTE_NS_MAX = 7 * 24 * 3_600 * NS_PER_S;
/** A level of the log that nobody remembers fills a disk. */
export const LOG_LEVEL_NS_MAX = 24 * 3_600 * NS_PER_S;
/** Events that are kept for who asks later, and what one text of theirs may take. */
export const EVENTS_KEPT_MAX = 1_024;
/** A stream with nothing to say says so: longer silence is that of a daemon that hangs. */
export const STREAM_QUIET_NS_MAX = 2 * NS_PER_S;
/** Of the self-watchdog under a service manager's: well below any sensible WatchdogSec. */
export const SELF_WATCHDOG_NS_MANAGED = 4 * NS_PER_S;
/** For a byte of a stream to be taken: its reader may be a pager, or a machine that is gone. */
export const STREAM_UNREAD_NS_MAX = 30 * NS_PER_S;
/** What happened to an agent last, as `explain` shows it: a screen has room for no more. */
export const AGENT_EVENTS_MAX = 10;
/** Agents of which that is kept, and all texts together. */
export const AGENT_HISTORIES_MAX = 4_096;
export const AGENT_HISTORIES_BYTES_MAX = 4 * 1_048_576;
/** Stalls that last of which is kept what was done, and what of each: about 8 MiB at most. */
export const STALL_NOTES_MAX = 4_096;
export const STALL_NOTE_ROWS_MAX = 12;

assert(2 ** 32 - 2 > TRACKER_CAPACITY_MAX, "slot numbers must stay below the index sentinels");
assert(GLOBAL_BURST_MAX * 1e9 < Number.MAX_SAFE_INTEGER, "token-nanoseconds must be exact");
assert(PUMP_BUDGET_PER_TURN % BATCH_SIZE === 0, "the pump budget is checked between batches");
assert(
  (RUBBISH_SAMPLE_RARE & (RUBBISH_SAMPLE_RARE - 1)) === 0,
  "the sample is taken by the bits of a word",
);
assert(
  STREAM_CONNECTIONS_PER_PID_MAX < STREAM_CONNECTIONS_PER_UID_MAX &&
    STREAM_CONNECTIONS_PER_UID_MAX < STREAM_CONNECTIONS_MAX,
  "no process takes the connections of its user, and no user those of all",
);
assert(LISTENERS_MAX <= 256, "a listener number is a u8");
assert(FILE_WRITE_BYTES_MAX < FILE_QUEUE_BYTES_MAX, "a queue holds more than one write");
assert(
  HTTP_CONNECTIONS_PER_ADDRESS_MAX < HTTP_CONNECTIONS_MAX,
  "one address cannot take every connection",
);
assert(AUDIT_LINE_BYTES_MAX < AUDIT_RING_BYTES_MAX, "the longest record fits into the ring");
