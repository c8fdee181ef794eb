// The asynchronous writer of a file of lines (spec 09 section 4): lines are queued on the loop
// thread and written in order, one operation at a time, by calls that run on the thread pool.
// Nothing here blocks or throws. What cannot be queued or written is dropped as whole lines and
// counted; the last error waits for the log.
import {
  FILE_LOOK_NS,
  FILE_QUEUE_BYTES_MAX,
  FILE_REFUSAL_NS,
  FILE_WRITE_BYTES_MAX,
} from "../base/limits.ts";
import { saturatingAdd } from "../base/saturating.ts";
import {
  AppendFile,
  type Content,
  type FileCalls,
  isAtPath,
  type OpenOptions,
  REAL_FILE_CALLS,
} from "./append_file.ts";
import { countLines, LineQueue } from "./line_queue.ts";
import { Rotation, writeAll } from "./rotation.ts";

export interface FileWriterOptions {
  readonly path: string;
  /** Size that starts a rotation; undefined = never. */
  readonly bytesMax: number | undefined;
  /** Lines per fdatasync; 0 = only at the close. */
  readonly syncEvery: number;
  /** What a file that is there already must hold. */
  readonly content?: Content;
  /** A monotonic clock: the path is checked once a second. */
  readonly monotonicNs: () => number;
  readonly queueBytesMax?: number;
  readonly calls?: FileCalls;
}

/** Another program has moved or removed the file, and a new one was begun. */
export interface Reopened {
  readonly count: number;
  /** Lines that went to a removed file at most: those since the last check of the path. */
  readonly lostLinesMax: number;
}

const LINE_FEED = Uint8Array.of(0x0a);

export class FileWriter {
  readonly path: string;
  /** Lines that were lost. */
  droppedLines = 0;
  /** Why the directory could not be synced after the file was created; a warning for the log. */
  readonly directorySyncError: Error | undefined;
  readonly #options: FileWriterOptions;
  readonly #openOptions: OpenOptions;
  readonly #queue: LineQueue;
  readonly #rotation: Rotation;
  #file: AppendFile;
  #running: Promise<void> | undefined;
  #reopenWanted = false;
  #lastLookNs: number;
  /** When the last refusal to open the path again was reported. */
  #refusedNs = Number.NEGATIVE_INFINITY;
  #linesSinceLook = 0;
  #reopened = 0;
  #lostLinesMax = 0;
  #closing = false;
  /** The file ends inside a line that a failed write left. */
  #lineTorn = false;
  #linesUnsynced = 0;
  #error: Error | undefined;

  /** Opens or creates the file. Throws an Error that says what was found and what is wanted. */
  static async open(options: FileWriterOptions): Promise<FileWriter> {
    const openOptions = { content: options.content, calls: options.calls ?? REAL_FILE_CALLS };
    return new FileWriter(options, openOptions, await AppendFile.open(options.path, openOptions));
  }

  private constructor(options: FileWriterOptions, openOptions: OpenOptions, file: AppendFile) {
    this.path = options.path;
    this.directorySyncError = file.directorySyncError;
    this.#options = options;
    this.#openOptions = openOptions;
    this.#file = file;
    this.#queue = new LineQueue(options.queueBytesMax ?? FILE_QUEUE_BYTES_MAX);
    this.#rotation = new Rotation(options.path, openOptions);
    this.#lastLookNs = options.monotonicNs();
  }

