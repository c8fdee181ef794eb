// `status` of 10,000 members that beat once per second, asked for once a second and then again as
// soon as it is answered: no beat may wait for it. How the members are spread over names decides
// how long an answer is: 40 names, or as many as the page has rows for.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { delaysOf } from "../support/delays.ts";
import { prepareLoad } from "../support/load.ts";
import type { Native } from "../support/native.ts";
import { type DaemonUnderTest, startDaemon, WITH_PROBE } from "../support/receivers.ts";
import type { Report } from "../support/report.ts";

const MEMBERS = 10_000;
const NAMES = [40, 500];
/** In which all of them are new: who they are is read between their beats. */
const NEW_S = 10;
const WINDOW_S = 20;
const DELAY_US_MAX = 10_000;
const REQUEST = '{"v":1,"do":"status"}\n';
const DONE = '{"done":true}\n';
/** None falls silent for so long, whatever this machine does. */
const CONFIG = '[observer]\nthreshold = "60s"\n';

export async function measureStatus(report: Report, native: Native, directory: string) {
  const config = join(directory, "status.toml");
  writeFileSync(config, CONFIG);
  for (const names of NAMES) {
    const capacity = ["--tracker-capacity", String(MEMBERS)];
    await using daemon = await startDaemon(WITH_PROBE, ["--config", config, ...capacity]);
    const seconds = NEW_S + 3 * WINDOW_S + 5;
    const options = { agents: MEMBERS, rate: MEMBERS, seconds, burst: 1, names };
    await using load = await prepareLoad(native.flood, daemon.socket, options);
    const done = load.run();
    await Bun.sleep(NEW_S * 1_000);
    report.add({ what: `${names} names`, value: "" });
    await window(report, daemon, "nobody asks", undefined);
    await window(report, daemon, "status once a second", 1_000);
    await window(report, daemon, "status again and again", 0);
    await done;
  }
}

/** `everyMs`: between two requests; undefined = there are none. */
async function window(
  report: Report,
  daemon: DaemonUnderTest,
  title: string,
  everyMs: number | undefined,
): Promise<void> {
  await delaysOf(daemon);
  const endMs = performance.now() + WINDOW_S * 1_000;
  const answers: Answer[] = [];
  while (performance.now() < endMs) {
    if (everyMs === undefined) await Bun.sleep(WINDOW_S * 1_000);
    else {
      answers.push(await ask(daemon));
      await Bun.sleep(everyMs);
    }
  }
  const delays = await delaysOf(daemon);
  const p99Us = delays.atPart(0.99);
  report.add({
    what: `${title}: delay of a beat, p99`,
    value: `${(p99Us / 1000).toFixed(3)} ms`,
    required: `at most ${DELAY_US_MAX / 1000} ms`,
    holds: p99Us <= DELAY_US_MAX,
  });
  const more = [0.5, 0.999, 1].map((part) => (delays.atPart(part) / 1000).toFixed(3));
  report.add({ what: "  p50, p99.9, longest", value: `${more.join(", ")} ms` });
  if (answers.length > 0) reportAnswers(report, answers);
}

function reportAnswers(report: Report, answers: readonly Answer[]): void {
  const times = answers.map(({ ms }) => ms).sort((a, b) => a - b);
  const median = times[Math.floor(times.length / 2)]!;
  const { members, bytes } = answers.at(-1)!;
  report.add({
    what: "  answers, median and longest time of one",
    value: `${answers.length}, ${median.toFixed(0)} ms, ${times.at(-1)!.toFixed(0)} ms`,
  });
  report.add({
    what: "  members in the last answer, and its size",
    value: `${members}, ${(bytes / 1024).toFixed(0)} KiB`,
    required: String(MEMBERS),
    holds: members === MEMBERS,
  });
}

interface Answer {
  readonly ms: number;
  readonly bytes: number;
  readonly members: number;
}

async function ask({ directory }: DaemonUnderTest): Promise<Answer> {
  const beganMs = performance.now();
  let text = "";
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = await Bun.connect({
    unix: join(directory, "control.sock"),
    socket: {
      data: (_socket, bytes) => {
        text += bytes.toString("latin1");
        if (text.endsWith(DONE)) resolve();
      },
      close: () => resolve(),
    },
  });
  socket.write(REQUEST);
  await promise;
  const ms = performance.now() - beganMs;
  socket.end();
  const { agents } = JSON.parse(text.slice(0, text.indexOf("\n"))) as {
    readonly agents: readonly { readonly members: number }[];
  };
  const members = agents.reduce((sum, agent) => sum + agent.members, 0);
  return { ms, bytes: text.length, members };
}
