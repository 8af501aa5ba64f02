/** An amount of memory in whole MiB, Nomad's own unit: `Memory.gibibytes(4)` is 4096 MiB. */
export class Memory {
  static mebibytes(amount: number): Memory {
    return new Memory(amount);
  }

  static gibibytes(amount: number): Memory {
    return new Memory(amount * 1024);
  }

  /**
   * Reads `8GiB` or `768MiB`.
   *
   * @throws when the unit is missing or is not MiB or GiB (decimal GB would be 7 % less).
   */
  static parse(text: string): Memory {
    const match = /^(\d+(?:\.\d+)?) ?(MiB|GiB)$/.exec(text);
    if (!match) {
      throw new Error(`"${text}" is not an amount of memory: write a number with its unit, such as 768MiB or 8GiB`);
    }
    return new Memory(Number(match[1]) * (match[2] === "GiB" ? 1024 : 1));
  }

  private constructor(private readonly amount: number) {
    if (!Number.isInteger(amount) || amount < 0) {
      throw new Error(
        `memory must be a whole number of MiB, zero or more, received ${amount} MiB: write it in MiB, such as Memory.mebibytes(1536)`,
      );
    }
  }

  toMebibytes(): number {
    return this.amount;
  }

  plus(other: Memory): Memory {
    return new Memory(this.amount + other.amount);
  }

  /** @throws when the other amount is larger. */
  minus(other: Memory): Memory {
    return new Memory(this.amount - other.amount);
  }

  isMoreThan(other: Memory): boolean {
    return this.amount > other.amount;
  }

  isLessThan(other: Memory): boolean {
    return this.amount < other.amount;
  }

  /** `4 GiB` where the amount is whole gibibytes, otherwise `768 MiB`. */
  toString(): string {
    return this.amount >= 1024 && this.amount % 1024 === 0 ? `${this.amount / 1024} GiB` : `${this.amount} MiB`;
  }
}
