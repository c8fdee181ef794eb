// Two buffers for the bytes of a state: one is filled while the other one is on its way to the
// disk. They are kept from one writing to the next: tens of megabytes of garbage every two seconds
// would have the collector between beats.
import { assert } from "../base/assert.ts";
import { SECTION_BYTES_MAX, SECTION_HEAD_BYTES } from "./format.ts";

/** A buffer with so much in it is written. */
const CHUNK_FULL_BYTES = 256 * 1_024;

export class Chunk {
  readonly #bytes = new Uint8Array(
    new ArrayBuffer(CHUNK_FULL_BYTES + SECTION_HEAD_BYTES + SECTION_BYTES_MAX),
  );
  length = 0;

  get isFull(): boolean {
    return this.length >= CHUNK_FULL_BYTES;
  }

  /** Copies a section, or what comes before the first one. */
  add(bytes: Uint8Array): void {
    assert(!this.isFull, "a chunk that is full is written first");
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** What is in it, valid until it is filled anew. */
  content(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.length);
  }
}

export class Chunks {
  readonly #all = [new Chunk(), new Chunk()] as const;
  #free: Chunk[] = [...this.#all];

  /** Takes both: nothing is under way. */
  reset(): void {
    this.#free = [...this.#all];
    for (const chunk of this.#all) chunk.length = 0;
  }

  /** The one to be filled; undefined = both wait for the disk. */
  get filling(): Chunk | undefined {
    return this.#free[0];
  }

  /** The one that was filled goes to the disk. */
  leave(): Chunk {
    return this.#free.shift()!;
  }

  /** It is on the disk. */
  back(chunk: Chunk): void {
    chunk.length = 0;
    this.#free.push(chunk);
  }
}
