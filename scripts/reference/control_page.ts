// docs/control.md: every request of the control socket, from the rows beside the code that answers.
import type { RequestRow } from "../../src/control/request.ts";
import { wanted } from "../../src/control/request_line.ts";
import { REQUESTS } from "../../src/control/requests.ts";

const INTRODUCTION = `# Requests of the control socket

<!-- "npm run control" writes this page from the rows in src/control/requests.ts. -->

One JSON object per line goes in, one or more lines come out, and \`{"done":true}\` ends each answer:

\`\`\`sh
echo '{"v":1,"do":"status"}' | nc -U /run/varta/control.sock
\`\`\`

[spec/16-control.md](spec/16-control.md) has the rules: who may ask and who may act, what is refused, and the bounds.
Every line of an answer has \`v\`; a line with \`error\` says why there is no other. Durations are whole milliseconds,
times UTC, and \`null\` is what does not apply. What reads is at \`/v1/NAME\` of the metrics address, too, with the
arguments in the query; \`events\` goes on there as server-sent events.
`;

export function controlPage(): string {
  return [INTRODUCTION, ...REQUESTS.map(section)].join("\n");
}

function section({ name, right, help, args, answer }: RequestRow): string {
  const rows = Object.entries(args).map(
    ([field, argument]) =>
      `| \`${field}\` | ${wanted(argument)}${argument.required === true ? "; required" : ""} | ${argument.help} |`,
  );
  const table =
    rows.length === 0 ? "" : `\n| field | takes | meaning |\n|---|---|---|\n${rows.join("\n")}\n`;
  const who = { read: "Reads", beat: "Beats", act: "Acts" }[right];
  return `## ${name}\n\n${who}: ${help}.\n${table}\nAnswer: ${answer}.\n`;
}
