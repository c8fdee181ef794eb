// One question to the system bus: connects, proves who asks, says hello and asks, all in one write,
// and reads until the answer is there. Nothing waits: the socket is read when it is readable. What
// comes is bounded, and whatever is not as it should be ends the call with words for it.
import { AF_UNIX, EAGAIN, SOCK_STREAM } from "../../ffi/constants.ts";
import { errnoText } from "../../ffi/errno.ts";
import { close, connect, openSocket, unixAddress } from "../../ffi/socket.ts";
import type { StreamBuffer } from "../../ffi/stream.ts";
import {
  type Message,
  METHOD_ERROR,
  METHOD_RETURN,
  messageSize,
  methodCall,
  readMessage,
} from "./dbus_message.ts";

/**
 * All that may come until the answer is there: the properties of a unit are 20 to 40 KiB, of one
 * with many settings more.
 */
export const UNIT_ANSWER_BYTES_MAX = 256 * 1_024;
/** "DATA", and "OK" with 32 digits. */
const GREETING_BYTES_MAX = 512;
/** "EXTERNAL" without a name: the bus takes the uid that the kernel attests, in any namespace. */
const GREETING = "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";
const HELLO_SERIAL = 1;
const SERIAL = 2;

const HELLO = methodCall({
  serial: HELLO_SERIAL,
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interfaceName: "org.freedesktop.DBus",
  member: "Hello",
});

/** What can be asked for: the properties of an object, of all its interfaces. */
interface BusQuestion {
  readonly destination: string;
  readonly path: string;
}

/** The answer, or the words for why there is none. */
export type BusAnswer = Message | string;

export class BusCall {
  readonly fd: number;
  readonly #buffer: StreamBuffer;
  /** Bytes in the buffer, and how many of them were passed. */
  #size = 0;
  #passed = 0;
  #isGreeted = false;

  /** Asks at the socket `path`; the words for why that cannot be. */
  static open(path: string, question: BusQuestion, buffer: StreamBuffer): BusCall | string {
    const fd = openSocket(AF_UNIX, SOCK_STREAM);
    if (fd < 0) return errnoText(-fd);
    const connected = connect(fd, unixAddress(path));
    if (connected < 0) {
      close(fd);
      return errnoText(-connected);
    }
    const call = new BusCall(fd, buffer);
    const getAll = methodCall({
      serial: SERIAL,
      ...question,
      interfaceName: "org.freedesktop.DBus.Properties",
      member: "GetAll",
      argument: "",
    });
    const fault = call.#send(Buffer.concat([Buffer.from(GREETING, "latin1"), HELLO, getAll]));
    if (fault === "") return call;
    call.close();
    return fault;
  }

  private constructor(fd: number, buffer: StreamBuffer) {
    this.fd = fd;
    this.#buffer = buffer;
  }

  /** Reads what has come; undefined = the answer is not whole yet. */
  read(): BusAnswer | undefined {
    const size = this.#buffer.receive(this.fd, this.#size);
    if (size === -EAGAIN) return undefined;
    if (size < 0) return errnoText(-size);
    if (size === 0) return "the connection was closed";
    this.#size += size;
    const answer = this.#answer();
    if (answer !== undefined) return answer;
    return this.#size < UNIT_ANSWER_BYTES_MAX ? undefined : "the answer is too long";
  }

  close(): void {
    close(this.fd);
  }

  // The buffer of a socket that was just made has room for it.
  #send(bytes: Uint8Array): string {
    this.#buffer.bytes.set(bytes);
    const sent = this.#buffer.send(this.fd, bytes.length);
    if (sent < 0) return errnoText(-sent);
    return sent === bytes.length ? "" : "the question was not taken";
  }

  #answer(): BusAnswer | undefined {
    const fault = this.#greet();
    if (fault !== "" || !this.#isGreeted) return fault === "" ? undefined : fault;
    for (;;) {
      const rest = this.#buffer.bytes.subarray(this.#passed, this.#size);
      const size = messageSize(rest);
      if (size < 0) return "the answer is garbled";
      if (size === 0 || size > rest.length)
        return size > UNIT_ANSWER_BYTES_MAX ? "the answer is too long" : undefined;
      const message = readMessage(rest.subarray(0, size));
      if (message === undefined) return "the answer is garbled";
      if (message.replySerial === SERIAL) return answerIn(message);
      // The answer to hello, and signals.
      this.#passed += size;
    }
  }

  /** Passes the lines before the first message; the words for a refusal. */
  #greet(): string {
    while (!this.#isGreeted) {
      const rest = this.#buffer.bytes.subarray(this.#passed, this.#size);
      const end = rest.subarray(0, GREETING_BYTES_MAX).indexOf(0x0a);
      if (end < 0) return rest.length < GREETING_BYTES_MAX ? "" : "the greeting is too long";
      const line = Buffer.from(rest.subarray(0, end)).toString("latin1").trimEnd();
      this.#passed += end + 1;
      if (/^OK( |$)/.test(line)) this.#isGreeted = true;
      else if (!/^DATA ?$/.test(line)) return "it does not let the daemon in";
    }
    return "";
  }
}

function answerIn(message: Message): BusAnswer {
  if (message.type === METHOD_RETURN) return message;
  if (message.type !== METHOD_ERROR) return "the answer is garbled";
  const isName = /^[A-Za-z0-9_.]{1,100}$/.test(message.errorName);
  return `it answered ${isName ? message.errorName : "with an error"}`;
}
