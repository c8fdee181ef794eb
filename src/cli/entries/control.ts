// The commands that run beside the daemon: they ask it, and tell it what to do, at its control
// socket.
import {
  command,
  CONFIG_OPTION,
  CONTROL_OPTION,
  FLAG,
  ASCII_OPTION,
  HUMAN_OPTION,
  JSON_OPTION,
  PLAIN_OPTION,
  UTC_OPTION,
  TEXT,
} from "../command.ts";

/** Of each of these commands, besides their own. */
export const CONTROL_EXITS: readonly (readonly [string, string])[] = [
  ["64", "wrong use"],
  ["69", "the daemon is down"],
  ["75", "no answer within 2s"],
  ["76", "the daemon speaks another protocol"],
  ["77", "not permitted"],
];

export const CONTROL_COMMANDS = [
  command({
    name: "status",
    summary: "show the state of all agents, or of one",
    operands: { usage: "[AGENT]", max: 1 },
    about: [
      "Asks the running daemon how its agents are: one line each, the worst first. AGENT",
      "is a name, or a pattern with * and ?. It says so where the daemon is down.",
    ],
    own: [
      { name: "members", form: FLAG, help: "AGENT and each of its processes" },
      { name: "stalled", form: FLAG, help: "only what is stalled, missing or critical" },
      { name: "watch", form: FLAG, help: "draw it again every second, until SIGINT" },
      JSON_OPTION,
      PLAIN_OPTION,
      HUMAN_OPTION,
      { name: "all", form: FLAG, help: "also all that are ok" },
      ASCII_OPTION,
      UTC_OPTION,
      {
        name: "exit-code",
        form: FLAG,
        help: "end with 0 ok, 1 late or degraded, 2 worse, 3 no answer",
      },
      { ...CONFIG_OPTION, help: "file of the daemon: where its sockets and its state are" },
      CONTROL_OPTION,
    ],
    examples: [
      ["varta-watch status", "how are all?"],
      ["varta-watch status worker --members", "each of its processes"],
      ["varta-watch status --watch", "once a second, on a terminal"],
      ["varta-watch status --exit-code", "a check of Nagios"],
    ],
    exits: [
      ["0", "answered; with --exit-code: all ok"],
      ["1", "no such agent; with --exit-code: late or degraded"],
      ["2", "with --exit-code: stalled, missing or critical"],
      ["3", "with --exit-code: no answer, for whatever reason"],
      ...CONTROL_EXITS,
    ],
    load: () => import("../status.ts"),
  }),
  command({
    name: "explain",
    summary: "say why an agent or a process is as it is",
    operands: { usage: "AGENT|PID", max: 1 },
    about: [
      "Says of an agent, a member or any process what it is doing and how that is known,",
      "what was done about it, what comes next, and which rule is its own. Of an agent it",
      "explains the member that is worst; ADDRESS/PID is a member of another machine.",
    ],
    own: [JSON_OPTION, ASCII_OPTION, UTC_OPTION, CONTROL_OPTION],
    examples: [
      ["varta-watch explain worker", "why is it stalled, and what is done?"],
      ["varta-watch explain 4711", "who is this process?"],
      ["varta-watch explain 10.0.4.20/811", "a member on another machine"],
    ],
    exits: [
      ["0", "answered"],
      ["1", "no such agent, or a process that has never beaten"],
      ...CONTROL_EXITS,
    ],
    load: () => import("../explain.ts"),
  }),
  command({
    name: "events",
    summary: "show what has happened, and what happens",
    about: [
      "Prints the last 1,024 events, the oldest first: stalls, recoveries, ends, mutes,",
      "reloads. With -f it goes on with what comes, until the daemon ends.",
    ],
    own: [
      { name: "follow", short: "f", form: FLAG, help: "go on with what comes" },
      { name: "agent", value: "AGENT", form: TEXT, help: "name, or a pattern with * and ?" },
      {
        name: "kind",
        value: "KINDS",
        form: TEXT,
        help: "only these kinds, with commas in between",
      },
      {
        name: "since",
        value: "DURATION",
        form: { is: "duration" },
        help: "only what is not older",
      },
      { name: "json", form: FLAG, help: "print the lines of the daemon as they are" },
      { name: "plain", form: FLAG, help: "what a pipe gets: times in UTC, no space in a cell" },
      HUMAN_OPTION,
      ASCII_OPTION,
      UTC_OPTION,
      CONTROL_OPTION,
    ],
    examples: [
      ["varta-watch events -f --agent worker", "what happens to one agent"],
      ["varta-watch events --since 10m --kind stall,missing", "what was wrong lately?"],
    ],
    exits: [
      ["0", "answered"],
      ["1", "no such agent"],
      ["64", "wrong use"],
      ["69", "the daemon is down, or has ended"],
      ["75", "no answer within 2s; with -f: nothing heard for 6s"],
      ["76", "the daemon speaks another protocol"],
      ["77", "not permitted"],
    ],
    load: () => import("../events.ts"),
  }),
  command({
    name: "reload",
    summary: "have the configuration file read again and taken over",
    about: [
      "Has the running daemon read its file again and waits for the end. Says what has",
      "changed, or every problem with file, line and column; then nothing was applied.",
      "No member is forgotten and no beat lost. root, the user of the daemon and",
      "operators may do it; it is a row of the audit log.",
    ],
    own: [
      { name: "dry-run", form: FLAG, help: "say what would change, and change nothing" },
      JSON_OPTION,
      ASCII_OPTION,
      UTC_OPTION,
      CONTROL_OPTION,
    ],
    examples: [
      ["varta-watch reload --dry-run", "what would change?"],
      ["varta-watch reload", "take the file over"],
    ],
    exits: [
      ["0", "taken over, or nothing has changed"],
      ["64", "wrong use"],
      ["69", "the daemon is down"],
      ["75", "no answer within 12s, of a stopped daemon 2s: reading the file may take 10s"],
      ["76", "the daemon speaks another protocol"],
      ["77", "not permitted"],
      ["78", "nothing was applied: the problems are on stdout"],
    ],
    load: () => import("../reload.ts"),
  }),
  command({
    name: "doctor",
    summary: "say what is wrong with this host and configuration",
    about: [
      "Checks the host, the configuration and the daemon, and says what to do, the worst",
      "first, each with the command that helps. It changes nothing, and works without the",
      "daemon. As root it sees more.",
    ],
    own: [
      CONFIG_OPTION,
      {
        name: "prometheus",
        value: "URL",
        form: TEXT,
        help: "also ask Prometheus whether it has the rules",
      },
      {
        name: "print",
        value: "WHAT",
        form: { is: "word", words: ["polkit"] },
        help: "print a file instead: the rule that lets plans restart units",
      },
      { name: "json", form: FLAG, help: "one object per check, passed ones too" },
      { name: "ascii", form: FLAG, help: "no signs but those of ASCII" },
      CONTROL_OPTION,
    ],
    examples: [
      ["varta-watch doctor", "what is wrong here?"],
      ["varta-watch doctor --prometheus http://127.0.0.1:9090", "are alerts loaded?"],
    ],
    exits: [
      ["0", "nothing was found, or advice"],
      ["1", "a warning"],
      ["2", "a fault"],
      ["3", "the checks could not run"],
      ["64", "wrong use"],
    ],
    load: () => import("../doctor.ts"),
  }),
];
