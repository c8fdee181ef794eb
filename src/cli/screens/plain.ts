// What a pipe gets: no colour, no sign, no folding, whole numbers in the unit that the heading
// names, and cells without a space, so that `awk '{ print $2 }'` is right. Columns are only ever
// added at the end; what a member says of itself is a sentence, and stays the last one.
import type { MutedAgent, MutesView } from "../../view/act_views.ts";
import type {
  AgentStatusView,
  MemberStatusView,
  MembersView,
  StatusView,
} from "../../view/status_view.ts";
import { saidText } from "../../view/said_view.ts";
import type { EventView } from "../../view/event_view.ts";
import { escapeUnprintable } from "../../base/unprintable.ts";
import { inOrder, isMuted } from "./agent_table.ts";
import { left, linesText, plainCell, printableText, right, widthOf } from "./cells.ts";
import { eventWords } from "./event_words.ts";
import { Times, UTC } from "./times.ts";

interface PlainColumn<Row> {
  readonly heading: string;
  readonly isFigure: boolean;
  readonly cell: (row: Row) => string;
  /** A sentence, with its spaces: the last column only. */
  readonly isSentence?: boolean;
}

function word<Row>(heading: string, cell: (row: Row) => string): PlainColumn<Row> {
  return { heading, isFigure: false, cell };
}

function figure<Row>(heading: string, cell: (row: Row) => number | null | undefined) {
  return { heading, isFigure: true, cell: (row: Row) => digits(cell(row)) };
}

function digits(value: number | null | undefined): string {
  return value === null || value === undefined ? "-" : String(Math.floor(value));
}

const AGENT_COLUMNS: readonly PlainColumn<AgentStatusView>[] = [
  word("AGENT", ({ agent }) => agent),
  word("STATE", ({ state }) => state),
  word("MUTED", (agent) => (isMuted(agent) ? "yes" : "no")),
  figure("BEATING", ({ beating }) => beating),
  figure("MEMBERS", ({ members }) => members),
  figure("EXPECTED", ({ expected }) => expected),
  figure("SILENCE_MS", ({ silence_ms }) => silence_ms),
  figure("THRESHOLD_MS", ({ threshold_ms }) => threshold_ms),
  {
    heading: "BEATS_PER_S",
    isFigure: true,
    cell: ({ beats_per_s }) => beats_per_s?.toFixed(3) ?? "-",
  },
  word("VERDICT", ({ state, last_stall }) =>
    state === "stalled" && last_stall !== null ? last_stall.verdict : "-",
  ),
  figure("STALLS", ({ stalls }) => stalls),
  figure("RECOVERIES", ({ recoveries }) => recoveries),
];

const MEMBER_COLUMNS: readonly PlainColumn<MemberStatusView>[] = [
  figure("PID", ({ pid }) => pid),
  word("SOURCE", ({ source }) => source ?? "-"),
  word("STATE", ({ state }) => state),
  figure("SILENCE_MS", ({ silence_ms }) => silence_ms),
  figure("THRESHOLD_MS", ({ threshold_ms }) => threshold_ms),
  word("STATUS", ({ status }) => status),
  figure("BEATS", ({ beats }) => beats),
  figure("AGE_MS", ({ age_ms }) => age_ms),
  word("UNIT", ({ unit }) => unit || "-"),
];
/** Only where a process says something. */
const SAID_COLUMN: PlainColumn<MemberStatusView> = {
  heading: "SAID",
  isFigure: false,
  isSentence: true,
  cell: ({ said }) => (said === undefined ? "-" : saidText(said)),
};

const MUTE_COLUMNS: readonly PlainColumn<MutedAgent>[] = [
  word("AGENT", ({ agent }) => agent),
  word("STATE", ({ state }) => state),
  word("SINCE", ({ since }) => since),
  word("UNTIL", ({ until }) => until),
  word("BY", ({ by }) => by),
  word("REASON", ({ reason }) => reason),
];

export function plainMutes({ mutes }: MutesView): string {
  return plainTable(MUTE_COLUMNS, mutes);
}

export function plainStatus({ agents }: StatusView): string {
  return plainTable(AGENT_COLUMNS, inOrder(agents));
}

export function plainMembers({ members }: MembersView): string {
  const isSaid = members.some(({ said }) => said !== undefined);
  return plainTable(isSaid ? [...MEMBER_COLUMNS, SAID_COLUMN] : MEMBER_COLUMNS, members);
}

/** Three cells and a sentence; without a heading, since lines are added to it for ever. */
export function plainEvent(event: EventView): string {
  const { time, kind, agent } = event;
  const cells = [time, kind, agent === "" ? "-" : agent].map(plainCell);
  const words = eventWords(event, "events", new Times(time, UTC));
  return `${[...cells, escapeUnprintable(words)].join("  ").trimEnd()}\n`;
}

/** `--json`: one object on one line, or one per line. */
export function jsonLine(view: object): string {
  return `${escapeUnprintable(JSON.stringify(view))}\n`;
}

function plainTable<Row>(columns: readonly PlainColumn<Row>[], rows: readonly Row[]): string {
  const cells = columns.map(({ heading, cell, isSentence = false }) => [
    heading,
    ...rows.map((row) => (isSentence ? printableText(cell(row)) : plainCell(cell(row)))),
  ]);
  const widths = cells.map((texts) => Math.max(...texts.map(widthOf)));
  const lines = [-1, ...rows.keys()].map((row) =>
    columns
      .map(({ isFigure }, at) => (isFigure ? right : left)(cells[at]![row + 1]!, widths[at]!))
      .join("  ")
      .trimEnd(),
  );
  return linesText(lines);
}
