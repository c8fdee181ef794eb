// The beats of the simulated daemon to itself (spec 12 section 9): put into its sockets like those
// of any other sender, and expected to leave no trace but their own count.
import { SELF_BEATS, SelfBeats } from "../../src/observer/self_beats.ts";
import { same } from "./failure.ts";
import type { World } from "./world.ts";

/** Above every pid of the simulation: taken for a beat of somebody, it would be refused. */
const PID = 0x7fff_fff0;
/** Of nobody else: no beat of an agent is taken for one that a daemon before it left. */
const OWN_UID = 0;
/** The same in every life: a draw would change all that comes after it. */
const SECRET = 0x5e1f_bea7;

/** One in so many is never received, as if a filter dropped it. */
const LOST_EVERY = 7;

export class SelfBeatWorld {
  readonly beats: SelfBeats;
  /** By listener: true time at which the one was sent that is under way, if one is. */
  readonly underWayNs = new Map<number, number>();
  readonly #world: World;
  #nextNs = 0;
  #sent = 0;
  #tries = 0;

  /** Each listener was sent one, if that was possible. */
  get wasSent(): boolean {
    return this.#tries > 0;
  }

  constructor(world: World) {
    this.#world = world;
    this.beats = new SelfBeats({
      pid: PID,
      uid: OWN_UID,
      random: () => SECRET,
      monotonicNs: () => world.trueNs,
    });
  }

  /** Sends what is due. */
  step(): void {
    const { trueNs, links, scenario, coverage } = this.#world;
    if (trueNs < this.#nextNs) return;
    this.#nextNs = trueNs + scenario.thresholdNs / 2;
    for (const [number, link] of links.entries()) {
      const frame = this.beats.begin(number);
      if (frame === undefined) continue;
      // The one before was given up.
      this.underWayNs.delete(number);
      this.#tries += 1;
      const isUnix = link.options.kind === "unix";
      const isLost = this.#tries % LOST_EVERY === 0;
      const isTaken =
        isLost ||
        link.send(
          {
            bytes: frame.slice(),
            controlTruncated: false,
            credentials: isUnix ? { pid: PID, uid: 0, gid: 0 } : undefined,
            selfBeatNs: trueNs,
          },
          trueNs,
          trueNs,
        );
      if (!isTaken) {
        this.beats.refused(number);
        continue;
      }
      this.#sent += 1;
      this.underWayNs.set(number, trueNs);
      if (isLost) coverage.count("selfBeatsLost");
      coverage.count("selfBeats");
    }
  }

  /** At the end of a life: at most one for each socket is neither round nor given up. */
  check(): void {
    const { ended } = SELF_BEATS;
    const { counters } = this.beats;
    const open = this.#sent - counters.get(ended.round) - counters.get(ended.lost);
    same(
      "self-beats under way fit the sockets",
      true,
      open >= 0 && open <= this.#world.links.length,
    );
  }
}
