// What an interpreter runs, from its command line: the base name of the first argument that is no
// option. Each interpreter has options that take the next argument, some that name the script, and
// some after which there is no script. What a process writes over its own command line is believed:
// it could as well have been started so.

/** How the options of an interpreter are read. All lists are of options as they are written. */
interface Interpreter {
  readonly names: RegExp;
  /** Words before the script that are no options: "run". */
  readonly commands?: readonly string[];
  /** They take the next argument, unless theirs is attached: "--require=x", "-Ilib". */
  readonly takesValue: readonly string[];
  /** Their argument is what is run: "-m mod". */
  readonly namesScript?: readonly string[];
  /** What follows is no script: "-c code". */
  readonly noScript: readonly string[];
  /** Several letters may share one dash: "-um mod". */
  readonly clusters?: true;
  /** Letters in a cluster whose argument is attached, or there is none: "-Mstrict". */
  readonly attached?: string;
}

const INTERPRETERS: readonly Interpreter[] = [
  {
    names: /^python[0-9.]*$/,
    takesValue: ["-W", "-X", "-Q", "--check-hash-based-pycs"],
    namesScript: ["-m"],
    noScript: ["-c"],
    clusters: true,
  },
  {
    names: /^node(js)?[0-9]*$/,
    commands: ["inspect"],
    takesValue: [
      ...["-r", "--require", "--import", "-C", "--conditions", "--loader", "--title"],
      ...["--experimental-loader", "--env-file", "--env-file-if-exists", "--input-type"],
      ...["--inspect-port", "--debug-port", "--watch-path", "--icu-data-dir", "--openssl-config"],
      ...[
        "--dns-result-order",
        "--unhandled-rejections",
        "--redirect-warnings",
        "--disable-warning",
      ],
      ...["--diagnostic-dir", "--report-dir", "--report-directory", "--report-filename"],
      ...["--report-signal", "--trace-event-categories", "--trace-event-file-pattern"],
      ...["--heapsnapshot-signal", "--heapsnapshot-near-heap-limit", "--max-http-header-size"],
      ...["--secure-heap", "--secure-heap-min", "--tls-cipher-list", "--tls-keylog"],
      ...["--cpu-prof-dir", "--cpu-prof-name", "--cpu-prof-interval", "--heap-prof-dir"],
      ...["--heap-prof-name", "--heap-prof-interval", "--allow-fs-read", "--allow-fs-write"],
      ...["--experimental-default-type", "--localstorage-file", "--network-family-autoselection"],
    ],
    noScript: ["-e", "--eval", "-p", "--print", "-pe", "--run"],
  },
  {
    names: /^bun$/,
    commands: ["run"],
    takesValue: [
      ...["-r", "--preload", "--require", "--import", "--env-file", "--cwd", "-c", "--config"],
      ...["--port", "--conditions", "-d", "--define", "--drop", "-l", "--loader", "--main-fields"],
      ...["--tsconfig-override", "--extension-order", "-F", "--filter", "--shell", "--install"],
    ],
    noScript: ["-e", "--eval", "-p", "--print"],
  },
  {
    names: /^deno$/,
    commands: ["run", "serve", "task"],
    takesValue: [
      ...["-c", "--config", "--import-map", "--cert", "-L", "--log-level", "--seed", "--location"],
      ...["--ext", "--port", "--host", "--preload"],
    ],
    noScript: ["eval", "repl"],
  },
  {
    names: /^ruby[0-9.]*$/,
    takesValue: ["-I", "-r", "-C", "-E", "--encoding", "--external-encoding"],
    noScript: ["-e"],
    clusters: true,
    attached: "FKTWix0",
  },
  {
    names: /^perl[0-9.]*$/,
    takesValue: ["-I"],
    noScript: ["-e", "-E"],
    clusters: true,
    attached: "MmFixDCV0l",
  },
  {
    names: /^php[0-9.]*(-cgi)?$/,
    takesValue: ["-d", "-c", "-t", "-z", "-S", "-T", "--define", "--php-ini", "--docroot"],
    namesScript: ["-f", "--file"],
    noScript: ["-r", "--run", "-B", "-R", "-E", "-F", "--process-code", "--process-begin"],
    clusters: true,
  },
  {
    names: /^java$/,
    takesValue: [
      ...["-cp", "-classpath", "--class-path", "-p", "--module-path", "--upgrade-module-path"],
      ...["--add-modules", "--add-exports", "--add-opens", "--add-reads", "--limit-modules"],
      ...["--patch-module", "--source", "--enable-native-access", "--finalization"],
    ],
    namesScript: ["-jar", "-m", "--module"],
    noScript: [],
  },
];

