// A real dbus-daemon of our own, with a stand-in for systemd on it; and a server that says to
// whoever connects whatever a test wants.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { until } from "../support/until.ts";
import { encodeMessage, type Properties, propertiesReply } from "./dbus_encoder.ts";

export const DBUS_DAEMON = Bun.which("dbus-daemon");
export const NEEDS_BUS = DBUS_DAEMON === null ? " (skipped: there is no dbus-daemon)" : "";

const CONFIG = (socket: string) => `<!DOCTYPE busconfig PUBLIC
 "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=${socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
  </policy>
</busconfig>
`;

export class RealBus implements AsyncDisposable {
  readonly socket: string;
  readonly #directory = new TemporaryDirectory();
  readonly #daemon: Bun.Subprocess<"ignore", "pipe", "ignore">;

  static async start(): Promise<RealBus> {
    const bus = new RealBus();
    const reader = bus.#daemon.stdout.getReader();
    await reader.read();
    return bus;
  }

  private constructor() {
    this.socket = join(this.#directory.path, "bus");
    const file = join(this.#directory.path, "bus.conf");
    writeFileSync(file, CONFIG(this.socket));
    this.#daemon = Bun.spawn(
      [DBUS_DAEMON!, `--config-file=${file}`, "--nofork", "--nopidfile", "--print-address"],
      { stdout: "pipe", stderr: "ignore" },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#daemon.kill("SIGKILL");
    await this.#daemon.exited;
    this.#directory[Symbol.dispose]();
  }
}

/** Answers every GetAll on the bus as org.freedesktop.systemd1, with the units it was given. */
export class StandIn implements AsyncDisposable {
  readonly asked: string[] = [];
  readonly #units: ReadonlyMap<string, Properties>;
  #socket: Bun.Socket | undefined;
  #bytes = Buffer.alloc(0);
  #hasName = false;

  static async start(socket: string, units: ReadonlyMap<string, Properties>): Promise<StandIn> {
    const standIn = new StandIn(units);
    standIn.#socket = await Bun.connect({
      unix: socket,
      socket: { data: (_socket, data) => standIn.#took(data) },
    });
    const uid = Buffer.from(`${process.getuid!()}`).toString("hex");
    standIn.#socket.write(`\0AUTH EXTERNAL ${uid}\r\nBEGIN\r\n`);
    standIn.#socket.write(busCall(1, "Hello", "", []));
    standIn.#socket.write(busCall(2, "RequestName", "su", ["org.freedesktop.systemd1", 0]));
    await until("the stand-in to have its name", () => standIn.#hasName);
    return standIn;
  }

  private constructor(units: ReadonlyMap<string, Properties>) {
    this.#units = units;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket!.end();
  }

  // What the bus sends is little endian, with the fields in an order of its own.
  #took(data: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, data]);
    if (this.#bytes[0] === 0x4f) {
      const end = this.#bytes.indexOf("\r\n") + 2;
      this.#bytes = this.#bytes.subarray(end);
    }
    while (this.#bytes.length >= 16) {
      const fields = this.#bytes.readUInt32LE(12);
      const size = 16 + Math.ceil(fields / 8) * 8 + this.#bytes.readUInt32LE(4);
      if (this.#bytes.length < size) return;
      this.#message(this.#bytes.subarray(0, size), fields);
      this.#bytes = this.#bytes.subarray(size);
    }
  }

  #message(bytes: Buffer, fieldBytes: number): void {
    const serial = bytes.readUInt32LE(8);
    const header = bytes.subarray(16, 16 + fieldBytes).toString("latin1");
    if (bytes[1] === 2 && header.includes("\x05\x01u\0\x02\0\0\0")) this.#hasName = true;
    if (bytes[1] !== 1 || !header.includes("GetAll")) return;
    const [path = ""] = /\/org\/freedesktop\/systemd1\/unit\/[A-Za-z0-9_]+/.exec(header) ?? [];
    const [sender = ""] = /:[0-9]+\.[0-9]+/.exec(header) ?? [];
    this.asked.push(path);
    const properties = this.#units.get(path);
    const reply =
      properties === undefined
        ? encodeMessage({
            type: 3,
            fields: [
              [4, "s", "org.freedesktop.DBus.Error.UnknownObject"],
              [5, "u", serial],
              [6, "s", sender],
            ],
          })
        : propertiesReply(properties, serial, false, sender);
    this.#socket!.write(reply);
  }
}

function busCall(serial: number, member: string, signature: string, body: (string | number)[]) {
  return encodeMessage({
    type: 1,
    serial,
    fields: [
      [1, "o", "/org/freedesktop/DBus"],
      [2, "s", "org.freedesktop.DBus"],
      [3, "s", member],
      [6, "s", "org.freedesktop.DBus"],
    ],
    signature,
    body,
  });
}

/** Says the pieces of its script to each who connects, when the first bytes have come. */
export class HostileBus implements Disposable {
  readonly socket: string;
  connections = 0;
  script: readonly (Uint8Array | string)[] = [];
  /** The connection is closed after that. */
  closes = false;
  readonly #directory = new TemporaryDirectory();
  readonly #server: Bun.UnixSocketListener<Buffer[]>;

  constructor() {
    this.socket = join(this.#directory.path, "bus");
    this.#server = Bun.listen<Buffer[]>({
      unix: this.socket,
      socket: {
        open: (socket) => {
          this.connections += 1;
          socket.data = this.script.map((piece) => Buffer.from(piece as string));
        },
        data: (socket) => this.#say(socket),
        drain: (socket) => this.#say(socket),
      },
    });
  }

  [Symbol.dispose](): void {
    this.#server.stop(true);
    this.#directory[Symbol.dispose]();
  }

  #say(socket: Bun.Socket<Buffer[]>): void {
    for (let piece = socket.data[0]; piece !== undefined; piece = socket.data[0]) {
      const sent = Math.max(0, socket.write(piece));
      if (sent < piece.length) {
        socket.data[0] = piece.subarray(sent);
        return;
      }
      socket.data.shift();
    }
    if (this.closes) socket.end();
  }
}
