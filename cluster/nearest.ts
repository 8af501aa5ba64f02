const MAX_EDITS = 2;

/**
 * The known name that `name` was probably meant to be, or undefined when none is near: up to two letters wrong, or
 * the right words in another order or with one left out (`nomad_kill_timeout` for `nomad_max_kill_timeout`).
 */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const text = name.toLowerCase().replaceAll("-", "_");
  const words = text.split("_");
  const [best] = known
    .filter((candidate) => candidate !== name)
    .map((candidate) => ({ candidate, hasWords: words.length > 1 && within(words, candidate.split("_")) }))
    // The distance is at least the difference in length.
    .filter(({ candidate, hasWords }) => hasWords || Math.abs(candidate.length - text.length) <= MAX_EDITS)
    .map((one) => ({ ...one, edits: edits(text, one.candidate) }))
    .filter(({ hasWords, edits }) => hasWords || edits <= MAX_EDITS)
    .sort((a, b) => a.edits - b.edits);
  return best?.candidate;
}

/** `; did you mean "…"`, or nothing: to be put at the end of a message. */
export function didYouMean(name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  return meant === undefined ? "" : `; did you mean "${meant}"`;
}

function within(words: readonly string[], all: readonly string[]): boolean {
  return words.every((word) => all.includes(word));
}

/** Levenshtein's distance: how many letters to insert, drop or replace. */
function edits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [index, letter] of [...from].entries()) {
    const next = [index + 1];
    for (const [column, other] of [...to].entries()) {
      const replaced = (row[column] as number) + (letter === other ? 0 : 1);
      next.push(Math.min(replaced, (row[column + 1] as number) + 1, (next[column] as number) + 1));
    }
    row = next;
  }
  return row[to.length] as number;
}
