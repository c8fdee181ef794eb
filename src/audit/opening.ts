// Opens the audit log at a start (spec 11 sections 4 and 5): cuts a torn tail, goes on with seq and chain, and writes and
// syncs the boot record before anything else happens. A rotation that a crash interrupted is completed here.
import { FILE_WRITE_BYTES_MAX } from "../base/limits.ts";
import { AppendFile, type FileCalls } from "../files/append_file.ts";
import { writeAll } from "../files/rotation.ts";
import { ChainHead } from "./chain.ts";
import { type ByteSource, type Probe, probe, unreadable } from "./probe.ts";
import { AUDIT_HEADER, bootFields, type BootReason } from "./record.ts";

export interface OpeningOptions {
  readonly path: string;
  readonly daemonPid: number;
  readonly unixMs: number;
  readonly calls: FileCalls;
}

export interface OpenedAudit {
  readonly file: AppendFile;
  readonly head: ChainHead;
  readonly bootReason: BootReason;
  /** Bytes of the torn line that was cut off. */
  readonly tornBytes: number;
}

/** Throws an Error that says what was found and what is wanted, or the system's error. */
export async function openAudit(options: OpeningOptions): Promise<OpenedAudit> {
  const { path, calls } = options;
  const file = await AppendFile.open(path, { calls, private: true });
  try {
    const found = await probeFile(file);
    const tornBytes = file.sizeBytes - found.keepBytes;
    const before = await joinRotated(file, found, `${path}.1`, calls);
    await cut(file, found.keepBytes);
    return await boot({ file, found, before, tornBytes, options });
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** What `.1` ends with, if the new file of a rotation has no record yet; undefined = nothing to join. */
async function joinRotated(
  file: AppendFile,
  found: Probe,
  rotatedPath: string,
  calls: FileCalls,
): Promise<Probe | undefined> {
  const stats = await calls.lstat(rotatedPath).catch(() => undefined);
  if (stats === undefined) return undefined;
  // A file that is not ours by the rules of opening is not a part of this log.
  const rotated = await AppendFile.open(rotatedPath, { calls, private: true }).catch(
    () => undefined,
  );
  if (rotated === undefined) return undefined;
  try {
    // A copy across devices was cut short before the live file was removed: the live file has it all.
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

interface Boot {
  readonly file: AppendFile;
  readonly found: Probe;
  readonly before: Probe | undefined;
  readonly tornBytes: number;
  readonly options: OpeningOptions;
}

async function boot({ file, found, before, tornBytes, options }: Boot): Promise<OpenedAudit> {
  const { seq, chain, isChained } = before ?? found;
  const bootReason = before === undefined ? found.reason : "rotation";
  const head = new ChainHead(seq, chain);
  const isLinked = isChained && (bootReason === "resume" || bootReason === "rotation");
  const fields = bootFields({
    unixMs: options.unixMs,
    daemonPid: options.daemonPid,
    previousChain: isLinked ? head.text : undefined,
    reason: bootReason,
  });
  const lead = `${found.lineEndWanted ? "\n" : ""}${found.headerWanted ? `${AUDIT_HEADER}\n` : ""}`;
  await writeAll(file, Buffer.concat([Buffer.from(lead), head.seal("boot", fields, 0)]));
  await file.datasync();
  return { file, head, bootReason, tornBytes };
}

async function probeFile(file: AppendFile): Promise<Probe> {
  const { sizeBytes } = file;
  try {
    return await probe(sourceOf(file));
  } catch (error) {
    // Only what the disk says; a mistake of ours is not a reason to start a new section.
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

function sourceOf(file: AppendFile): ByteSource {
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
