// Opens the audit log at a start, and at a reload that moves it (spec 11 sections 4, 5, 9): finds
// where seq and chain go on, then cuts a torn tail, and writes and syncs the boot record before
// anything else happens. A rotation that a crash interrupted is completed here, and a log that
// differs from the memory gets a second row that says so.
import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { FILE_WRITE_BYTES_MAX, ROTATED_FILES_MAX } from "../base/limits.ts";
import { AppendFile, type FileCalls } from "../files/append_file.ts";
import { foreignContent, SAFE_OPEN_FLAGS } from "../files/own_file.ts";
import { ChainHead, type ChainKey } from "./chain.ts";
import { continues, isLinkedReason } from "./chain_check.ts";
import { type ComparedFile, compareWithHead, type Difference } from "./head_compare.ts";
import type { FoundHead } from "./head_memory.ts";
import { type ByteSource, linesBackwards, type Probe, probe, unreadable } from "./probe.ts";
import { AUDIT_HEADER, bootFields, type BootReason, movedFields, tamperFields } from "./record.ts";
import { bootKeyId, parseRow } from "./row.ts";
import type { RememberedRow } from "./verify.ts";

interface OpeningOptions {
  readonly path: string;
  readonly daemonPid: number;
  readonly unixMs: () => number;
  readonly calls: FileCalls;
  /** Rows are under it from here on. */
  readonly key: ChainKey | undefined;
  /** What was remembered of the log; undefined = it is not remembered. */
  readonly remembered: FoundHead | undefined;
}

/** The log that this one goes on from. */
export interface LogBefore {
  readonly path: string;
  /** Its last row that is on the disk. */
  readonly row: RememberedRow;
}

/** Bytes read back at most to find whether the last section is under a key. */
const KEY_SEARCH_BYTES_MAX = 16 * 1_048_576;

/**
 * Opens the file and finds where it goes on; no row of it is changed before `begin()`. Throws an
 * Error that says what was found and what is wanted, or the system's error.
 */
