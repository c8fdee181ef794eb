// What became of the audit file while it was open: removed, replaced or cut by another program,
// each a sign of tampering, and where the log goes on. Another program's file is never written to;
// then the log goes on where it was.
import type { Stats } from "node:fs";
import { AppendFile, codeOf, type FileCalls } from "../files/append_file.ts";
import { foreignContent } from "../files/own_file.ts";
import type { Difference } from "./head_compare.ts";
import { probeFile } from "./opening.ts";
import type { Probe } from "./probe.ts";
import { AUDIT_HEADER, type Suspicion } from "./record.ts";

export interface AuditLoss extends Difference {
  /** The file that takes the next section; undefined = a new one is wanted. */
  readonly file: AppendFile | undefined;
  /** What that file needs before its next row. */
  readonly lead: string;
}

interface AuditLook {
  readonly loss: AuditLoss | undefined;
  /** Why the log cannot go on at its path. */
  readonly error: Error | undefined;
}

const NOTHING: AuditLook = { loss: undefined, error: undefined };

/** Compares the path with the open `file`; nothing is written to any file. */
export async function lookForFile(
  file: AppendFile,
  path: string,
  calls: FileCalls,
): Promise<AuditLook> {
  let found: Stats;
  try {
    found = await calls.lstat(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") return { loss: undefined, error: error as Error };
    return { loss: lossOf("removed", undefined, undefined), error: undefined };
  }
  try {
    if (found.dev !== file.dev || found.ino !== file.ino) return await replaced(path, calls);
    if (found.size >= file.sizeBytes) return NOTHING;
    file.sizeBytes = found.size;
    return { loss: lossOf("cut", file, await probeFile(file)), error: undefined };
  } catch (error) {
    return { loss: undefined, error: error as Error };
  }
}

async function replaced(path: string, calls: FileCalls): Promise<AuditLook> {
  const other = await AppendFile.open(path, { calls, private: true });
  try {
    const probe = await probeFile(other);
    if (probe.isForeign) throw foreignContent(path, "an audit log");
    return { loss: lossOf("replaced", other, probe), error: undefined };
  } catch (error) {
    await other.close();
    throw error;
  }
}

function lossOf(
  what: Suspicion,
  file: AppendFile | undefined,
  probe: Probe | undefined,
): AuditLoss {
  const isTorn = file !== undefined && probe !== undefined && probe.keepBytes < file.sizeBytes;
  const lineEnd = isTorn || probe?.lineEndWanted === true ? "\n" : "";
  return {
    what,
    file,
    lead: probe?.headerWanted === true ? `${lineEnd}${AUDIT_HEADER}\n` : lineEnd,
    foundSeq: probe?.row?.seq ?? 0,
    foundChain: probe?.row?.chain?.toString("hex"),
  };
}
