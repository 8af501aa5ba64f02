import { randomInt } from "node:crypto";
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

/** Known to this process alone, so that no text from outside can colour anything. */
const OURS = randomInt(2 ** 30, 2 ** 31);

export function styleFor(color: boolean): Style {
  const mark = (code: number) => `\x1b[${code};${OURS}m`;
  const sgr = (on: number, off: number) => (text: string) => (color && text ? mark(on) + text + mark(off) : text);
  return { bold: sgr(1, 22), dim: sgr(2, 22), red: sgr(31, 39), green: sgr(32, 39), yellow: sgr(33, 39) };
}

const MARK = new RegExp(`\x1b\\[(\\d{1,2});${OURS}m`, "g");

/** What moves the cursor, hides, reorders or colours text: control characters but tab and line feed, and bidi marks. */
const CONTROL =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a terminal
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** A line that the runner of a workflow would take for a command. */
const COMMAND = /^([ \t]*)(::|##\[)/gm;

/**
 * A text as it may be printed, whoever wrote parts of it: control characters are written out, such as `\\x1b`, and nothing
 * is a command to a workflow. Every output goes through here. Of {@link styleFor} the colours stay.
 */
export function printable(text: string): string {
  const parts = text.split(MARK);
  return parts
    .map((part, at) => (at % 2 === 1 ? `\x1b[${part}m` : part.replace(CONTROL, writtenOut)))
    .join("")
    .replace(COMMAND, (_, space: string, sign: string) => `${space}${sign.slice(0, 1)} ${sign.slice(1)}`);
}

/** The same of JSON, in which a control character is written as JSON has it. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(CONTROL, (sign) => `\\u${hex(sign, 4)}`);
}

function writtenOut(sign: string): string {
  return sign.charCodeAt(0) < 256 ? `\\x${hex(sign, 2)}` : `\\u${hex(sign, 4)}`;
}

function hex(sign: string, digits: number): string {
  return sign.charCodeAt(0).toString(16).padStart(digits, "0");
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
