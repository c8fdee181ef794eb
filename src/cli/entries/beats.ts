// The commands for those who send beats: from a script, with a key, and byte by byte.
import { PID_MIN } from "../../wire/frame.ts";
import { command, CONTROL_OPTION, FLAG, TEXT, U32_MAX } from "../command.ts";

export const BEATS_COMMANDS = [
  command({
    name: "beat",
    summary: "send heartbeats, from a script or by hand",
    about: [
      "Sends heartbeats of this very process. Each run is a new process with a new pid,",
      "so only a series (--count, --interval) looks like one living agent. A script beats",
      "with --for $$: the daemon is asked for a beat of the script itself.",
    ],
    own: [
      {
        name: "for",
        value: "PID",
        form: { is: "integer", min: PID_MIN, max: U32_MAX },
        help: "a beat of PID, of which this process is a descendant",
      },
      {
        name: "stdin",
        form: FLAG,
        help: "a beat of the parent for each line, and its goodbye at the end",
      },
      { name: "quiet", short: "q", form: FLAG, help: "print nothing: the exit code says it" },
      CONTROL_OPTION,
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
    examples: [
      ["varta-watch beat", "one beat to the default socket"],
      ["varta-watch beat -q --for $$", "one beat of the script that has this line"],
      ["varta-watch beat --count 60 --interval 500ms", "half a minute of beats, then silence"],
      ["varta-watch beat --udp 127.0.0.1:7878 --key-file edge.key", "one sealed beat by UDP"],
    ],
    exits: [
      ["0", "every beat was handed to the kernel"],
      ["1", "a beat could not be sent"],
      ["64", "wrong use"],
      ["69", "no beat found a daemon at the socket"],
      ["75", "with --for: the daemon does not answer"],
      ["77", "with --for: PID is not of this user, or no process that this one descends from"],
      ["78", "the key file is at fault"],
    ],
    load: () => import("../beat.ts"),
  }),
  command({
    name: "exec",
    summary: "start a command whose beats find the daemon",
    operands: { usage: "-- COMMAND [ARGUMENT...]", max: Number.POSITIVE_INFINITY },
    about: [
      "COMMAND takes the place of this process: the same pid, and no process stays around",
      "it. Its environment says where the daemon takes beats (NOTIFY_SOCKET, WATCHDOG_USEC,",
      "VARTA_SOCKET, VARTA_STREAM). A service manager that waits for READY=1 is told so",
      "before. With --name the daemon knows COMMAND, and so its end, before its first beat.",
      "Without an answer of the daemon within 1s COMMAND runs all the same.",
    ],
    own: [
      CONTROL_OPTION,
      {
        name: "name",
        value: "NAME",
        form: TEXT,
        help: "name of COMMAND, and the agent whose threshold it is told",
      },
    ],
    examples: [
      ["varta-watch exec -- /usr/sbin/freeradius -f", "a program that speaks sd_notify"],
      ["varta-watch exec --name backup -- ./backup.sh", "a job whose end is reported"],
    ],
    exits: [
      ["64", "wrong use"],
      ["69", "not on this system"],
      ["78", "the service manager waits for beats of this very process"],
      ["126", "COMMAND cannot be executed"],
      ["127", "there is no such COMMAND"],
    ],
    load: () => import("../exec.ts"),
  }),
  command({
    name: "keygen",
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
    examples: [["varta-watch keygen --out /etc/varta/edge.key", "a key file for a listener"]],
    exits: [
      ["0", "the key is printed or safely on disk"],
      ["64", "wrong use"],
      ["73", "the file cannot be created"],
      ["74", "the key cannot be printed"],
    ],
    load: () => import("../keygen.ts"),
  }),
  command({
    name: "decode",
    summary: "explain the 32 bytes of a heartbeat",
    operands: { usage: "HEX", max: 64 },
    about: [
      "Prints the fields of one frame, given as 64 hex digits with or without spaces,",
      "or says why an observer would refuse it.",
    ],
    own: [],
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
    load: () => import("../decode.ts"),
  }),
];
