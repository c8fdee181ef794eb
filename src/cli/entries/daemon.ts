// The commands of the daemon itself: to run it, and to check what it would run with.
import { TEST_HOOKS } from "../../base/build_info.ts";
import { command, CONFIG_OPTION, FLAG, type OwnOption, TEXT, U32_MAX } from "../command.ts";

/** PID_MAX_LIMIT of the kernel: no process has a pid above. */
const PID_MAX = 4_194_304;

/** In builds with test hooks only; elsewhere it is an unknown option. */
const INJECT_WEDGE_OPTION: OwnOption = {
  name: "inject-wedge-ms",
  value: "MS",
  form: { is: "integer", min: 0, max: U32_MAX },
  help: "stop the loop for ever after this time, to see the watchdogs bite",
};

export const DAEMON_COMMANDS = [
  command({
    name: "run",
    summary: "watch processes: the daemon",
    about: [
      "Listens for heartbeats, says which process fell silent, runs the recovery",
      "command for it and serves metrics. Stays in the foreground and logs to stderr.",
      "Without a file and without options it listens at the default socket path and",
      "serves metrics at 127.0.0.1:9469. The word run may be left out before an option,",
      "and where stdout is no terminal; the name of the program alone on a terminal prints",
      "help.",
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
      {
        name: "strict-config",
        form: FLAG,
        help: "never begin with the last configuration that worked",
      },
      ...(TEST_HOOKS ? [INJECT_WEDGE_OPTION] : []),
    ],
    takesConfigOptions: true,
    examples: [
      ["varta-watch run", "watch with /etc/varta/varta.toml, or with defaults"],
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
    load: () => import("../run.ts"),
  }),
  command({
    name: "check",
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
      {
        name: "explain",
        value: "PID",
        form: { is: "integer", min: 1, max: PID_MAX },
        help: "say which [[agent]] a running process would get, and why",
      },
      { name: "print", form: FLAG, help: "print every value and where it came from" },
      { name: "json", form: FLAG, help: "print the result as JSON on stdout" },
    ],
    takesConfigOptions: true,
    examples: [
      ["varta-watch check", "check /etc/varta/varta.toml"],
      ["varta-watch check -c ./varta.toml --print", "show the values in effect"],
      ["varta-watch check --user varta", "with the rights of that user; only root can"],
      ["varta-watch check --explain 4711", "which rule is that of process 4711?"],
    ],
    exits: [
      ["0", "no problems"],
      ["1", "--explain: no such process"],
      ["64", "an option is at fault"],
      ["77", "only root may check for another user"],
      ["78", "the configuration, a secret file or this machine is at fault"],
    ],
    load: () => import("../check.ts"),
  }),
];
