// `status` where no agent is known yet: what to try, or why what was tried was refused.
import type { RefusedBeats, StatusView } from "../../view/status_view.ts";
import { foldLines, linesText } from "./cells.ts";
import { duration, plural } from "./figures.ts";
import type { Screen } from "./screen.ts";
import type { Times } from "./times.ts";

const WORD_CELLS = 14;

export function firstMinute(view: StatusView, times: Times, screen: Screen): string {
  const { refused = null, up_s } = view.observer;
  const ran = `The daemon has run for ${duration(up_s * 1_000)}.`;
  const head = `${view.host}, ${times.now()}: no agent yet.`;
  const found =
    refused === null
      ? `${ran} No beat has come, none was refused.`
      : `${ran} ${plural(refused.count, "beat was", "beats were")} refused: ${reasonText(refused)}.`;
  const rows = refused === null ? whatToTry(view) : whyRefused(refused);
  const lines = [
    ...foldLines(head, screen.width, 4),
    ...foldLines(found, screen.width, 4),
    "",
    ...rows.flatMap(([word, text]) =>
      foldLines(`  ${word.padEnd(WORD_CELLS)}${text}`, screen.width, WORD_CELLS + 2),
    ),
  ];
  return linesText(lines);
}

type Row = readonly [word: string, text: string];

function whatToTry({ observer: { who_may } }: StatusView): Row[] {
  const may =
    who_may === undefined
      ? []
      : [
          [
            "who may beat",
            `${who_may.path}, mode ${who_may.mode}, ${who_may.owner}:${who_may.group}: ${whoText(who_may)}`,
          ] as const,
        ];
  return [
    ["try it", "varta-watch beat --count 10 --interval 1s"],
    ...may,
    ["your program", "docs/client.md: the client library, and what a beat is made of"],
    ["still none", "varta-watch doctor"],
  ];
}

/** Who may write to the socket, by the last of its mode's figures that lets anybody in. */
function whoText({ mode, owner, group }: { mode: string; owner: string; group: string }): string {
  const [ofGroup, ofOthers] = [Number(mode.at(-2)), Number(mode.at(-1))];
  if (ofOthers & 2) return "all users";
  return ofGroup & 2 ? `group ${group}` : `user ${owner}`;
}

function reasonText({ reason, in_container }: RefusedBeats): string {
  return in_container === true ? "another pid namespace" : reason.replaceAll("_", " ");
}

function whyRefused(refused: RefusedBeats): Row[] {
  const { in_container, listener, claimed_pid, pid, cause = "", hint = "" } = refused;
  if (in_container !== true)
    return [
      ["why", cause],
      ["do", hint],
    ].filter((row): row is [string, string] => row[1] !== "");
  const own =
    claimed_pid === null || pid === null ? "" : `: its pid ${claimed_pid} is pid ${pid} here`;
  return [
    ["why", `the sender is in a container${own}`],
    ["do", `containers = true in [[listener]] ${listener}, then varta-watch reload`],
  ];
}