/** The file name in a path, or in the first word of a command line. */
export function baseName(path: string): string {
  return /([^/]*)\/*$/.exec(path)![1]!;
}

/** Whether a program of this file name reads a script. */
export function isInterpreter(name: string): boolean {
  return interpreterOf(name) !== undefined;
}

/**
 * The base name of what the interpreter `name` was started for; "" = it is no interpreter, or it
 * runs no file. `argv` has the words of its command line, its own name first.
 */
export function scriptOf(name: string, argv: readonly string[]): string {
  const interpreter = interpreterOf(name);
  const words = argv.slice(1);
  for (let word = words.shift(); word !== undefined && interpreter !== undefined; ) {
    if (word === "--") return fileName(words[0]);
    const isOption = word.startsWith("-") && word !== "-";
    if (isOption) {
      const found = optionOf(interpreter, word);
      if (found.kind === "noScript") return "";
      const value = found.value ?? (found.kind === "flag" ? undefined : words.shift());
      if (found.kind === "namesScript") return fileName(value);
    } else if (interpreter.noScript.includes(word)) return "";
    else if (word.startsWith("@") && name === "java") {
      // A file with more arguments, which is not read.
    } else if (interpreter.commands?.includes(word) !== true) return fileName(word);
    word = words.shift();
  }
  return "";
}

function interpreterOf(name: string): Interpreter | undefined {
  return INTERPRETERS.find(({ names }) => names.test(name));
}

interface Option {
  readonly kind: "flag" | "takesValue" | "namesScript" | "noScript";
  /** What is attached to it. */
  readonly value?: string;
}

const FLAG: Option = { kind: "flag" };

function optionOf(interpreter: Interpreter, word: string): Option {
  const equals = word.indexOf("=");
  const isLong = word.startsWith("--");
  if (isLong && equals > 0) {
    const kind = kindOf(interpreter, word.slice(0, equals));
    return kind === "noScript" ? { kind } : { kind, value: word.slice(equals + 1) };
  }
  if (isLong || interpreter.clusters === undefined) return { kind: kindOf(interpreter, word) };
  for (let at = 1; at < word.length; at++) {
    const letter = word[at]!;
    const kind = kindOf(interpreter, `-${letter}`);
    const rest = word.slice(at + 1);
    if (kind !== "flag") return rest === "" ? { kind } : { kind, value: rest };
    if (interpreter.attached?.includes(letter) === true) {
      // "-l" and "-0" take digits, and other letters may follow them.
      const digits = "l0".includes(letter) ? /^[0-7]*/.exec(rest)![0].length : rest.length;
      at += digits;
    }
  }
  return FLAG;
}

function kindOf(interpreter: Interpreter, option: string): Option["kind"] {
  if (interpreter.noScript.includes(option)) return "noScript";
  if (interpreter.namesScript?.includes(option) === true) return "namesScript";
  return interpreter.takesValue.includes(option) ? "takesValue" : "flag";
}

/** "-" is the standard input, and "." says nothing. */
function fileName(path = ""): string {
  const name = baseName(path);
  return name === "-" || name === "." || name === ".." ? "" : name;
}
