// What goes into loadConfig() and what comes out of it: the read-only configuration with what set
// each value, or every problem at once (spec 07 sections 1 and 4). Types only, so that the command
// line can name them for free.
import type { Config, LogFormat } from "./config.ts";
import type { SocketHolders } from "./checks/socket_holders.ts";
import type { TomlDocument } from "./toml_document.ts";
import type { UnitSettings } from "./checks/unit_file.ts";
import type { UserAccount } from "./user_account.ts";

/** One option of the command line that sets configuration keys, such as `--socket /run/x.sock`. */
export interface GivenOption {
  /** Long name without dashes. */
  readonly name: string;
  readonly value: string;
}

/** The parts of the host that loading depends on; systemHost() is the real one. */
export interface Host {
  /** Effective uid of the daemon: the required owner of secret files. */
  readonly uid: number;
  readonly platform: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Read if there is neither --config nor --socket. */
  readonly defaultConfigFile: string;
  readonly passwdFile: string;
  readonly groupFile: string;
  /** Why a program cannot be executed, "which does not exist"; undefined if it can. */
  readonly programFault: (path: string) => string | undefined;
  /** Why a directory cannot be worked in; undefined if it can. */
  readonly directoryFault: (path: string) => string | undefined;
}

/** The machine that a start would find, for `check`. */
export interface Machine {
  /** Whom the daemon will run as; this process has become that user. */
  readonly user: UserAccount;
  /** The unit that will start it; undefined = none is installed, or none is meant. */
  readonly unit: UnitSettings | undefined;
  readonly holders: SocketHolders;
  /** True if the file at the path holds something else, which the start would refuse to touch. */
  readonly holdsOther: (content: OwnContent, path: string) => boolean;
}

/** What the daemon writes into files of its own. */
export type OwnContent = "audit log" | "journal of recoveries" | "event export" | "heartbeat";

export interface LoadOptions {
  readonly configFile: string | undefined;
  readonly given: readonly GivenOption[];
  readonly host: Host;
  /** Undefined = directories, files and ports are not checked: the start finds them by itself. */
  readonly machine?: Machine | undefined;
  /** The file as another user has read it, who may read it; undefined = it is read here. */
  readonly document?: TomlDocument | undefined;
}

export type LoadResult = LoadSuccess | LoadFailure;

export interface LoadSuccess {
  readonly ok: true;
  readonly config: Config;
  /** The file that was read; undefined = none. */
  readonly file: string | undefined;
  /** What is in it, for lines and columns. */
  readonly text: string;
  /** Dotted key to where its value came from; keys that are not in the map have their defaults. */
  readonly setBy: ReadonlyMap<string, ValueSetter>;
  /** Sentences for the start-up log, each once. */
  readonly warnings: readonly string[];
  /**
   * Directory to create, if missing, for the default listener path; undefined = the paths were all
   * written down.
   */
  readonly runtimeDirectory: RuntimeDirectory | undefined;
}

export interface LoadFailure {
  readonly ok: false;
  readonly problems: readonly Problem[];
  /** 64 if only options are at fault, else 78. */
  readonly exitCode: 64 | 78;
  /** Ready to print: one line per problem and the closing line, each with its newline. */
  readonly text: string;
  /**
   * The form that was chosen for the log, as far as that could be found out; undefined = none was.
   */
  readonly logFormat: LogFormat | undefined;
}

export interface RuntimeDirectory {
  readonly path: string;
  readonly mode: number;
}

export type ValueSetter =
  | { readonly from: "file" }
  | { readonly from: "option"; readonly option: string };

/** One fault of the configuration, without secrets. */
export interface Problem {
  /** The configuration file, or "command line". */
  readonly source: string;
  /**
   * 1-based; column in code points. Undefined for options and for faults of the file as a whole.
   */
  readonly line: number | undefined;
  readonly column: number | undefined;
  /**
   * Dotted key for programs, indexes counted from 0; `--option`; or "" for a fault of the file as a
   * whole.
   */
  readonly key: string;
  /** The same in words, indexes counted from 1. */
  readonly where: string;
  /** "found X; want Y", with the did-you-mean. */
  readonly text: string;
}
