// Times of day: local with the zone in the first line, and with the date only where they are a day
// or more away. Views carry RFC 3339 in UTC.

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

export interface Zone {
  /** "CET" */
  nameAt(ms: number): string;
  /** East of Greenwich. */
  offsetMinutesAt(ms: number): number;
}

export const UTC: Zone = { nameAt: () => "UTC", offsetMinutesAt: () => 0 };

// Each of them knows the short names of its own part of the world.
const LOCALES = ["en-US", "en-GB", "en-AU", "en-IN"] as const;

/** That of this machine, or of the process's TZ. */
export const LOCAL: Zone = {
  offsetMinutesAt: (ms) => -new Date(ms).getTimezoneOffset(),
  nameAt(ms) {
    for (const locale of LOCALES) {
      const parts = new Intl.DateTimeFormat(locale, { timeZoneName: "short" }).formatToParts(ms);
      const name = parts.find(({ type }) => type === "timeZoneName")?.value ?? "";
      if (/^[A-Z]{2,5}$/.test(name) && name !== "GMT") return name;
    }
    return offsetName(LOCAL.offsetMinutesAt(ms));
  },
};

function offsetName(minutes: number): string {
  const size = Math.abs(minutes);
  const rest = size % 60 === 0 ? "" : `:${String(size % 60).padStart(2, "0")}`;
  return `UTC${minutes < 0 ? "-" : "+"}${Math.floor(size / 60)}${rest}`;
}

export class Times {
  readonly #zone: Zone;
  readonly nowMs: number;

  constructor(now: string, zone: Zone) {
    this.#zone = zone;
    this.nowMs = Date.parse(now);
  }

  /** "03:12:46 CET" */
  now(): string {
    return `${this.#clock(this.nowMs, 8)} ${this.#zone.nameAt(this.nowMs)}`;
  }

  /** "03:12:46" */
  at(time: string): string {
    return this.#dated(Date.parse(time), 8);
  }

  /** "03:12:46.301", where order matters. */
  exactly(time: string): string {
    return this.#dated(Date.parse(time), 12);
  }

  /** "03:12" */
  minute(time: string): string {
    return this.#dated(Date.parse(time), 5);
  }

  /** Since then; negative = it is to come. */
  sinceMs(time: string): number {
    return this.nowMs - Date.parse(time);
  }

  #dated(ms: number, characters: number): string {
    // A daemon of another version may say a time that this one cannot read.
    if (Number.isNaN(ms)) return "-";
    const clock = this.#clock(ms, characters);
    const isNear = Math.abs(this.nowMs - ms) < DAY_MS;
    return isNear ? clock : `${this.#iso(ms).slice(0, 10)} ${clock}`;
  }

  #clock(ms: number, characters: number): string {
    return this.#iso(ms).slice(11, 11 + characters);
  }

  #iso(ms: number): string {
    return new Date(ms + this.#zone.offsetMinutesAt(ms) * MINUTE_MS).toISOString();
  }
}
