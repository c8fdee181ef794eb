// What a signal to one process is reported as; that it reaches no other is tested where recoveries
// send it.
import { afterEach, describe, expect, test } from "bun:test";
import { constants } from "node:os";
import { ProcReader } from "../../src/processes/proc_reader.ts";
import {
  SIGNAL_OTHER_PROCESS,
  SIGNAL_UNREADABLE,
  type SignalMeans,
  signalProcess,
} from "../../src/processes/process_signal.ts";
import { SpareDescriptors } from "../../src/processes/spare_descriptors.ts";

const children: Bun.Subprocess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
});

const processes = new ProcReader();
const means: SignalMeans = { processes, spares: new SpareDescriptors() };

describe.if(process.platform === "linux")("signalProcess()", () => {
  function sleeper(): { pid: number; startTime: number; signal: number } {
    const child = Bun.spawn(["sleep", "60"]);
    children.push(child);
    return { pid: child.pid, startTime: processes.startTime(child.pid), signal: 0 };
  }

  test("reaches the process that started then", () => {
    expect(signalProcess(means, sleeper())).toBe(0);
  });

  test("reaches no process that started at another time, or at a time that cannot be read", () => {
    const process = sleeper();
    const other = { ...process, startTime: process.startTime + 1 };
    expect(signalProcess(means, other)).toBe(SIGNAL_OTHER_PROCESS);
    const blind = { ...means, processes: { startTime: () => Number.NaN } };
    expect(signalProcess(blind, process)).toBe(SIGNAL_UNREADABLE);
  });

  test("says that there is no such process", async () => {
    const process = sleeper();
    children[0]!.kill("SIGKILL");
    await children[0]!.exited;
    expect(signalProcess(means, process)).toBe(-constants.errno.ESRCH);
  });
});
