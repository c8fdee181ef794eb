// What recovery asks of the simulated system about the process that has a pid, and about its unit.
import {
  BlindAgentHost,
  HOLDER_HIDDEN,
  HOLDER_NONE,
  HOLDER_SHOWN,
} from "../../src/recovery/agent_host.ts";
import type { AgentUnit } from "../../src/processes/unit_of_process.ts";
import type { ProcessTable } from "./process_table.ts";
import { unitOf } from "./units.ts";

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

  override unitOf(pid?: number, generation?: number): AgentUnit | string {
    const holder = this.#processes.find(pid!);
    if (holder === undefined || !holder.statReadable || holder.startTime !== generation)
      return "it is gone";
    const name = unitOf(holder);
    return name === undefined ? "it runs in no service" : { name, cgroup: `/${name}` };
  }
}
