/** Where something stands in a file; lines and columns count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Collects what is wrong, so that one run shows an owner everything there is to mend. */
export class Problems {
  private readonly found: { readonly place: Place; readonly text: string }[] = [];

  /** @param text what is wrong with the value received, a colon, and what to do; lower case, no final period. */
  add(place: Place, text: string): void {
    this.found.push({ place, text });
  }

  /**
   * Calls a parser and keeps what it throws as a problem at `place`.
   *
   * @returns the parser's value, or undefined where it threw.
   */
  attempt<T>(place: Place, label: string, parse: () => T): T | undefined {
    try {
      return parse();
    } catch (error) {
      this.add(place, `${label}: ${(error as Error).message}`);
      return undefined;
    }
  }

  /** @throws one error with a line per problem, in the order of the file, if there is any. */
  throwIfAny(): void {
    const { found } = this;
    if (found.length === 0) return;
    found.sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
    // A wrong value in a group is met once per host of it, and is still one mistake.
    const lines = new Set(found.map(({ place, text }) => `${place.file}:${place.line}:${place.column}: ${text}`));
    throw new Error([...lines].join("\n"));
  }
}
