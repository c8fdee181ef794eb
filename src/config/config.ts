// The complete, read-only configuration in internal units (nanoseconds, bytes, numbers). Every field is set: defaults
// are applied in this folder and nowhere else. Spec 07 section 2 says what each key means.
import type { ClockSource } from "../observer/clock.ts";
import type { SignalName } from "./keys/recovery_step.ts";

export type EvictionPolicy = "strict" | "balanced";
export type ExportFormat = "tsv" | "jsonl";
export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFormat = "logfmt" | "json";

export interface Config {
  /**
   * Neither a file nor --socket: the one listener and the metrics address are defaults, and another metrics port may
   * be taken if that one is in use.
   */
  readonly bareRun: boolean;
  readonly observer: {
    readonly thresholdNs: number;
    readonly clockSource: ClockSource;
    readonly allowCrossNamespace: boolean;
    readonly strictNamespace: boolean;
  };
  readonly tracker: {
    readonly capacity: number;
    readonly evictionPolicy: EvictionPolicy;
    readonly evictionScanWindow: number;
  };
  readonly limits: {
    /** Accepted beats per second and pid; 0 = off. */
    readonly perPidRate: number;
    readonly globalRate: number;
    readonly globalBurst: number;
  };
  readonly listeners: readonly ListenerConfig[];
  readonly recovery: {
    /** The argv array; undefined = recovery is off. */
    readonly command: readonly string[] | undefined;
    /** Where the command came from: "inline", or the path of the command file. */
    readonly commandSource: string;
    readonly appendPid: boolean;
    readonly debounceNs: number;
    readonly env: Readonly<Record<string, string>>;
    readonly inheritEnv: boolean;
    /** Undefined = a child is never killed. */
    readonly timeoutNs: number | undefined;
    readonly killGraceNs: number;
    readonly capture: boolean;
    readonly captureBytes: number;
    readonly shutdownGraceNs: number;
    /** Steps instead of one command, in order; empty = `command`, if there is one. */
    readonly steps: readonly RecoveryStep[];
    /** Globs of the units that "auto" may restart for any process in them. */
    readonly restartUnits: readonly string[];
    /** Working directory of commands; undefined = the daemon's. */
    readonly cwd: string | undefined;
    /** File mode mask of commands; undefined = the daemon's. */
    readonly umask: number | undefined;
    /** Longest pause of the exponential back-off; undefined = the debounce never grows. */
    readonly backoffMaxNs: number | undefined;
    readonly backoffResetNs: number;
    /** Recoveries per window and agent; undefined = any number. */
    readonly budget: number | undefined;
    readonly budgetWindowNs: number;
    /** Whose recoveries back-off and budget count together. */
    readonly paceBy: "process" | "unit";
    /** Recoveries per window over all agents; undefined = any number. */
    readonly stormLimit: number | undefined;
    readonly stormWindowNs: number;
    /** A beat within this time tells a good recovery from a bad one; undefined = nobody looks. */
    readonly verifyWithinNs: number | undefined;
    /** An agent that stays silent is recovered again, within pace and budget. */
    readonly retry: boolean;
    /** Everything is decided and told, nothing is started or signalled. */
    readonly dryRun: boolean;
  };
  readonly audit: {
    readonly file: string | undefined;
    readonly keyFile: string | undefined;
    /** The 32 bytes of the key that its rows are under; undefined = none. */
    readonly key: Uint8Array | undefined;
    readonly maxBytes: number | undefined;
    readonly syncEvery: number;
    readonly syncIntervalNs: number;
    readonly fsyncBudgetNs: number;
    readonly rotationBudgetNs: number;
  };
  readonly export: {
    readonly file: string | undefined;
    readonly format: ExportFormat;
    readonly maxBytes: number | undefined;
    readonly syncEvery: number;
  };
  readonly metrics: {
    readonly listen: MetricsAddress | undefined;
    readonly socketMode: number;
    readonly tokenFile: string | undefined;
    /** The 32 bytes of the bearer token; undefined = no token. */
    readonly token: Uint8Array | undefined;
    /** Names by which a request may call us besides ours, localhost and IP addresses. */
    readonly hosts: readonly string[];
    readonly rateLimitPerSec: number;
    readonly rateLimitBurst: number;
    readonly scrapeBudgetNs: number;
    readonly perPid: boolean;
  };
  readonly liveness: {
    readonly heartbeatFile: string | undefined;
    /** Undefined = not set: off, or 4 s when the service manager's watchdog is active. */
    readonly selfWatchdogNs: number | undefined;
    readonly hwWatchdog: string | undefined;
    readonly iterationBudgetNs: number;
    readonly shutdownAfterNs: number | undefined;
  };
  readonly log: {
    readonly level: LogLevel;
    readonly format: LogFormat;
  };
}

export type RecoveryStep =
  | { readonly kind: "signal"; readonly signal: SignalName }
  | { readonly kind: "wait"; readonly waitNs: number }
  | { readonly kind: "exec"; readonly command: readonly string[] }
  /** "auto" = the unit that the agent runs in. */
  | { readonly kind: "restart_unit"; readonly unit: string };

export type ListenerConfig = UnixListenerConfig | UdpListenerConfig | SecureUdpListenerConfig;

export interface UnixListenerConfig {
  readonly kind: "unix";
  readonly name: string;
  readonly rcvbufBytes: number;
  readonly path: string;
  readonly mode: number;
  /** Resolved gid of the socket file; undefined = the daemon's. */
  readonly gid: number | undefined;
  /** Resolved ids; undefined = any sender that the socket mode lets in. */
  readonly allowUids: readonly number[] | undefined;
  readonly allowGids: readonly number[] | undefined;
}

export interface UdpListenerConfig {
  readonly kind: "udp";
  readonly name: string;
  readonly rcvbufBytes: number;
  readonly address: string;
  readonly port: number;
  readonly acceptPlaintext: boolean;
  readonly acceptRecovery: boolean | undefined;
}

export interface SecureUdpListenerConfig {
  readonly kind: "secure-udp";
  readonly name: string;
  readonly rcvbufBytes: number;
  readonly address: string;
  readonly port: number;
  readonly keyFile: string | undefined;
  readonly acceptedKeyFile: string | undefined;
  readonly masterKeyFile: string | undefined;
  /** Senders whose replay state is kept. */
  readonly senderStates: number;
  readonly acceptNonLoopback: boolean;
  readonly acceptRecovery: boolean | undefined;
}

export type MetricsAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };
