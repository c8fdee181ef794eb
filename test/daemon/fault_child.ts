// A process whose loop has an error that nobody catches, with the shutdown of the daemon: it prints
// what is said and closed. As in the program, the exit code is awaited meanwhile.
import { Shutdown } from "../../src/daemon/shutdown.ts";

const shutdown = new Shutdown({
  log: {
    info: () => {},
    warn: () => {},
    error: (message, fields = {}) => console.log(`${message}: ${String(fields["error"])}`),
  },
  childCount: () => 0,
});
shutdown.takeFaults();
shutdown.add(({ kind, reason }) => void console.log(`closed by ${kind}, ${reason}`));

function fail(): never {
  throw new Error("of a turn");
}

if (process.argv[2] === "rejected") setImmediate(async () => fail());
else setImmediate(fail);
// Something that keeps the process alive, as the sockets of the daemon do.
setInterval(() => {}, 1_000);
process.exit(await shutdown.finished);
