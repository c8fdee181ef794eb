// What is known of the agents, for those who ask by HTTP (spec 16 section 6): texts that are made
// in pieces, one after the other, in the slices of the server. An answer by HTTP says its length,
// so it is whole before it is sent, and it has a bound.
import { type Pieces, wholePiece } from "../base/pieces.ts";
import { NS_PER_MS } from "../base/time.ts";
import { type Answer, type Exchange, textAnswer } from "./answer.ts";
import type { HttpRequest } from "./request.ts";

/** What is served under one path. */
export interface HttpView {
  /** Where no token is configured, it is served at a Unix address only. */
  readonly isGuarded: boolean;
  /** The text, or what is wrong with the query. */
  open(query: URLSearchParams): Pieces | { readonly problem: string };
}

/** What goes on for as long as its client stays. */
export interface HttpStream {
  readonly isGuarded: boolean;
  /** The text, what is wrong with the query, or undefined = too many follow already. */
  follow(
    query: URLSearchParams,
    client: Follower,
  ): Pieces | { readonly problem: string } | undefined;
}

interface Follower {
  /** What it had last, as it says. */
  readonly lastEventId: string | undefined;
  /** There is more of a text that had none yet. */
  readonly wake: () => void;
}

export type HttpViews = ReadonlyMap<string, HttpView | HttpStream>;

/** Who waits for one: one is made at a time, and a person asks seldom. */
const WAITING_MAX = 16;
/** Longer than the members of all agents but on a machine with more than 50,000 of them. */
const BODY_BYTES_MAX = 16 * 1_024 * 1_024;
const SLICE_NS_MAX = NS_PER_MS;
const EVENT_STREAM = "text/event-stream; charset=utf-8";
const NOTHING = new Uint8Array(0);
const CONTENT_TYPE = "application/x-ndjson; charset=utf-8";

interface Waiting {
  readonly pieces: Pieces;
  readonly made: Buffer[];
  bytes: number;
  readonly take: (answer: Answer) => void;
}

export class ViewQueue {
  readonly #nowNs: () => number;
  readonly #waiting: Waiting[] = [];

  constructor(nowNs: () => number) {
    this.#nowNs = nowNs;
  }

  get pending(): boolean {
    return this.#waiting.length > 0;
  }

  /** Answers now or later; false = too many wait or follow. */
  serve(view: HttpView | HttpStream, exchange: Exchange, request: HttpRequest): boolean {
    const query = new URLSearchParams(request.query);
    const opened = "follow" in view ? opening(view, query, exchange, request) : view.open(query);
    if (opened === undefined) return false;
    if ("problem" in opened) exchange.answer(textAnswer(400, opened.problem));
    else if ("follow" in view) exchange.answer(streamAnswer(opened, request));
    else return this.#add(opened, (answer) => exchange.answer(answer));
    return true;
  }

  #add(pieces: Pieces, take: (answer: Answer) => void): boolean {
    if (this.#waiting.length >= WAITING_MAX) return false;
    this.#waiting.push({ pieces, made: [], bytes: 0, take });
    return true;
  }

  /** Makes pieces for at most `budgetNs`; true if work is left. */
  serveSlice(budgetNs: number): boolean {
    const endNs = this.#nowNs() + Math.min(budgetNs, SLICE_NS_MAX);
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const step = this.#step(first);
      if (step === "done") this.#waiting.shift();
      if (step === "later" || this.#nowNs() >= endNs) break;
    }
    return this.pending;
  }

  /** "done": it has its answer; "later": there is no more of it in this turn. */
  #step(waiting: Waiting): "done" | "later" | "more" {
    const { pieces, made, take } = waiting;
    const piece = pieces.next();
    if (piece === null) return "later";
    if (piece !== undefined && waiting.bytes <= BODY_BYTES_MAX) {
      const bytes = Buffer.from(piece);
      made.push(bytes);
      waiting.bytes += bytes.length;
      return "more";
    }
    pieces.end?.();
    if (piece !== undefined) take(textAnswer(503, "too long an answer, ask for one agent"));
    else take({ status: 200, contentType: CONTENT_TYPE, fields: {}, body: Buffer.concat(made) });
    return "done";
  }
}

function opening(
  view: HttpStream,
  query: URLSearchParams,
  exchange: Exchange,
  { lastEventId }: HttpRequest,
): ReturnType<HttpStream["follow"]> {
  return view.follow(query, { lastEventId, wake: () => exchange.wake() });
}

function streamAnswer(stream: Pieces, { method }: HttpRequest): Answer {
  // A proxy that gathers what comes would keep it until there is much.
  const fields = { "X-Accel-Buffering": "no" };
  const answer = { status: 200, contentType: EVENT_STREAM, fields, body: NOTHING };
  if (method !== "HEAD") return { ...answer, stream };
  stream.end?.();
  return { ...answer, stream: wholePiece("") };
}
