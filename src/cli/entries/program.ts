// The commands that explain the program itself.
import { command, CONTROL_OPTION, FLAG } from "../command.ts";
import { SHELLS } from "../completable.ts";

export const PROGRAM_COMMANDS = [
  command({
    name: "demo",
    summary: "see a stall and its recovery in ten seconds",
    about: [
      "Starts a real daemon and a few real agents in a temporary directory, freezes one",
      "of them and shows the stall, the recovery and the return as they happen.",
    ],
    own: [],
    examples: [["varta-watch demo", "watch the whole story"]],
    exits: [
      ["0", "the demonstration went as it should"],
      ["1", "it did not"],
      ["130", "interrupted"],
    ],
    load: () => import("../demo.ts"),
  }),
  command({
    name: "completions",
    summary: "print the completion script of a shell",
    operands: { usage: "SHELL | --names [PREFIX]", max: 1, first: SHELLS },
    about: [
      "Prints a script that completes commands, options, values and the names of agents,",
      "for bash, zsh or fish. Packages install it; by hand, source it or save it where",
      "the shell looks. --names is what these scripts ask the daemon with: nothing is",
      "printed where it does not answer within 0.3s.",
    ],
    own: [
      { name: "names", form: FLAG, help: "print the names of agents that begin with PREFIX" },
      CONTROL_OPTION,
    ],
    examples: [
      ["varta-watch completions bash", "for bash: source <(varta-watch completions bash)"],
      ["varta-watch completions fish", "for fish: varta-watch completions fish | source"],
    ],
    exits: [
      ["0", "printed"],
      ["64", "no such shell"],
    ],
    load: () => import("../completions.ts"),
  }),
  command({
    name: "version",
    summary: "print the version",
    about: ["Prints version, commit, runtime and platform on one line."],
    own: [],
    examples: [],
    exits: [["0", "always"]],
    load: () => import("../version.ts"),
  }),
  command({
    name: "help",
    summary: "print help, also for one command",
    operands: { usage: "[COMMAND]", max: 1, first: "commands" },
    about: ["Prints the overview, or all options of one command."],
    own: [],
    examples: [["varta-watch help run", "all options of the daemon"]],
    exits: [
      ["0", "printed"],
      ["64", "no such command"],
    ],
    load: () => import("../help.ts"),
  }),
];
