import { stripVTControlCharacters } from "node:util";

/** Lines are no longer than this, unless a word is. */
export const WIDTH = 120;

/** Marks up a piece of text for a terminal, or leaves it as it is. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
}

export function styleFor(color: boolean): Style {
  const sgr = (on: number, off: number) => (text: string) => (color && text ? `\x1b[${on}m${text}\x1b[${off}m` : text);
  return { bold: sgr(1, 22), dim: sgr(2, 22), red: sgr(31, 39), green: sgr(32, 39), yellow: sgr(33, 39) };
}

export interface Column {
  readonly title?: string;
  /** Whether its lines end together, as numbers should. */
  readonly right?: boolean;
}

/** A cell of a table, line by line. */
export type Cell = readonly string[];

/** A table as lines: titles, then rows whose cells may have several lines. Every line is indented by two. */
export function table(columns: readonly Column[], rows: readonly (readonly Cell[])[], { dim }: Style): string[] {
  return align(columns, [columns.map(({ title }) => [dim(title ?? "")]), ...rows]).flat();
}

/** Rows brought into columns, each as the lines it takes. */
function align(columns: readonly Column[], rows: readonly (readonly Cell[])[]): string[][] {
  const widths = columns.map((_, at) => Math.max(...rows.flatMap((row) => (row[at] ?? []).map(length))));
  return rows.map((row) =>
    Array.from({ length: Math.max(...row.map((cell) => cell.length)) }, (_, line) => {
      const cells = columns.map(({ right }, at) => {
        const text = row[at]?.[line] ?? "";
        const space = " ".repeat(Math.max(0, (widths[at] ?? 0) - length(text)));
        return right ? space + text : text + space;
      });
      return `  ${cells.join("  ")}`.trimEnd();
    }),
  );
}

/** Rows under a heading. */
export interface Group {
  readonly heading: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** Groups one below the other, their rows in common columns. */
export function grouped(columns: readonly Column[], groups: readonly Group[]): string[] {
  const rows = groups.flatMap((group) => group.rows);
  const lines = new Map(align(columns, rows).map((line, at) => [rows[at], line]));
  return groups.flatMap((group) => [...group.heading, ...group.rows.flatMap((row) => lines.get(row) ?? [])]);
}

/** Breaks a text at spaces into lines of at most `width` characters; those after the first are indented. */
export function wrap(text: string, width: number, indent = ""): string[] {
  const lines: string[] = [];
  let line: string | undefined;
  for (const word of text.split(" ")) {
    if (line === undefined) {
      line = word;
    } else if (length(line) + 1 + length(word) <= width) {
      line += ` ${word}`;
    } else {
      lines.push(line);
      line = indent + word;
    }
  }
  return [...lines, line ?? ""];
}

/** Whole units, rounded down: 26 h are still 26 h one minute before 27. */
export function ageText(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 2 * 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 72 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / (24 * 3600))} d`;
}

function length(text: string): number {
  return stripVTControlCharacters(text).length;
}
