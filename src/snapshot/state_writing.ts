// One writing of the state: slices are encoded when the caller has time for one, and written in
// order beside the loop. It ends with the new file in its place, or with the old one as it was.
import type { FileCalls } from "../files/append_file.ts";
import { ReplacedFile } from "../files/replaced_file.ts";
import type { Chunk, Chunks } from "./chunks.ts";
import type { StateEncoder } from "./encoder.ts";

interface WritingOptions {
  readonly path: string;
  readonly calls: FileCalls;
  readonly bytesMax: number;
  /** Of no other writing that is under way. */
  readonly chunks: Chunks;
}

export class StateWriting {
  readonly #encoder: StateEncoder;
  readonly #options: WritingOptions;
  #file: ReplacedFile | undefined;
  /** The last of the file operations that are under way, one after the other. */
  #last: Promise<void>;
  #stepsLeft = 0;
  #isEncoded = false;
  /** The new file is in its place, and on the disk. */
  isDone = false;
  /** But its name may not be: why the directory could not be synced. */
  unsynced: Error | undefined = undefined;
  /** Why the old one is left as it was. */
  error: Error | undefined = undefined;
  sizeBytes = 0;

  constructor(encoder: StateEncoder, options: WritingOptions) {
    this.#encoder = encoder;
    this.#options = options;
    this.#last = Promise.resolve();
    options.chunks.reset();
    this.#then(async () => {
      this.#file = await ReplacedFile.begin(options.path, options.calls);
    });
  }

  get isOver(): boolean {
    return this.isDone || this.error !== undefined;
  }

  /** True if a slice may be encoded: not too much waits for the disk. */
  get wantsSlice(): boolean {
    return !this.#isEncoded && !this.isOver && this.#options.chunks.filling !== undefined;
  }

  /**
   * Encodes the next slice, as long as `hasTime`; after the last one the file is put in its place.
   */
  slice(hasTime?: () => boolean): void {
    const { chunks, bytesMax } = this.#options;
    const bytes = this.#encoder.next(hasTime);
    const chunk = chunks.filling!;
    if (bytes === undefined) {
      if (chunk.length > 0) this.#send();
      this.#isEncoded = true;
      this.#then(async () => {
        this.unsynced = await this.#file!.commit();
        this.isDone = true;
      });
      return;
    }
    this.sizeBytes += bytes.length;
    if (this.sizeBytes > bytesMax) {
      this.#giveUp();
      return;
    }
    chunk.add(bytes);
    if (chunk.isFull) this.#send();
  }

  /** When what is under way now is over. */
  settled(): Promise<void> {
    return this.#last;
  }

  /** The old file stays, unless the new one is in its place already. */
  async abandon(): Promise<void> {
    this.#isEncoded = true;
    this.#then(() => Promise.reject(new Error("given up")));
    await this.#last;
  }

  #send(): void {
    const chunk = this.#options.chunks.leave();
    this.#then(() => this.#write(chunk));
  }

  async #write(chunk: Chunk): Promise<void> {
    await this.#file!.write(chunk.content());
    this.#options.chunks.back(chunk);
  }

  #giveUp(): void {
    const { path, bytesMax } = this.#options;
    this.#isEncoded = true;
    this.#then(() =>
      Promise.reject(new Error(`cannot write ${path}: found more than ${bytesMax} bytes`)),
    );
  }

  // What can begin begins at once: a promise would wait until the loop yields to the runtime, which
  // an idle one does every few seconds.
  #then(work: () => Promise<void>): void {
    this.#stepsLeft += 1;
    const isIdle = this.#stepsLeft === 1;
    this.#last = isIdle ? this.#step(work) : this.#last.then(() => this.#step(work));
  }

  /** Nothing is done after the first failure, which leaves no file behind. Never rejects. */
  async #step(work: () => Promise<void>): Promise<void> {
    try {
      if (!this.isOver) await work();
    } catch (error) {
      await this.#file?.abandon();
      this.error = error as Error;
    } finally {
      this.#stepsLeft -= 1;
    }
  }
}