export async function openAudit(options: OpeningOptions): Promise<AuditOpening> {
  const { path, calls, remembered, key } = options;
  const file = await AppendFile.open(path, { calls, private: true });
  try {
    const found = await probeFile(file);
    if (found.isForeign && remembered?.record === undefined) {
      throw foreignContent(path, "an audit log");
    }
    const tornBytes = file.sizeBytes - found.keepBytes;
    const before = await joinRotated(file, found, `${path}.1`, calls);
    const under = await keyOfEnd(file, found, key);
    const difference = await differenceOf({ file, found, under, options });
    return new AuditOpening({ file, found, before, under, tornBytes, difference, options });
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** What the last rows are under: the key that is set, another one, or none. */
type Under = "key" | "other" | "none";

async function keyOfEnd(
  file: AppendFile,
  { row, chainBefore, keepBytes }: Probe,
  key: ChainKey | undefined,
): Promise<Under> {
  if (row === undefined) return "none";
  if (key !== undefined && continues(row, chainBefore, key)) return "key";
  if (continues(row, chainBefore, undefined)) return "none";
  // Rare: the key was removed or changed, or the last row is damaged. The boot record of the
  // section knows.
  let readBytes = 0;
  for await (const line of linesBackwards(sourceOf(file), keepBytes)) {
    readBytes += line.length + 1;
    const earlier = parseRow(line);
    if (earlier?.kind === "boot") return bootKeyId(earlier) === undefined ? "none" : "other";
    if (readBytes > KEY_SEARCH_BYTES_MAX) break;
  }
  return "none";
}

interface Compared {
  readonly file: AppendFile;
  readonly found: Probe;
  readonly under: Under;
  readonly options: OpeningOptions;
}

async function differenceOf(compared: Compared): Promise<Difference | undefined> {
  const { file, found, under, options } = compared;
  const { path, calls, remembered, key } = options;
  const record = remembered?.record;
  const unreadable = { what: "head_unreadable", foundSeq: 0, foundChain: undefined } as const;
  if (record === undefined) return remembered?.fault === undefined ? undefined : unreadable;
  const live = { source: sourceOf(file), endBytes: found.keepBytes };
  const difference = await compareWithHead(filesOf(live, path, calls), record);
  // A memory that is not under the key, of a log that is, was not written by the daemon.
  const isDowngraded = under === "key" && record.keyId !== key?.id;
  return difference ?? (isDowngraded ? unreadable : undefined);
}

/** The log from its newest file to its oldest. */
async function* filesOf(
  live: ComparedFile,
  path: string,
  calls: FileCalls,
): AsyncGenerator<ComparedFile> {
  yield live;
  for (let fileNumber = 1; fileNumber <= ROTATED_FILES_MAX; fileNumber++) {
    const rotated = `${path}.${fileNumber}`;
    const flags = constants.O_RDONLY | SAFE_OPEN_FLAGS;
    const handle = await calls.open(rotated, flags).catch(() => undefined);
    if (handle === undefined) continue;
    try {
      const { size } = await handle.stat();
      yield { source: sourceOf({ handle, sizeBytes: size }), endBytes: size };
    } finally {
      await handle.close();
    }
  }
}

/**
 * What `.1` ends with, if the new file of a rotation has no record yet; undefined = nothing to
 * join.
 */
async function joinRotated(
  file: AppendFile,
  found: Probe,
  rotatedPath: string,
  calls: FileCalls,
): Promise<Probe | undefined> {
  const stats = await calls.lstat(rotatedPath).catch(() => undefined);
  if (stats === undefined) return undefined;
  // A file that the rules of opening refuse is not a part of this log.
  const rotated = await AppendFile.open(rotatedPath, { calls, private: true }).catch(
    () => undefined,
  );
  if (rotated === undefined) return undefined;
  try {
    // A copy across devices was cut short before the live file was removed: the live file has it
    // all.
    if (await isPrefix(rotated, file)) {
      await calls.unlink(rotatedPath);
      return undefined;
    }
    if (found.hasRecords || found.seq > 0) return undefined;
    if (found.reason !== "fresh" && found.reason !== "corrupt_tail") return undefined;
    const end = await probeFile(rotated);
    if (!end.hasRecords) return undefined;
    await cut(rotated, end.keepBytes);
    return end;
  } finally {
    await rotated.close();
  }
}

interface Boot extends Compared {
  readonly before: Probe | undefined;
  readonly tornBytes: number;
  readonly difference: Difference | undefined;
}

/** A log that is open, and has no row of this daemon yet. */
export class AuditOpening {
  readonly file: AppendFile;
  readonly head: ChainHead;
  readonly bootReason: BootReason;
  /** Bytes of a torn line at its end. */
  readonly tornBytes: number;
  /** How the log differs from what was remembered of it. */
  readonly difference: Difference | undefined;
  readonly #booted: Boot;
  /** Of the first rows, what is not written yet; undefined = they are not sealed. */
  #rest: Buffer | undefined;

  constructor(booted: Boot) {
    const { file, found, before, tornBytes, difference, options } = booted;
    const { seq, chain } = before ?? found;
    // Numbers that are remembered are not given out again: two rows of one number would contradict
    // each other.
    const seqMin = options.remembered?.record?.seq ?? 0;
    this.file = file;
    this.head = new ChainHead(Math.max(seq, seqMin), chain, options.key);
    this.bootReason = reasonOf(booted);
    this.tornBytes = tornBytes;
    this.difference = difference;
    this.#booted = booted;
  }

  /**
   * Cuts a torn tail, and writes and syncs the first rows. May be called again after a failure.
   */
  async begin(moved: LogBefore | undefined): Promise<void> {
    const { file } = this;
    if (this.#rest === undefined) {
      await cut(file, this.#booted.found.keepBytes);
      this.#rest = this.#seal(moved);
    }
    while (this.#rest.length > 0) this.#rest = this.#rest.subarray(await file.write(this.#rest));
    await file.datasync();
  }

  #seal(moved: LogBefore | undefined): Buffer {
    const { head, difference } = this;
    const { found, before, options } = this.#booted;
    const unixMs = options.unixMs();
    const isLinked = (before ?? found).isChained && isLinkedReason(this.bootReason);
    const fields = bootFields({
      unixMs,
      daemonPid: options.daemonPid,
      previousChain: isLinked ? head.text : undefined,
      reason: this.bootReason,
      keyId: options.key?.id,
    });
    // The numbers of a daemon's rows never go back, also not from one log to the next.
    head.seq = Math.max(head.seq, moved?.row.seq ?? 0);
    const header = found.headerWanted ? `${AUDIT_HEADER}\n` : "";
    const rows: Buffer[] = [Buffer.from(`${found.lineEndWanted ? "\n" : ""}${header}`)];
    rows.push(head.seal("boot", fields, 0));
    if (difference !== undefined) {
      const { record } = options.remembered!;
      const [headSeq, headChain] = [record?.seq ?? 0, record?.chain];
      const tamper = tamperFields({ ...difference, unixMs, observerNs: 0, headSeq, headChain });
      rows.push(head.seal("tamper_suspected", tamper, 0));
    }
    if (moved !== undefined) {
      const { path: file, row } = moved;
      rows.push(head.seal("moved", movedFields({ unixMs, direction: "from", file, ...row }), 0));
    }
    return Buffer.concat(rows);
  }
}

function reasonOf({ found, before, under, options }: Boot): BootReason {
  if (before !== undefined) return "rotation";
  if (found.reason !== "resume") return found.reason;
  if (options.key !== undefined) return under === "key" ? "resume" : "keyed";
  return under === "other" ? "unkeyed" : "resume";
}

export async function probeFile(file: AppendFile): Promise<Probe> {
  const { sizeBytes } = file;
  try {
    return await probe(sourceOf(file));
  } catch (error) {
    // Only for what the disk says; a mistake of the program is no reason for a new section.
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return unreadable(sizeBytes);
  }
}

async function cut(file: AppendFile, keepBytes: number): Promise<void> {
  if (keepBytes === file.sizeBytes) return;
  await file.handle.truncate(keepBytes);
  await file.datasync();
  file.sizeBytes = keepBytes;
}

/** True if `whole` begins with all the bytes of `part`. */
async function isPrefix(part: AppendFile, whole: AppendFile): Promise<boolean> {
  if (part.sizeBytes > whole.sizeBytes) return false;
  const [a, b] = [sourceOf(part), sourceOf(whole)];
  for (let at = 0; at < part.sizeBytes; at += FILE_WRITE_BYTES_MAX) {
    const sizeBytes = Math.min(FILE_WRITE_BYTES_MAX, part.sizeBytes - at);
    if (!(await a.read(at, sizeBytes)).equals(await b.read(at, sizeBytes))) return false;
  }
  return true;
}

function sourceOf(file: { readonly handle: FileHandle; readonly sizeBytes: number }): ByteSource {
  return {
    sizeBytes: file.sizeBytes,
    read: async (position, sizeBytes) => {
      const buffer = Buffer.alloc(sizeBytes);
      let offset = 0;
      while (offset < sizeBytes) {
        const { bytesRead } = await file.handle.read(
          buffer,
          offset,
          sizeBytes - offset,
          position + offset,
        );
        if (bytesRead === 0) {
          throw Object.assign(new Error("the file became shorter while it was read"), {
            code: "EIO",
          });
        }
        offset += bytesRead;
      }
      return buffer;
    },
  };
}
