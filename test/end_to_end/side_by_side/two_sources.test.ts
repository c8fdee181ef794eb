// Two hosts that beat by plain UDP under one pid: the death of one is reported and recovered, while
// the other beats on.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { IS_LINUX } from "../../../ffi/constants.ts";
import { encode } from "../../../src/wire/encode.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { freeUdpPorts } from "../../support/free_ports.ts";
import { unlessMachinePauses } from "../../support/pauses.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const PID = 7;
const THRESHOLD_MS = 2_000;

/** A host that beats every 50 ms from an address of its own. */
class Host implements AsyncDisposable {
  readonly #socket: Bun.udp.ConnectedSocket<"buffer">;
  readonly #timer: Timer;
  #nonce = 0n;

  private constructor(socket: Bun.udp.ConnectedSocket<"buffer">) {
    this.#socket = socket;
    this.#timer = setInterval(() => this.#beat(), 50);
    this.#beat();
  }

  static async at(hostname: string, port: number): Promise<Host> {
    const connect = { hostname: "127.0.0.1", port };
    return new Host(await Bun.udpSocket({ hostname, port: 0, connect }));
  }

  #beat(): void {
    this.#nonce += 1n;
    const timestamp = BigInt(Math.floor(performance.now() * 1e6));
    const frame = { status: "ok", pid: PID, timestamp, nonce: this.#nonce, payload: 0 } as const;
    this.#socket.send(encode(frame));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#socket.close();
  }
}

describe.concurrent.skipIf(!IS_LINUX)(
  "two sources of one pid (needs addresses of 127.0.0.0/8)",
  () => {
    test("are kept apart in log and recovery", () =>
      unlessMachinePauses(THRESHOLD_MS / 2, async () => {
        const [port] = freeUdpPorts(1);
        using directory = new TemporaryDirectory();
        const recovered = directory.at("recovered");
        await using daemon = await DaemonProcess.start({
          directory: directory.path,
          ownListeners: true,
          config: `
[observer]
threshold = "${THRESHOLD_MS}ms"
[[listener]]
kind = "unix"
path = "${directory.at("varta.sock")}"
[[listener]]
kind = "udp"
address = "127.0.0.1"
port = ${port}
accept_plaintext = true
accept_recovery = true
[recovery]
command = ["${directory.at("recover")}", "${recovered}"]
`,
          files: { recover: '#!/bin/sh\necho "$VARTA_PID of $VARTA_SOURCE" >>"$1"\n' },
        });
        await using _living = await Host.at("127.0.0.2", port!);
        await until("the first to be tracked", async () => (await daemon.state()).agents === 1);
        {
          await using _dying = await Host.at("127.0.0.3", port!);
          await until("both to be tracked", async () => (await daemon.state()).agents === 2);
        }
        await until("the recovery", () => existsSync(recovered) && statSync(recovered).size > 0);
        expect(daemon.saying("agent stalled").map(({ fields }) => fields.get("agent"))).toEqual([
          "127.0.0.3/7",
        ]);
        expect(readFileSync(recovered, "utf8")).toBe("7 of 127.0.0.3\n");
        const claimed = daemon.saying("pid claimed twice");
        expect(claimed.map(({ fields }) => fields.get("holder"))).toEqual(["127.0.0.2"]);
      }));
  },
);
