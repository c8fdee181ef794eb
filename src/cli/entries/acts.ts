// The commands that tell the daemon what to do, and what was told it.
import { LOG_LEVELS } from "../../base/log_level.ts";
import {
  command,
  CONTROL_OPTION,
  FLAG,
  ASCII_OPTION,
  HUMAN_OPTION,
  JSON_OPTION,
  PLAIN_OPTION,
  UTC_OPTION,
  type OwnOption,
  TEXT,
} from "../command.ts";
import { CONTROL_EXITS } from "./control.ts";

const ANSWER_OPTIONS: readonly OwnOption[] = [JSON_OPTION, UTC_OPTION, CONTROL_OPTION];

const FOR_FORM: OwnOption["form"] = { is: "duration" };

export const ACTS_COMMANDS = [
  command({
    name: "mute",
    summary: "recover nothing of an agent for a time",
    operands: { usage: "[AGENT|PID|PATTERN]", max: 1 },
    about: [
      "A muted agent is judged, shown and counted; nothing is recovered and no message is",
      "sent. When the mute ends and it still is stalled, it is reported and recovered then.",
      "A pattern with * and ? holds for names that come later, too: quote it for the shell.",
    ],
    own: [
      { name: "for", value: "DURATION", form: FOR_FORM, help: "how long, at most 168h; a must" },
      { name: "reason", value: "TEXT", form: TEXT, help: "why, for who reads the mutes" },
      { name: "all", form: FLAG, help: "every agent" },
      ...ANSWER_OPTIONS,
    ],
    examples: [
      ["varta-watch mute worker --for 30m --reason deploy", "for a deploy"],
      ["varta-watch mute 4711 --for 2h", "one process, for a debugger"],
      ["varta-watch mute --all --for 10m", "all that is watched"],
    ],
    exits: [
      ["0", "muted"],
      ["1", "no such agent or pid, or no room for one more mute"],
      ...CONTROL_EXITS,
    ],
    load: () => import("../mute.ts"),
  }),
  command({
    name: "unmute",
    summary: "end a mute before its time",
    operands: { usage: "[AGENT|PID|PATTERN]", max: 1 },
    about: [
      "Ends the mute of what it was begun for, and with --all every one. What stalled",
      "meanwhile and still is stalled is reported and recovered now.",
    ],
    own: [{ name: "all", form: FLAG, help: "every mute" }, ...ANSWER_OPTIONS],
    examples: [["varta-watch unmute worker", "the deploy is over"]],
    exits: [["0", "unmuted"], ["1", "no mute of it holds"], ...CONTROL_EXITS],
    load: () => import("../unmute.ts"),
  }),
  command({
    name: "mutes",
    summary: "list who is muted, until when and why",
    about: ["All mutes, the one that ends first before the others."],
    own: [PLAIN_OPTION, HUMAN_OPTION, ASCII_OPTION, ...ANSWER_OPTIONS],
    examples: [["varta-watch mutes", "who is muted?"]],
    exits: [["0", "answered"], ...CONTROL_EXITS],
    load: () => import("../mutes.ts"),
  }),
  command({
    name: "recover",
    summary: "begin the recovery of a stalled member now",
    operands: { usage: "AGENT|PID", max: 1 },
    about: [
      "Runs the plan of its agent: of an agent for the stalled member that has been silent",
      "for longest. The gates that protect others hold (sender, namespace, debugger, one",
      "that runs); those of pace and mutes are passed, and each one passed is named.",
      "It shows each step and waits for the end, unless --no-wait.",
    ],
    own: [
      { name: "dry-run", form: FLAG, help: "show all gates and the steps; nothing is done" },
      { name: "force", form: FLAG, help: "also of one that is not stalled" },
      { name: "no-wait", form: FLAG, help: "do not wait for its end" },
      ...ANSWER_OPTIONS,
    ],
    examples: [
      ["varta-watch recover worker --dry-run", "what would be done, and may it be?"],
      ["varta-watch recover 4711 --no-wait", "begin, and go on"],
    ],
    exits: [
      ["0", "it helped, or its steps were done; --no-wait: it has begun"],
      ["1", "refused by a gate, no such agent, or it did not help"],
      ...CONTROL_EXITS,
    ],
    load: () => import("../recover.ts"),
  }),
  command({
    name: "forget",
    summary: "take what is stalled out of the table",
    operands: { usage: "AGENT|PID|ADDRESS/PID", max: 1 },
    about: [
      "For a process that will not come back, as that of a machine that is gone. It comes",
      "back with its next beat. What beats is refused.",
    ],
    own: ANSWER_OPTIONS,
    examples: [["varta-watch forget 10.0.4.20/811", "a remote process that is gone"]],
    exits: [
      ["0", "forgotten"],
      ["1", "it beats, a recovery of it runs, or no such agent"],
      ...CONTROL_EXITS,
    ],
    load: () => import("../forget.ts"),
  }),
  command({
    name: "log-level",
    summary: "give the log of the daemon another level for a time",
    operands: { usage: "LEVEL", max: 1, first: LOG_LEVELS },
    about: [
      "LEVEL is debug, info, warn or error. Afterwards that of the configuration holds again.",
    ],
    own: [
      { name: "for", value: "DURATION", form: FOR_FORM, help: "how long, at most 24h; a must" },
      ...ANSWER_OPTIONS,
    ],
    examples: [["varta-watch log-level debug --for 10m", "each step and each late beat"]],
    exits: [["0", "done"], ...CONTROL_EXITS],
    load: () => import("../log_level.ts"),
  }),
];
