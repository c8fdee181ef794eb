// Run by crash_beat.test.ts: an agent that ends in the way of its first argument, with or without a
// crash beat.
import { connect } from "../../src/client/mod.ts";

const [ending, path, install] = process.argv.slice(2);
const client = connect(path);
const other = connect(path);
client.beat();
if (install === "install") {
  client.installCrashBeat();
  client.installCrashBeat();
}
if (install === "install and remove") {
  client.installCrashBeat();
  client.close();
}

switch (ending) {
  case "throw":
    throw new TypeError("thrown at the top", { cause: new Error("why") });
  case "throw in a timer":
    setTimeout(fail, 1);
    break;
  case "reject":
    rejecting("rejected");
    outlive();
    break;
  case "reject with a number":
    void Promise.reject(5);
    outlive();
    break;
  case "reject twice":
    rejecting("first");
    rejecting("second");
    outlive();
    break;
  case "await a rejection":
    await rejecting("awaited");
    break;
  case "exit":
    process.exit(3);
    break;
  case "return":
    process.exitCode = 4;
    break;
  case "handle an exception":
    process.on("uncaughtException", (error) => console.log(`handled ${error.message}`));
    setTimeout(fail, 1);
    break;
  case "handle a rejection":
    process.on("unhandledRejection", (reason) => console.log(`handled ${String(reason)}`));
    rejecting("rejected");
    break;
  case "handle and say so":
    process.on("uncaughtException", () => {
      other.crashBeat(9);
      process.exit(5);
    });
    setTimeout(fail, 1);
    break;
  default:
    throw new Error(`no such ending: ${ending}`);
}

function fail(): void {
  throw new RangeError("thrown in a timer");
}

async function rejecting(message: string): Promise<void> {
  throw new Error(message);
}

/** A process that wrongly survives says so. */
function outlive(): void {
  setTimeout(() => console.log("survived"), 500);
}
