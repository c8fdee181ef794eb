// What a request of the control socket is (spec 16): the row from which the check of a line, the
// documentation and the routes of HTTP are made, and what answers it. A new request is a file in
// requests/ and a line in requests.ts.
import type { PeerCredentials } from "../../ffi/peer.ts";
import { type Pieces, wholePiece } from "../base/pieces.ts";
import type { Asker as ActAsker } from "../events/act.ts";
import type { EventStreams } from "../view/event_streams.ts";
import type { ExplainView, StrangerView } from "../view/explain_view.ts";
import type { Unfound } from "../view/member_search.ts";
import type { ReloadResult } from "../view/reload_view.ts";
import type { View } from "../view/view.ts";
import type { ActsDoor } from "./acts_door.ts";
import type { BeatsDoor } from "./beats_door.ts";

/** The number of the protocol, in every request and every line of an answer. */
export const PROTOCOL = 1;

export type Argument =
  | { readonly is: "flag"; readonly help: string }
  | { readonly is: "text"; readonly charsMax: number; readonly help: string }
  | { readonly is: "integer"; readonly min: number; readonly max: number; readonly help: string }
  | { readonly is: "word"; readonly words: readonly string[]; readonly help: string }
  /** As in the configuration; its value is in milliseconds. */
  | { readonly is: "duration"; readonly msMax: number; readonly help: string }
  /** Several of them, with commas in between. */
  | { readonly is: "words"; readonly words: readonly string[]; readonly help: string };

type Required = { readonly required?: true };

export interface RequestRow {
  readonly name: string;
  /** What beats is not served by HTTP: the kernel attests no peer there. */
  readonly right: "read" | "beat" | "act";
  readonly help: string;
  readonly args: Readonly<Record<string, Argument & Required>>;
  /** The lines of its answer, for the documentation. */
  readonly answer: string;
}

/** By name; an argument that was not given is not there. */
export type Arguments = ReadonlyMap<string, string | number | boolean>;

/** Who asks; `peer` is undefined for HTTP, and where the kernel tells nothing. */
export interface Asker {
  readonly peer: PeerCredentials | undefined;
  /** There is more of an answer that had none yet. */
  wake(): void;
}

/** Who follows something by HTTP. */
export interface Follower {
  /** What it had last, as it says; undefined = nothing. */
  readonly lastEventId: string | undefined;
  /** There is more of a text that had none yet. */
  readonly wake: () => void;
}

/** What answers are made from. */
export interface ControlSources {
  readonly view: View;
  readonly host: string;
  readonly wallMs: () => number;
  readonly acts: ActsDoor;
  readonly beats: BeatsDoor;
  readonly events: EventStreams;
  /** Also of a target that is a pid or "ADDRESS/PID". */
  readonly explain: (target: string) => Promise<ExplainView | StrangerView | Unfound>;
  /** Has the configuration file read again; `isDry`: nothing is applied. */
  readonly reload: (isDry: boolean, by: ActAsker) => Promise<ReloadResult>;
  /** Calls when so many nanoseconds have passed: what the next turns decide is known then. */
  readonly later: (ns: number, wake: () => void) => void;
  /** Of a process of this host, made up by itself; "" = unknown. */
  readonly commOf: (pid: number) => string;
}

export interface Request extends RequestRow {
  readonly run: (args: Arguments, sources: ControlSources, asker: Asker) => Pieces;
  /** By HTTP it goes on for as long as its client stays; undefined = too many do. */
  readonly follow?: (
    args: Arguments,
    sources: ControlSources,
    client: Follower,
  ) => Pieces | undefined;
}

export const REFUSALS = [
  "bad_line",
  "too_long",
  "too_slow",
  "too_many",
  "closing",
  "bad_version",
  "unknown_request",
  "unknown_field",
  "bad_field",
  "not_permitted",
  "no_such_agent",
  "refused",
] as const;

type RefusalCode = (typeof REFUSALS)[number];

export interface Refusal {
  readonly error: RefusalCode;
  readonly text: string;
  readonly hint?: string | undefined;
}

/** One line of an answer. */
export function answerLine(fields: object): string {
  return `${JSON.stringify({ v: PROTOCOL, ...fields })}\n`;
}

/** The answer to a request that cannot be answered otherwise. */
export function refusalPieces(refusal: Refusal): Pieces {
  return wholePiece(answerLine(refusal));
}

/** The same as a text with its end. */
export function refusalText(refusal: Refusal): string {
  return `${answerLine(refusal)}{"done":true}\n`;
}

/** Why a piece of an answer refuses; undefined = it does not. */
export function refusalIn(piece: string): RefusalCode | undefined {
  const start = `{"v":${PROTOCOL},"error":"`;
  if (!piece.startsWith(start)) return undefined;
  const code = piece.slice(start.length, piece.indexOf('"', start.length));
  return REFUSALS.find((one) => one === code);
}

export function argText(args: Arguments, name: string): string | undefined {
  const value = args.get(name);
  return typeof value === "string" ? value : undefined;
}

export function argNumber(args: Arguments, name: string): number | undefined {
  const value = args.get(name);
  return typeof value === "number" ? value : undefined;
}

export function argFlag(args: Arguments, name: string): boolean {
  return args.get(name) === true;
}

/** Who acts, for the log and the audit log. Requires a request that acts: its peer is attested. */
export function actor({ peer }: Asker, { commOf }: ControlSources): ActAsker {
  const { uid, pid } = peer!;
  return { uid, pid, comm: commOf(pid) };
}