  /** True while a write, a sync or a rotation is under way. */
  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** Queues whole lines (copied), or drops and counts all of them. `start` writes them. */
  append(lines: Uint8Array, lineCount: number): void {
    if (this.#closing || !this.#queue.append(lines)) this.#drop(lineCount);
  }

  /** Starts to write what is queued, unless that is under way. */
  start(): void {
    if (this.#running !== undefined) return;
    if (this.#queue.sizeBytes === 0 && !this.#reopenWanted) return;
    this.#running = this.#run().then(() => {
      this.#running = undefined;
    });
  }

  /**
   * Before the next write, opens the path again if it no longer names the open file: another
   * program rotates it.
   */
  reopen(): void {
    this.#reopenWanted = true;
    this.start();
  }

  /** How often the file was opened again since the last call, and what that may have cost. */
  takeReopened(): Reopened | undefined {
    if (this.#reopened === 0) return undefined;
    const reopened = { count: this.#reopened, lostLinesMax: this.#lostLinesMax };
    this.#reopened = 0;
    this.#lostLinesMax = 0;
    return reopened;
  }

  /** The last failure since the last call, for the log. */
  takeError(): Error | undefined {
    const error = this.#error;
    this.#error = undefined;
    return error;
  }

  /** Writes everything that is queued, syncs and closes. Failures are left in `takeError`. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    while (this.#running !== undefined || this.#queue.sizeBytes > 0) {
      this.start();
      await this.#running;
    }
    await this.#note(this.#file.datasync());
    await this.#note(this.#file.close());
  }

  async #run(): Promise<void> {
    for (;;) {
      if (this.#lookIsDue()) await this.#reopenIfMoved();
      const lines = this.#queue.peek(FILE_WRITE_BYTES_MAX, this.#bytesUntilRotation());
      if (lines.length === 0) return;
      await this.#write(lines);
      this.#queue.consume(lines.length);
      const { syncEvery, bytesMax } = this.#options;
      if (syncEvery > 0 && this.#linesUnsynced >= syncEvery) await this.#sync();
      if (bytesMax !== undefined && this.#file.sizeBytes >= bytesMax) await this.#rotate();
    }
  }

  // While a rotation waits for its new file, the path is empty because of that.
  #lookIsDue(): boolean {
    if (this.#reopenWanted) return true;
    if (this.#rotation.createWanted || this.#queue.sizeBytes === 0) return false;
    return this.#options.monotonicNs() - this.#lastLookNs >= FILE_LOOK_NS;
  }

  /**
   * A write ends with the line that makes the file long enough; a rotation that failed does not
   * make writes short.
   */
  #bytesUntilRotation(): number {
    const { bytesMax } = this.#options;
    if (bytesMax === undefined || this.#file.sizeBytes >= bytesMax) return Number.POSITIVE_INFINITY;
    return bytesMax - this.#file.sizeBytes;
  }

  async #write(lines: Uint8Array): Promise<void> {
    const file = this.#file;
    let startBytes = file.sizeBytes;
    try {
      if (this.#lineTorn) {
        await writeAll(file, LINE_FEED);
        this.#lineTorn = false;
        startBytes = file.sizeBytes;
      }
      await writeAll(file, lines);
      const lineCount = countLines(lines);
      this.#linesSinceLook += lineCount;
      if (this.#options.syncEvery > 0) this.#linesUnsynced += lineCount;
    } catch (error) {
      this.#error = error as Error;
      const written = lines.subarray(0, file.sizeBytes - startBytes);
      if (written.length > 0) this.#lineTorn = written[written.length - 1] !== LINE_FEED[0];
      this.#linesUnsynced += countLines(written);
      this.#drop(countLines(lines) - countLines(written));
    }
  }

  async #sync(): Promise<void> {
    this.#linesUnsynced = 0;
    await this.#note(this.#file.datasync());
  }

  async #rotate(): Promise<void> {
    if (this.#options.syncEvery > 0 && this.#linesUnsynced > 0) await this.#sync();
    const before = this.#file;
    const { file, error } = await this.#rotation.run(before);
    this.#file = file;
    if (file !== before && !this.#rotation.createWanted) this.#lineTorn = false;
    if (error !== undefined) this.#error = error;
  }

  async #reopenIfMoved(): Promise<void> {
    this.#reopenWanted = false;
    this.#lastLookNs = this.#options.monotonicNs();
    if (await isAtPath(this.#file, this.path, this.#openOptions.calls)) {
      this.#linesSinceLook = 0;
      return;
    }
    const old = this.#file;
    try {
      this.#file = await AppendFile.open(this.path, this.#openOptions);
    } catch (error) {
      this.#refused(error as Error);
      return;
    }
    await this.#countReopened(old);
    this.#lineTorn = false;
    this.#rotation.reset();
    if (this.#options.syncEvery > 0) await this.#note(old.datasync());
    this.#linesUnsynced = 0;
    await this.#note(old.close());
  }

  /**
   * Lines go on to the old file, and the path is tried again with every check; that is reported
   * once a minute.
   */
  #refused(error: Error): void {
    if (this.#lastLookNs - this.#refusedNs < FILE_REFUSAL_NS) return;
    this.#refusedNs = this.#lastLookNs;
    this.#error = error;
  }

  async #countReopened(old: AppendFile): Promise<void> {
    this.#reopened += 1;
    const linkCount = await old.handle.stat().then(
      ({ nlink }) => nlink,
      () => 0,
    );
    if (linkCount === 0) this.#lostLinesMax += this.#linesSinceLook;
    this.#linesSinceLook = 0;
    this.#refusedNs = Number.NEGATIVE_INFINITY;
  }

  async #note(call: Promise<void>): Promise<void> {
    try {
      await call;
    } catch (error) {
      this.#error = error as Error;
    }
  }

  #drop(lineCount: number): void {
    this.droppedLines = saturatingAdd(this.droppedLines, lineCount);
  }
}
