import type { Nanoseconds } from "../.gen/nomad/job";

const UNITS = { s: 1, m: 60, h: 3600 } as const;

/** A length of time, written with its unit: `Duration.minutes(15)`. Nomad stores nanoseconds. */
export class Duration {
  /** @throws when the amount is not a whole number, zero or more; so of all units. */
  static milliseconds(amount: number): Duration {
    return new Duration(whole(amount, "milliseconds") / 1000);
  }

  static seconds(amount: number): Duration {
    return new Duration(whole(amount, "seconds"));
  }

  static minutes(amount: number): Duration {
    return new Duration(whole(amount * 60, "seconds"));
  }

  static hours(amount: number): Duration {
    return new Duration(whole(amount * 3600, "seconds"));
  }

  static days(amount: number): Duration {
    return new Duration(whole(amount * 24 * 3600, "seconds"));
  }

  /**
   * Reads Nomad's notation for whole seconds, minutes and hours: `15m`, `90s`, `1h30m`.
   *
   * @throws when a unit is missing or unknown.
   */
  static parse(text: string): Duration {
    const parts = [...text.matchAll(/(\d+)([smh])/g)];
    if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) {
      throw new Error(`"${text}" is not a duration: write a whole number with its unit, such as 15m, 90s or 1h30m`);
    }
    return Duration.seconds(parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * UNITS[unit as "s"], 0));
  }

  /**
   * Reads a duration back from a job, where it stands in nanoseconds; a fraction of a second is kept.
   *
   * @throws when it is negative or not finite.
   */
  static fromNanoseconds(nanoseconds: number): Duration {
    return new Duration(nanoseconds / 1e9);
  }

  /** From one moment to a later one, both in milliseconds since 1970; zero when the first is the later one. */
  static between(from: number, to: number): Duration {
    return Duration.milliseconds(Math.max(0, Math.round(to - from)));
  }

  /** The longest; zero of none. */
  static longest(durations: readonly Duration[]): Duration {
    return durations.reduce((longest, one) => (one.isLongerThan(longest) ? one : longest), Duration.seconds(0));
  }

  /** @param amount seconds. */
  private constructor(private readonly amount: number) {
    if (!Number.isFinite(amount) || amount < 0)
      throw new Error(`a duration must be zero or more, received ${amount} s`);
  }

  toSeconds(): number {
    return this.amount;
  }

  /** As timers and clocks of JavaScript have it. */
  toMilliseconds(): number {
    return this.amount * 1000;
  }

  /** The form Nomad's job JSON wants: an integer of nanoseconds. */
  toNanoseconds(): Nanoseconds {
    return Math.round(this.amount * 1e9) as Nanoseconds;
  }

  plus(other: Duration): Duration {
    return new Duration(this.amount + other.amount);
  }

  isLongerThan(other: Duration): boolean {
    return this.amount > other.amount;
  }

  isShorterThan(other: Duration): boolean {
    return this.amount < other.amount;
  }

  /** Nomad's notation, shortest form: `15m`, `1h30m`, `90s` becomes `1m30s`; a fraction of a second to the nanosecond. */
  toString(): string {
    const nanoseconds = this.toNanoseconds();
    const whole = Math.floor(nanoseconds / 1e9);
    const fraction = String(nanoseconds % 1e9).padStart(9, "0");
    const hours = Math.floor(whole / 3600);
    const minutes = Math.floor((whole % 3600) / 60);
    const seconds = Number(fraction) === 0 ? whole % 60 : `${whole % 60}.${fraction.replace(/0+$/, "")}`;
    return `${hours ? `${hours}h` : ""}${minutes ? `${minutes}m` : ""}${seconds ? `${seconds}s` : ""}` || "0s";
  }
}

function whole(amount: number, unit: string): number {
  if (Number.isInteger(amount) && amount >= 0) return amount;
  throw new Error(
    `a duration must be a whole number of ${unit}, zero or more, received ${amount} ${unit}: use a smaller unit`,
  );
}
