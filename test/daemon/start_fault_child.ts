// A daemon in whose start an error is thrown that nobody catches, at the Nth time that the start
// waits for something; then another one at the same places, which can begin if all was closed.
import { loadConfig, systemHost } from "../../src/config/load.ts";
import { filePlaces } from "../../src/daemon/explained_process.ts";
import { Daemon } from "../../src/daemon/daemon.ts";

const [configFile = "", turns = "0"] = process.argv.slice(2);

const loaded = await loadConfig({ configFile, given: [], host: systemHost() });
if (!loaded.ok) throw new Error(Bun.inspect(loaded.problems));
const success = loaded;
const { config, text, warnings, runtimeDirectory } = success;

function start(): Promise<Daemon> {
  return Daemon.start({
    ...{ config, configFile, configText: text, warnings, runtimeDirectory },
    ...{ places: () => filePlaces(success), readAgain: undefined, lastGood: undefined },
    ...{ refused: undefined, metricsPortMayChange: false, announcesMetrics: false },
    ...{ beatCommand: undefined, env: {}, colour: false },
  });
}

let left = Number(turns);
function fail(): void {
  if (left === 0) throw new Error("of a start");
  left -= 1;
  setImmediate(fail);
}

const failing = start();
setImmediate(fail);
console.log(`ended with ${await (await failing).finished}`);
const again = await start();
console.log("began again");
process.kill(process.pid, "SIGTERM");
console.log(`ended with ${await again.finished}`);
process.exit(0);
