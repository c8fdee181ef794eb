// One line of the journal of recoveries: which process was recovered, and when. Beside a state file
// a line says more: by which name the recovery is counted, and how far it has come, so that the
// daemon after a kill can count it and say that its outcome is not known. Lines have a fixed size,
// are plain text, and are treated as hostile when they are read.
import { FIRED_JOURNAL_LINES } from "../base/limits.ts";

export interface FiredEntry {
  readonly pid: number;
  /** NaN = unknown. */
  readonly generation: number;
  readonly unixMs: number;
  /** Undefined in a journal beside an audit log. */
  readonly progress?: FiredProgress;
}

export interface FiredProgress {
  /** The tracker's key of the member. */
  readonly key: number;
  /** "" = the kernel did not say. */
  readonly bootId: string;
  /** By which name its pace is counted; "" = by the member. */
  readonly paceName: string;
  /** "" = that of [recovery] itself. */
  readonly plan: string;
  /** 0 = it has none yet. */
  readonly recoveryId: number;
  readonly stepNumber: number;
  readonly stepCount: number;
  /** What it came to was reported. */
  readonly isOver: boolean;
}

/** How lines of one kind of journal are written and read. */
export interface FiredForm {
  readonly lineBytes: number;
  /** Undefined = it has no room in a line. */
  text(entry: FiredEntry): string | undefined;
  /** Undefined = it is no entry: a crash of the machine has cut it off, or it is forgotten. */
  parse(text: string): FiredEntry | undefined;
  /** A whole line, or one that is forgotten. */
  readonly line: RegExp;
  /** What a crash of the machine may leave of the first line. */
  readonly piece: RegExp;
}

const FIRED = /^fired ([0-9]{1,10}) ([0-9]{1,16}|-) ([0-9]{1,16}) *$/;

/** Beside an audit log. */
export const FIRED_LINES: FiredForm = {
  lineBytes: 64,
  text: ({ pid, generation, unixMs }) =>
    `fired ${pid} ${numberText(generation)} ${Math.floor(unixMs)}`,
  parse(text) {
    const match = FIRED.exec(text);
    if (match === null) return undefined;
    const [, pid, generation, unixMs] = match;
    return { pid: Number(pid), generation: numberOf(generation!), unixMs: Number(unixMs) };
  },
  line: /^(fired [0-9]+ ([0-9]+|-) [0-9]+)? *\n$/,
  piece: /^(fired [0-9 -]*| *)$/,
};

const PROGRESS = new RegExp(
  "^recovery ([0-9]{1,10}) ([0-9]{1,16}|-) ([0-9]{1,16}) ([0-9]{1,10}) ([0-9a-f-]{1,36}) " +
    "([0-9]{1,15}) ([0-9]{1,3})/([0-9]{1,3}) (runs|over) plan=(\\S*) pace=(\\S*) *$",
);

/** Beside a state file. */
export const PROGRESS_LINES: FiredForm = {
  lineBytes: 512,
  text({ pid, generation, unixMs, progress }) {
    if (progress === undefined) return undefined;
    const { key, bootId, recoveryId, stepNumber, stepCount, isOver } = progress;
    const process = `${pid} ${numberText(generation)} ${Math.floor(unixMs)} ${key}`;
    const step = `${stepNumber}/${stepCount} ${isOver ? "over" : "runs"}`;
    const plan = encodeURIComponent(progress.plan);
    const pace = encodeURIComponent(progress.paceName);
    const text = `recovery ${process} ${bootId || "-"} ${recoveryId} ${step} plan=${plan} pace=${pace}`;
    return text.length < this.lineBytes ? text : undefined;
  },
  parse(text) {
    const match = PROGRESS.exec(text);
    if (match === null) return undefined;
    const [, pid, generation, unixMs, key, bootId, id, number, count, phase, plan, pace] = match;
    const names = namesOf([plan!, pace!]);
    if (names === undefined) return undefined;
    const progress = {
      key: Number(key),
      bootId: bootId === "-" ? "" : bootId!,
      plan: names[0]!,
      paceName: names[1]!,
      recoveryId: Number(id),
      stepNumber: Number(number),
      stepCount: Number(count),
      isOver: phase === "over",
    };
    const process = { pid: Number(pid), generation: numberOf(generation!) };
    return { ...process, unixMs: Number(unixMs), progress };
  },
  line: /^(recovery [0-9]+ ([0-9]+|-) [0-9]+ [^\n]*)? *\n$/,
  piece: /^(recovery [^\n]*| *)$/,
};

/** All that a journal of the form can have in it. */
export function journalBytes({ lineBytes }: FiredForm): number {
  return FIRED_JOURNAL_LINES * lineBytes;
}

function namesOf(texts: readonly string[]): string[] | undefined {
  try {
    return texts.map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

function numberText(value: number): string {
  return Number.isNaN(value) ? "-" : String(value);
}

function numberOf(text: string): number {
  return text === "-" ? Number.NaN : Number(text);
}
