// Every bound of the program, with its reason and the spec file that owns it (register in spec
// README). The relations between bounds are asserted at the end.
import { assert } from "./assert.ts";
import { NS_PER_MS, NS_PER_S } from "./time.ts";

/** One datagram of the base protocol (spec 01). */
export const FRAME_BYTES = 32;
/**
 * Datagrams of one receive call: 64 x 64 bytes fill one page and the fixed cost of the call is
 * spread (spec 05).
 */
export const BATCH_SIZE = 64;

/** Slots of a tracker made without options (spec 03). */
export const TRACKER_CAPACITY_CLASS_DEFAULT = 256;
export const TRACKER_CAPACITY_DEFAULT = 4_096;
/**
 * 2^20: PID_MAX_LIMIT of a 64-bit kernel is 2^22, and a quarter of all pids is more agents than any
 * machine has.
 */
export const TRACKER_CAPACITY_MAX = 1_048_576;
/** A slot is a victim only after ten thresholds of silence: long after its stall was reported. */
export const EVICTION_MULTIPLIER = 10;
export const EVICTION_WINDOW_DEFAULT = 256;
export const EVICTION_WINDOW_MIN = 1;
/** Bounds the work of one frame: at most two windows of slots are searched. */
export const EVICTION_WINDOW_MAX = 4_096;
/**
 * Rising numbers from 1 that are a restart: two could be old datagrams which a network delivered
 * late.
 */
export const RESTART_RUN = 3;
/**
 * Keys tried for a source whose pid another one holds: that four of 2^31 are all taken by others
 * happens only on purpose.
 */
export const MEMBER_KEY_PROBES_MAX = 4;
/**
 * Uids whose slots are counted one by one: no known machine runs agents of more of them.
 */
export const UID_SHARE_ROWS = 256;
/**
 * Slots of one uid searched for one that a full table can do without: a walk along a list, about 5
 * us.
 */
export const UID_SHARE_SLOTS_MAX = 1_024;
/**
 * Processes asked for meanwhile whether they have ended, 3 us each: less than the look-up of the
 * newcomer itself.
 */
export const UID_SHARE_LOOKUPS_MAX = 8;
/** How near both ends of u64 a nonce must be to count as wrapped. */
export const NONCE_WRAP_DISTANCE = 2 ** 20;
/** Probe budget of every index operation; at a quarter load the longest run ever seen is 17. */
export const PROBES_MAX = 64;
/** Pauses of the observer that move deadlines; of a longer row of them only the last count. */
export const PAUSES_KEPT_MAX = 64;
/**
 * Part of the threshold that the observer may be late without calling it a pause, and the least
 * that it may be late.
 */
export const PAUSE_GAP_PART = 1 / 4;
export const PAUSE_GAP_NS_MIN = 5 * NS_PER_MS;
/**
 * A pause stands alone if it began so many gaps, two thresholds, after the end of the one before
 * it.
 */
export const PAUSE_ALONE_GAPS = 8;
/** Distinct thresholds that have a deadline lane of their own. */
export const LANES_MAX = 16;

/**
 * Shortest silence that may be a stall: below it a busy machine would report every agent for ever.
 */
export const THRESHOLD_NS_MIN = 10 * NS_PER_MS;

export const PER_PID_RATE_DEFAULT = 100;
/**
 * Beats that one member may always send at once: a worker that reports each of a few jobs done is
 * no flood.
 */
export const PER_PID_BURST_MIN = 8;
export const GLOBAL_RATE_DEFAULT = 50_000;
export const GLOBAL_BURST_DEFAULT = 100_000;
/**
 * Part of the global burst that only beats of known agents may spend: a flood of anything else
 * never sheds them.
 */
export const GLOBAL_RESERVE_PART = 1 / 4;
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
/** Slots taken at one judge point in the daemon, so that a mass stall cannot hold up beats. */
export const JUDGE_SLOTS_MAX = 1_024;
/** Removed pids handled in one turn. */
export const REMOVED_PIDS_PER_TURN_MAX = 4_096;
/**
 * Receive failures in a row after which a listener leaves the wait set, and when it is tried again
 * (spec 12).
 */
export const RECEIVE_FAILURES_MAX = 8;
export const RECEIVE_RETRY_NS = NS_PER_S;
/** Spacing of identity look-ups of one slot. */
export const IDENTITY_RETRY_NS = NS_PER_S;

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
/**
 * Datagrams per second that are no frames above which a listener gets its filter, and below which
 * it loses it after its time.
 */
export const RUBBISH_PER_S_MAX = 1_000;
export const RUBBISH_PER_S_CALM = 200;
/**
 * Over so long the rate is taken: a tenth of the threshold within these bounds. A short burst is
 * over by then and counted whole, and an agent that beats a few times within a threshold can lose
 * one beat before the filter is on.
 */
