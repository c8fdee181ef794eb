// Every command with its options, examples and exit codes: the one table that the parser, the help screens, the
// completions and the man pages are made from (spec 07 section 3). Options that set configuration keys are in
// config/options.ts; a command says here whether it takes them.
import { TEST_HOOKS } from "../base/build_info.ts";
import type { CommandName } from "./invocation.ts";

export interface OwnOption {
  /** Long name without dashes. */
  readonly name: string;
  readonly short?: string;
  /** Another long name, understood and not shown. */
  readonly alias?: string;
  /** The word for the value in help; undefined = a flag. */
  readonly value?: string;
  readonly form: OwnForm;
  readonly help: string;
}

export type OwnForm =
  | { readonly is: "flag" | "text" | "duration" }
  | { readonly is: "integer"; readonly min: number; readonly max: number }
  | { readonly is: "word"; readonly words: readonly string[] };

export interface Command {
  readonly name: CommandName;
  /** Positional words, as the usage line shows them. */
  readonly operands: string;
  readonly operandsMax: number;
  readonly summary: string;
  /** Sentences below the usage line, one per line of at most 78 columns. */
  readonly about: readonly string[];
  readonly own: readonly OwnOption[];
  readonly takesConfigOptions: boolean;
  /** Command line, and what it does. */
  readonly examples: readonly (readonly [string, string])[];
  readonly exits: readonly (readonly [string, string])[];
}

const FLAG: OwnForm = { is: "flag" };
const TEXT: OwnForm = { is: "text" };
const U32_MAX = 4_294_967_295;

const CONFIG_OPTION: OwnOption = {
  name: "config",
  short: "c",
  value: "FILE",
  form: TEXT,
  help: "configuration file (/etc/varta/varta.toml, if it exists)",
};

/** In builds with test hooks only; elsewhere it is an unknown option. */
const INJECT_WEDGE_OPTION: OwnOption = {
  name: "inject-wedge-ms",
  value: "MS",
  form: { is: "integer", min: 0, max: U32_MAX },
  help: "stop the loop for ever after this time, to see the watchdogs bite",
};

/** Understood by every command. */
export const GLOBAL_OPTIONS: readonly OwnOption[] = [
  { name: "help", short: "h", form: FLAG, help: "print help and exit" },
  { name: "version", short: "V", form: FLAG, help: "print the version and exit" },
  { name: "no-color", form: FLAG, help: "no colours, also on a terminal" },
];

