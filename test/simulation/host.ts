// What recovery asks of the simulated system about the process that has a pid.
import {
  BlindAgentHost,
  HOLDER_HIDDEN,
  HOLDER_NONE,
  HOLDER_SHOWN,
} from "../../src/recovery/agent_host.ts";
import type { ProcessTable } from "./process_table.ts";

export class SimulatedHost extends BlindAgentHost {
  readonly #processes: ProcessTable;

  constructor(processes: ProcessTable) {
    super();
    this.#processes = processes;
  }

  override holderOf(pid?: number): number {
    const holder = this.#processes.find(pid!);
    if (holder === undefined) return HOLDER_NONE;
    return holder.statReadable ? HOLDER_SHOWN : HOLDER_HIDDEN;
  }
}