export const RUBBISH_LOOK_NS_MAX = 100 * NS_PER_MS;
export const RUBBISH_LOOK_NS_MIN = 10 * NS_PER_MS;
/** Under the filter the rate is an estimate from one in 64: a second has at least some of them. */
export const RUBBISH_FILTERED_LOOK_NS = NS_PER_S;
/** Calm seconds in a row after which the filter is taken off. */
export const RUBBISH_CALM_LOOKS = 10;

/** What the kernel gives a 64-bit system by default when /proc cannot say. */
export const PID_MAX_FALLBACK = 4_194_304;
export const PID_MAX_REFRESH_NS = 60 * NS_PER_S;
/** A reading that is further ahead than this (beyond a planned wait) is counted as a clock jump. */
export const CLOCK_JUMP_NS = 5 * NS_PER_S;

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
 * Pauses between the tries of a step for which the system was short of something: a moment at
 * first, since descriptors of other children come back within one, then rarely enough that a
 * thousand waiting agents cost nothing.
 */
export const RECOVERY_RETRY_NS_FIRST = 100 * NS_PER_MS;
export const RECOVERY_RETRY_NS_MAX = 30 * NS_PER_S;
/** After so long it is reported as a failure, and the next step has its turn. */
export const RECOVERY_RETRY_SPAN_NS = 600 * NS_PER_S;
/**
 * Questions to the service manager at a time: each is a process of 15 ms, and a hundred agents may
 * stall at once.
 */
export const UNIT_LOOKUPS_MAX = 4;
/**
 * A service manager that is busy answers late; one that hangs keeps the next step from being done
 * no longer than this.
 */
export const UNIT_LOOKUP_NS_MAX = 5 * NS_PER_S;
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
/**
 * Spawns of a turn that recoveries in progress may take from new ones while steps of theirs wait,
 * so that neither starves.
 */
export const RECOVERY_STEP_SPAWNS_PER_TURN_MAX = 8;
/** Bytes of output taken from one child in one turn: a full pipe. */
export const CAPTURE_BYTES_PER_TURN_MAX = 65_536;
/** Output of one child after which it is cut off; it then gets SIGPIPE (spec 10 section 5). */
export const CAPTURE_READ_BYTES_MAX = 1_048_576;
/** Children whose output is read in one turn: two empty reads cost under a microsecond. */
export const CAPTURED_CHILDREN_PER_TURN_MAX = 256;
/**
 * Between two looks at output, from busy to idle: a full pipe holds 64 KiB, so no child waits for
 * long.
 */
export const CAPTURE_LOOK_NS_MIN = 10 * NS_PER_MS;
export const CAPTURE_LOOK_NS_MAX = 250 * NS_PER_MS;
/** What a command left in the background may hold its output open for so long after its exit. */
export const POST_EXIT_GRACE_NS = 2 * NS_PER_S;
/**
 * A shutdown waits at least this long after a SIGKILL, also after the end of its grace: dying takes
 * a moment.
 */
export const SHUTDOWN_KILL_NS_MIN = 100 * NS_PER_MS;

/**
 * Longest block in poll(2) while no agent is watched; else it is the gap of a pause. Nothing needs
 * a shorter one: a signal, also one that lands just before the block, makes the runtime's event
 * descriptor readable (spec 12 section 1); each wake-up of a quiet daemon costs about 0.2 ms.
 */
export const WAIT_NS_MAX = NS_PER_S;
/** Poll interval when the runtime's epoll descriptor cannot be watched. */
export const WAIT_FALLBACK_NS_MAX = 5 * NS_PER_MS;

/** Longest Unix socket path: sun_path holds 108 bytes with its NUL, and 104 on macOS. */
export const SOCKET_PATH_BYTES_MAX: number = process.platform === "darwin" ? 103 : 107;

/** Listeners of one daemon: the listener of a beat is a u8 in the event row. */
export const LISTENERS_MAX = 64;

/** Shared keys of one secure listener: every one is tried on every datagram (spec 02). */
export const SHARED_KEYS_MAX = 8;
/** Senders whose replay state one secure listener keeps; the unknown one beyond them is refused. */
export const SENDER_STATES_DEFAULT = 1_024;
/** A state takes about 100 bytes, all of them at start: 6 MiB. */
export const SENDER_STATES_MAX = 65_536;
/** Silence after which a sender's replay state is dropped: longer than any restart takes. */
export const SENDER_TTL_NS = 600 * NS_PER_S;
export const SENDER_SWEEP_NS = 60 * NS_PER_S;
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
 * Of these, what is left to sources of which fewer than so many came lately: a new sender is one of
 * them.
 */
export const FORGERIES_KEPT = 1_000;
export const FORGERIES_FEW = FORGERIES_PER_S_SOURCE;
/** Sources remembered, by a hash of address and port. A power of two. */
export const FORGERY_SOURCES_MAX = 4_096;
/** Derived agent keys kept ready: as many as there are senders. A power of two. */
export const AGENT_KEYS_CACHED = 1_024;