export const COMMANDS: readonly Command[] = [
  {
    name: "run",
    operands: "",
    operandsMax: 0,
    summary: "watch processes; the default command",
    about: [
      "Listens for heartbeats, says which process fell silent, runs the recovery",
      "command for it and serves metrics. Stays in the foreground and logs to stderr.",
      "Without a file and without options it listens at the default socket path and",
      "serves metrics at 127.0.0.1:9469.",
    ],
    own: [
      CONFIG_OPTION,
      {
        name: "check",
        short: "t",
        alias: "check-config",
        form: FLAG,
        help: 'check the configuration and exit, like "varta-watch check"',
      },
      ...(TEST_HOOKS ? [INJECT_WEDGE_OPTION] : []),
    ],
    takesConfigOptions: true,
    examples: [
      ["varta-watch", "watch with /etc/varta/varta.toml, or with defaults"],
      ["varta-watch run -c ./varta.toml", "watch with another file"],
      ["varta-watch --socket /tmp/v.sock --threshold-ms 500", "watch without a file"],
    ],
    exits: [
      ["0", "stopped by SIGTERM, SIGINT or shutdown_after"],
      ["1", "runtime failure: the socket cannot be bound, another instance runs, ..."],
      ["64", "wrong use: an option is unknown or its value is wrong"],
      ["78", "the configuration file or a secret file is at fault"],
      ["142", "ended by the self-watchdog (SIGALRM)"],
    ],
  },
  {
    name: "check",
    operands: "",
    operandsMax: 0,
    summary: "check the configuration without starting anything",
    about: [
      "Runs every check that a start would run, secret files included, and looks for what",
      "the start would find on this machine: directories, files, programs and ports, for",
      "the user that the daemon will have. Reports all problems at once, each with file,",
      "line and column. Writes nothing; a port is bound for a moment.",
    ],
    own: [
      CONFIG_OPTION,
      {
        name: "user",
        value: "NAME",
        form: TEXT,
        help: "check for this user (for root: that of the installed unit)",
      },
      { name: "print", form: FLAG, help: "print every value and where it came from" },
      { name: "json", form: FLAG, help: "print the result as JSON on stdout" },
    ],
    takesConfigOptions: true,
    examples: [
      ["varta-watch check", "check /etc/varta/varta.toml"],
      ["varta-watch check -c ./varta.toml --print", "show the values in effect"],
      ["varta-watch check --user varta", "with the rights of that user; only root can"],
    ],
    exits: [
      ["0", "no problems"],
      ["64", "an option is at fault"],
      ["77", "only root may check for another user"],
      ["78", "the configuration, a secret file or this machine is at fault"],
    ],
  },
  {
    name: "beat",
    operands: "",
    operandsMax: 0,
    summary: "send heartbeats, from a script or by hand",
    about: [
      "Sends heartbeats of this very process. Each run is a new process with a new pid,",
      "so only a series (--count, --interval) looks like one living agent.",
    ],
    own: [
      {
        name: "socket",
        value: "PATH",
        form: TEXT,
        help: "socket of the daemon (the default path)",
      },
      {
        name: "udp",
        value: "IP:PORT",
        form: TEXT,
        help: "address of a UDP listener, instead of a socket",
      },
      {
        name: "key-file",
        value: "FILE",
        form: TEXT,
        help: "with --udp: shared key of a secure listener",
      },
      {
        name: "master-key-file",
        value: "FILE",
        form: TEXT,
        help: "with --udp: master key of a secure listener",
      },
      {
        name: "status",
        value: "WORD",
        form: { is: "word", words: ["ok", "degraded", "critical"] },
        help: "ok, degraded or critical (ok)",
      },
      {
        name: "payload",
        value: "N",
        form: { is: "integer", min: 0, max: U32_MAX },
        help: "number passed on to metrics and export (0)",
      },
      {
        name: "count",
        value: "N",
        form: { is: "integer", min: 1, max: U32_MAX },
        help: "beats to send (1)",
      },
      {
        name: "interval",
        value: "DURATION",
        form: { is: "duration" },
        help: "time between two beats (1s)",
      },
    ],
    takesConfigOptions: false,
    examples: [
      ["varta-watch beat", "one beat to the default socket"],
      ["varta-watch beat --count 60 --interval 500ms", "half a minute of beats, then silence"],
      ["varta-watch beat --udp 127.0.0.1:7878 --key-file edge.key", "one sealed beat by UDP"],
    ],
    exits: [
      ["0", "every beat was handed to the kernel"],
      ["1", "a beat could not be sent"],
      ["64", "wrong use"],
      ["69", "no beat found a daemon at the socket"],
      ["78", "the key file is at fault"],
    ],
  },
  {
    name: "keygen",
    operands: "",
    operandsMax: 0,
    summary: "make a key for secure UDP",
    about: [
      "Prints 32 random bytes as 64 hex digits, or writes them to a new file that only",
      "its owner may read: the form of key_file, master_key_file and token_file. A file",
      "that exists is never overwritten.",
    ],
    own: [
      {
        name: "out",
        value: "FILE",
        form: TEXT,
        help: "write the key to this new file, and print nothing of it",
      },
    ],
    takesConfigOptions: false,
    examples: [["varta-watch keygen --out /etc/varta/edge.key", "a key file for a listener"]],
    exits: [
      ["0", "the key is printed or safely on disk"],
      ["64", "wrong use"],
      ["73", "the file cannot be created"],
      ["74", "the key cannot be printed"],
    ],
  },
  {
    name: "decode",
    operands: "HEX",
    operandsMax: 64,
    summary: "explain the 32 bytes of a heartbeat",
    about: [
      "Prints the fields of one frame, given as 64 hex digits with or without spaces,",
      "or says why an observer would refuse it.",
    ],
    own: [],
    takesConfigOptions: false,
    examples: [
      [
        "varta-watch decode 5641020002000000e80300000000000001000000000000000000000055d0861c",
        "the first beat of process 2",
      ],
    ],
    exits: [
      ["0", "a valid frame"],
      ["1", "a frame that an observer refuses"],
      ["64", "not 64 hex digits"],
    ],
  },
  {
    name: "audit",
    operands: "verify FILE... | show FILE",
    operandsMax: 64,
    summary: "check or print the audit log of recoveries",
    about: [
      "verify reads FILE.5 to FILE.1 and FILE, oldest first, recomputes the chain and",
      "reports every row that was changed, removed, inserted or moved. Rows cut from the",
      "end are missed by whoever remembers the head: audit.head in the directory of FILE,",
      "or in the one of --state. show prints the records of one file. Both may run beside",
      "the daemon.",
    ],
    own: [
      {
        name: "expect-head",
        value: "HEX",
        form: TEXT,
        help: "verify: the last chain must be this one, kept elsewhere",
      },
      { name: "key-file", value: "FILE", form: TEXT, help: "verify: the key of audit.key_file" },
      {
        name: "state",
        value: "DIR",
        form: TEXT,
        help: "verify: where the daemon keeps audit.head",
      },
      {
        name: "allow-legacy",
        form: FLAG,
        help: "verify: rows of schema v1 may come before the first record",
      },
      { name: "json", form: FLAG, help: "print JSON: one object per FILE, or per record" },
    ],
    takesConfigOptions: false,
    examples: [
      ["varta-watch audit verify /var/lib/varta/audit.log", "is the log as it was written?"],
      ["varta-watch audit show --json audit.log.1", "records for other programs"],
    ],
    exits: [
      ["0", "intact; or every record printed"],
      ["1", "not intact, a line that is no record, or a file that cannot be read"],
      ["2", "a legacy, foreign or empty section"],
      ["3", "behind the remembered head: rows are missing or were written anew"],
      ["4", "a key is wanted"],
      ["64", "wrong use"],
    ],
  },
  {
    name: "demo",
    operands: "",
    operandsMax: 0,
    summary: "see a stall and its recovery in ten seconds",
    about: [
      "Starts a real daemon and a few real agents in a temporary directory, freezes one",
      "of them and shows the stall, the recovery and the return as they happen.",
    ],
    own: [],
    takesConfigOptions: false,
    examples: [["varta-watch demo", "watch the whole story"]],
    exits: [
      ["0", "the demonstration went as it should"],
      ["1", "it did not"],
      ["130", "interrupted"],
    ],
  },
  {
    name: "completions",
    operands: "SHELL",
    operandsMax: 1,
    summary: "print the completion script of a shell",
    about: [
      "Prints a script that completes commands, options and values, for bash, zsh or",
      "fish. Packages install it; by hand, source it or save it where the shell looks.",
    ],
    own: [],
    takesConfigOptions: false,
    examples: [
      ["varta-watch completions bash", "for bash: source <(varta-watch completions bash)"],
      ["varta-watch completions fish", "for fish: varta-watch completions fish | source"],
    ],
    exits: [
      ["0", "printed"],
      ["64", "no such shell"],
    ],
  },
  {
    name: "version",
    operands: "",
    operandsMax: 0,
    summary: "print the version",
    about: ["Prints version, commit, runtime and platform on one line."],
    own: [],
    takesConfigOptions: false,
    examples: [],
    exits: [["0", "always"]],
  },
  {
    name: "help",
    operands: "[COMMAND]",
    operandsMax: 1,
    summary: "print help, also for one command",
    about: ["Prints the overview, or all options of one command."],
    own: [],
    takesConfigOptions: false,
    examples: [["varta-watch help run", "all options of the daemon"]],
    exits: [
      ["0", "printed"],
      ["64", "no such command"],
    ],
  },
];

export function findCommand(name: string): Command | undefined {
  return COMMANDS.find((command) => command.name === name);
}
