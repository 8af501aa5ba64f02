import type { Nanoseconds } from "../.gen/nomad/job";

const UNITS = { s: 1, m: 60, h: 3600 } as const;

/** A length of time in whole seconds, written with its unit: `Duration.minutes(15)`. Nomad stores nanoseconds. */
export class Duration {
  static seconds(amount: number): Duration {
    return new Duration(amount);
  }

  static minutes(amount: number): Duration {
    return new Duration(amount * 60);
  }

  static hours(amount: number): Duration {
    return new Duration(amount * 3600);
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
    return new Duration(parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * UNITS[unit as "s"], 0));
  }

  /** Reads a duration back from a job, where it stands in nanoseconds; a fraction of a second is kept. */
  static fromNanoseconds(nanoseconds: number): Duration {
    return new Duration(nanoseconds / 1e9, { whole: false });
  }

  private constructor(
    private readonly amount: number,
    { whole } = { whole: true },
  ) {
    if (!Number.isFinite(amount) || amount < 0 || (whole && !Number.isInteger(amount))) {
      throw new Error(`a duration must be a whole number of seconds, zero or more, received ${amount} s`);
    }
  }

  toSeconds(): number {
    return this.amount;
  }

  /** The form Nomad's job JSON wants: an integer of nanoseconds. */
  toNanoseconds(): Nanoseconds {
    return Math.round(this.amount * 1e9) as Nanoseconds;
  }

  plus(other: Duration): Duration {
    return Duration.fromNanoseconds((this.amount + other.amount) * 1e9);
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