/**
 * Per-pid rows beyond the tracker's capacity: evicted pids keep theirs until the removal is handled
 * (spec 08).
 */
export const METRICS_SPARE_ROWS = 64;

/** Scrapes that may wait for a body at once (spec 13). */
export const SCRAPES_IN_PROGRESS_MAX = 64;
/** HTTP work of one turn. */
export const HTTP_SLICE_NS_MAX = 2 * NS_PER_MS;
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
/**
 * A longer body is refused as such; a shorter one, which is not read either, as part of its method.
 */
export const HTTP_BODY_BYTES_MAX = 4_096;
/** Time without a byte taken, and in all, after which an answer is given up: its body is memory. */
export const HTTP_ANSWER_STALL_NS_MAX = 10 * NS_PER_S;
export const HTTP_ANSWER_NS_MAX = 60 * NS_PER_S;
/**
 * A connection that the server ended is read for so long, so that its last answer is not lost by a
 * reset.
 */
export const HTTP_LINGER_NS_MAX = NS_PER_S;
export const HTTP_LINGER_BYTES_MAX = 32 * 1_024;
/** Connections accepted in one turn, and served in one turn: each costs 10 to 20 us. */
export const HTTP_ACCEPTS_PER_TURN_MAX = 16;
export const HTTP_EVENTS_PER_TURN_MAX = 64;
/** Time after which a turn serves no further connection. */
export const HTTP_EXCHANGE_NS_MAX = NS_PER_MS;
/**
 * Times the length of its work that the HTTP server then rests, so that clients never have more
 * than a quarter of a core: a process that is always busy waits for its turn behind others, and
 * beats with it.
 */
export const HTTP_REST_PARTS = 3;
/**
 * Bytes of one send, and sends to one connection in a turn: a page of 10,000 agents takes seven
 * turns.
 */
export const HTTP_SEND_BYTES_MAX = 64 * 1_024;
export const HTTP_SENDS_PER_TURN_MAX = 4;
/**
 * Connections that the kernel keeps until they are accepted: a storm of them must not make it drop
 * a scraper's.
 */
export const HTTP_BACKLOG = 512;
/** When accepting is tried again after the system had no descriptor or memory for it. */
export const HTTP_ACCEPT_RETRY_NS = 100 * NS_PER_MS;
/**
 * Descriptors, the last below the limit, that no connection may have: for the pipes of children,
 * and files.
 */
export const DESCRIPTORS_RESERVED_MAX = 512;
/** Health checks per second and address, and at once: twenty probes of every kind, and no flood. */
export const HTTP_HEALTH_PER_SEC = 50;
/** Age up to which a rendered page is served again: two Prometheus servers cost one page. */
export const SCRAPE_CACHE_NS_MAX = NS_PER_S;
/** Below this size compression saves no packet. */
export const GZIP_BYTES_MIN = 1_024;
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
/** Time that a pass of the audit writer may spend outside fdatasync. */
export const AUDIT_PASS_NS_MAX = 10 * NS_PER_MS;
/** Spacing of the checks whether the path still names the open audit file. */
export const AUDIT_LOOK_NS = NS_PER_S;
/** Shortest time between two writings of the remembered head: each is two syncs. */
export const AUDIT_HEAD_NS_MIN = 100 * NS_PER_MS;
/**
 * The head is logged after so many rows: a copy that a log shipper took away cannot be changed any
 * more.
 */
export const AUDIT_HEAD_TOLD_ROWS = 100;
/** Bytes read back at a start to find the remembered row: as a rule it is one of the last. */
export const AUDIT_COMPARE_BYTES_MAX = 64 * 1_048_576;
/** First bytes read from the end of an audit log to find its last record. */
export const AUDIT_PROBE_BYTES = 4_096;
/** Longest line that is taken for a record: two tails of 1 MiB, every byte escaped to four. */
export const AUDIT_LINE_BYTES_MAX = 9 * 1_048_576;

assert(2 ** 32 - 2 > TRACKER_CAPACITY_MAX, "slot numbers must stay below the index sentinels");
assert(GLOBAL_BURST_MAX * 1e9 < Number.MAX_SAFE_INTEGER, "token-nanoseconds must be exact");
assert(PUMP_BUDGET_PER_TURN % BATCH_SIZE === 0, "the pump budget is checked between batches");
assert(
  (RUBBISH_SAMPLE_RARE & (RUBBISH_SAMPLE_RARE - 1)) === 0,
  "the sample is taken by the bits of a word",
);
assert(LISTENERS_MAX <= 256, "a listener number is a u8");
assert(FILE_WRITE_BYTES_MAX < FILE_QUEUE_BYTES_MAX, "a queue holds more than one write");
assert(
  HTTP_CONNECTIONS_PER_ADDRESS_MAX < HTTP_CONNECTIONS_MAX,
  "one address cannot take every connection",
);
assert(AUDIT_LINE_BYTES_MAX < AUDIT_RING_BYTES_MAX, "the longest record fits into the ring");
