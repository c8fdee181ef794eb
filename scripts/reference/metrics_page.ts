// docs/metrics.md: every family of the metrics page, from the rows beside the code that counts.
import { type Family, familiesOf } from "../../src/base/counters.ts";
import { METRIC_GROUPS, type MetricGroup } from "../../src/daemon/metric_blocks.ts";

const INTRODUCTION = `# Metrics

<!-- "npm run metrics" writes this page from the rows in src/ that declare the metrics. -->

Every metric family of \`GET /metrics\`, in the order of the page. [operating.md](operating.md) says how to scrape it,
and the runbook beside the alert rules what to do when a figure is wrong; [spec/08-metrics.md](spec/08-metrics.md) has
the rules of the page, and how the counters of datagrams add up.

- Every label value is there from the first scrape, at 0; only the rows of agents and processes come and go, and with a
  configuration file what it rules out is left out.
- A label without values here is a name from the configuration (\`listener\`), the name of an agent or the pid of a
  process, or a fact of the build.
- The rows of agents are there with a configuration file, those of processes with \`metrics.per_pid = true\`.
- Counters begin at 0 with the daemon.
`;

export function metricsPage(): string {
  return [INTRODUCTION, ...METRIC_GROUPS.map(section)].join("\n");
}

function section({ title, blocks }: MetricGroup): string {
  const families = blocks.flatMap(familiesOf).filter(({ name }) => name !== "");
  const lines = [
    ["name", "type", "labels", "meaning"],
    ["---", "---", "---", "---"],
    ...families.map((family) => [
      `\`${family.name}\``,
      family.type,
      labelsOf(family).join("; "),
      family.help,
    ]),
  ].map((cells) => `| ${cells.join(" | ")} |`);
  return `## ${title}\n\n${lines.join("\n")}\n`;
}

function labelsOf({ instanceLabels, label, values, bounds }: Family): string[] {
  const labels = instanceLabels.map((one) => `\`${one}\``);
  if (label !== "") labels.push(`\`${label}\`: ${values.join(", ")}`);
  if (bounds.length > 0) labels.push(`\`le\`: ${[...bounds, "+Inf"].join(", ")}`);
  return labels;
}
