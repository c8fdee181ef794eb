// Opens the audit log at a start (spec 11 sections 4 and 5): cuts a torn tail, goes on with seq and
// chain, and writes and syncs the boot record before anything else happens. A rotation that a crash
// interrupted is completed here, and a log that differs from the memory gets a second row that says
// so.
import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { FILE_WRITE_BYTES_MAX, ROTATED_FILES_MAX } from "../base/limits.ts";
import { AppendFile, type FileCalls } from "../files/append_file.ts";
import { foreignContent, SAFE_OPEN_FLAGS } from "../files/own_file.ts";
import { writeAll } from "../files/rotation.ts";
import { ChainHead, type ChainKey } from "./chain.ts";
import { continues, isLinkedReason } from "./chain_check.ts";
import { type ComparedFile, compareWithHead, type Difference } from "./head_compare.ts";
import type { FoundHead } from "./head_memory.ts";
import { type ByteSource, linesBackwards, type Probe, probe, unreadable } from "./probe.ts";
import { AUDIT_HEADER, bootFields, type BootReason, tamperFields } from "./record.ts";
import { bootKeyId, parseRow } from "./row.ts";

interface OpeningOptions {
  readonly path: string;
  readonly daemonPid: number;
  readonly unixMs: number;
  readonly calls: FileCalls;
  /** Rows are under it from here on. */
  readonly key: ChainKey | undefined;
  /** What was remembered of the log; undefined = it is not remembered. */
  readonly remembered: FoundHead | undefined;
}

export interface OpenedAudit {
  readonly file: AppendFile;
  readonly head: ChainHead;
  readonly bootReason: BootReason;
  /** Bytes of the torn line that was cut off. */
  readonly tornBytes: number;
  /** How the log differs from what was remembered of it. */
  readonly difference: Difference | undefined;
}

/** Bytes read back at most to find whether the last section is under a key. */
const KEY_SEARCH_BYTES_MAX = 16 * 1_048_576;

/** Throws an Error that says what was found and what is wanted, or the system's error. */
export async function openAudit(options: OpeningOptions): Promise<OpenedAudit> {
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
    await cut(file, found.keepBytes);
    return await boot({ file, found, before, under, tornBytes, difference, options });
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

async function boot(booted: Boot): Promise<OpenedAudit> {
  const { file, found, before, tornBytes, difference, options } = booted;
  const { seq, chain, isChained } = before ?? found;
  const record = options.remembered?.record;
  // Numbers that are remembered are not given out again: two rows of one number would contradict
  // each other.
  const head = new ChainHead(Math.max(seq, record?.seq ?? 0), chain, options.key);
  const bootReason = reasonOf(booted);
  const fields = bootFields({
    unixMs: options.unixMs,
    daemonPid: options.daemonPid,
    previousChain: isChained && isLinkedReason(bootReason) ? head.text : undefined,
    reason: bootReason,
    keyId: options.key?.id,
  });
  const lead = `${found.lineEndWanted ? "\n" : ""}${found.headerWanted ? `${AUDIT_HEADER}\n` : ""}`;
  const rows = [Buffer.from(lead), head.seal("boot", fields, 0)];
  if (difference !== undefined) {
    const tamper = tamperFields({
      ...difference,
      unixMs: options.unixMs,
      observerNs: 0,
      headSeq: record?.seq ?? 0,
      headChain: record?.chain,
    });
    rows.push(head.seal("tamper_suspected", tamper, 0));
  }
  await writeAll(file, Buffer.concat(rows));
  await file.datasync();
  return { file, head, bootReason, tornBytes, difference };
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
