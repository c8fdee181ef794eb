// The process that reads and checks a changed configuration for a daemon that goes on meanwhile
// (spec 17 section 2): the question comes on stdin, the answer goes to stdout, in the runtime's own
// form of a value. No command of anybody's: it is in no help.
import { writeSync } from "node:fs";
import { beginSession } from "../../ffi/process.ts";
import { systemHost } from "../config/load.ts";
import { type NextResult, notApplied, readNext } from "../daemon/reload/next_config.ts";
import { answerBytes, questionOf } from "../daemon/reload/next_reader.ts";
import { errorText } from "../daemon/start_error.ts";

const STDOUT = 1;

export async function answerNext(): Promise<number> {
  // Of its own: a signal to the group of the daemon is not for it.
  beginSession();
  const bytes = answerBytes(await nextResult(await Bun.stdin.arrayBuffer()));
  for (let sent = 0; sent < bytes.length; ) sent += writeSync(STDOUT, bytes, sent);
  return 0;
}

async function nextResult(asked: ArrayBuffer): Promise<NextResult> {
  try {
    const { before, configFile, given } = questionOf(asked);
    return await readNext(before, { configFile, given, host: systemHost() });
  } catch (error) {
    return notApplied(`cannot read the configuration: ${errorText(error)}`);
  }
}
