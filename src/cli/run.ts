// `varta-watch run`: the daemon. Loads the configuration, starts, and waits for the end; what
// keeps it from starting is reported with its likely cure.
import { SystemError } from "../../ffi/errno.ts";
import { PlatformError } from "../../ffi/libc.ts";
import { NS_PER_MS } from "../base/time.ts";
import { chooseFile, loadConfig, systemHost } from "../config/load.ts";
import type { Host, LoadSuccess } from "../config/load_result.ts";
import { defaultSocket } from "../config/runtime_directory.ts";
import { Daemon, type DaemonOptions } from "../daemon/daemon.ts";
import { filePlaces } from "../daemon/explained_process.ts";
import { LastGood } from "../daemon/last_good.ts";
import type { ReadAgain } from "../daemon/reload/wiring.ts";
import { StartError } from "../daemon/start_error.ts";
import { stderrHasColour } from "./colour.ts";
import { lastGoodStart } from "./last_good_start.ts";
import { type Invocation, ownFlag, ownNumber } from "./invocation.ts";
import { printBriefly } from "./output.ts";
import { READ_NEXT_CONFIG, sameProgram, selfText } from "./self_command.ts";
import { faultReport, problemsReport } from "./start_failure.ts";

const EXIT_FAILURE = 1;

export async function run(invocation: Invocation): Promise<number> {
  const { configFile, given } = invocation;
  const host = systemHost();
  const result = await loadConfig({ configFile, given, host });
  const path = chooseFile(configFile, given, host);
  const lastGood = path === undefined ? undefined : lastGoodOf(path, host);
  const isStrict = ownFlag(invocation, "strict-config");
  const other =
    result.ok || path === undefined || isStrict
      ? undefined
      : await lastGoodStart(result, { file: path, given, host, lastGood });
  const loaded = other?.loaded ?? result;
  if (!loaded.ok) {
    await printBriefly(problemsReport(loaded.problems, loaded.exitCode, loaded.logFormat));
    return loaded.exitCode;
  }
  try {
    const { file } = loaded;
    const daemon = await start(
      loaded,
      // By its path: a file of the default place that has gone is no start without one.
      file === undefined
        ? undefined
        : { configFile: file, given, argv: sameProgram([READ_NEXT_CONFIG]) },
      given.some(({ name }) => name === "prom-addr"),
      ownNumber(invocation, "inject-wedge-ms"),
      { refused: other?.refused, lastGood },
    );
    return await daemon.finished;
  } catch (error) {
    return await refuse(error, loaded);
  }
}

function lastGoodOf(file: string, { env, uid }: Host): LastGood | undefined {
  return LastGood.of({ file, env, ownerUid: uid, isTerminal: process.stderr.isTTY === true });
}

function start(
  loaded: LoadSuccess,
  readAgain: ReadAgain | undefined,
  metricsByOption: boolean,
  wedgeAfterMs: number | undefined,
  kept: Pick<DaemonOptions, "refused" | "lastGood">,
): Promise<Daemon> {
  const { config, file, text, warnings, runtimeDirectory, setBy } = loaded;
  const { listen } = config.metrics;
  const byDefault = listen !== undefined && !setBy.has("metrics.listen");
  return Daemon.start({
    config,
    configFile: file,
    places: () => filePlaces(loaded),
    readAgain,
    configText: text,
    ...kept,
    warnings,
    runtimeDirectory,
    metricsPortMayChange: byDefault,
    announcesMetrics: metricsByOption || (listen?.kind === "tcp" && listen.port === 0),
    beatCommand: process.stderr.isTTY ? beatCommand : undefined,
    env: process.env,
    colour: stderrHasColour(),
    wedgeAfterNs: wedgeAfterMs === undefined ? undefined : wedgeAfterMs * NS_PER_MS,
  });
}

// Faults of the world have a message and a hint; anything else is a mistake of the program and goes
// up with its stack.
async function refuse(error: unknown, { config, setBy }: LoadSuccess): Promise<number> {
  const format = setBy.has("log.format") ? config.log.format : undefined;
  if (error instanceof StartError || error instanceof PlatformError)
    await printBriefly(faultReport(error.message, error.hint, format));
  else if (error instanceof SystemError) await printBriefly(faultReport(error.message, "", format));
  else throw error;
  return EXIT_FAILURE;
}

/** What a person types to send a beat to `socketPath`. */
function beatCommand(socketPath: string): string {
  const uid = process.geteuid?.() ?? 0;
  const isDefault = socketPath === defaultSocket(uid, process.env).path;
  return selfText(isDefault ? "beat" : `beat --socket ${socketPath}`);
}
