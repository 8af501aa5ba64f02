import { coloured, type Mood } from "../shared/mood";
import { ageText, type Cell, type Style, table, WIDTH, wrap } from "../shared/text";
import type { BackupView, SetView, TrialView } from "./model";
import type { Snapshot } from "./results";

/** The lines of a backup, as they stand below the heading, in `status` and in `backup status`. */
export function backupLines(view: BackupView, style: Style): string[] {
  const rows = view.sets.map((set): Cell[] => [
    [set.name],
    [set.age === undefined ? "never" : ageText(set.age)],
    [set.snapshot?.slice(0, 8) ?? ""],
    [set.bytes === undefined ? "" : sizeText(set.bytes)],
    [set.files === undefined ? "" : String(set.files)],
    [set.rows === undefined ? "" : String(set.rows)],
    wrap(set.problem ?? "well", 50).map((line) => coloured(style, set.mood, line)),
  ]);
  const columns = [
    { title: "BACKUP OF" },
    { title: "AGE", right: true },
    { title: "SNAPSHOT" },
    { title: "SIZE", right: true },
    { title: "FILES", right: true },
    { title: "ROWS", right: true },
    { title: "" },
  ];
  const own = view.problem ? wrap(`  ${view.problem}`, WIDTH, "    ") : [];
  const tone: Mood = view.mood === "bad" ? "bad" : "waiting";
  return [
    ...(rows.length > 0 ? table(columns, rows, style) : []),
    ...own.map((line) => coloured(style, tone, line)),
    ...trialLines("check of the repository", view.check, style),
    ...trialLines("drill", view.drill, style),
  ];
}

function trialLines(what: string, { age, mood, problem, checks }: TrialView, style: Style): string[] {
  const when = age === undefined ? `${what}: never` : `last good ${what}: ${ageText(age)} ago`;
  const told = checks.length > 0 ? ` (${checks.join("; ")})` : "";
  const lines = wrap(`  ${when}${told}${problem ? `; ${problem}` : ""}`, WIDTH, "    ");
  return lines.map((line) => coloured(style, mood, line));
}

/** The verdict of `backup status`, with its lines. */
export function backupText(stack: string, address: string, view: BackupView, style: Style): string {
  const verdict = {
    good: style.green("well"),
    waiting: style.yellow("not quite well"),
    bad: style.red("not to be relied on"),
  }[view.mood];
  return `${[`${style.bold(stack)} at ${address}: the backup is ${verdict}`, ...backupLines(view, style)].join("\n")}\n`;
}

export function snapshotsText(snapshots: readonly Snapshot[], style: Style): string {
  const rows = snapshots.map(({ id, at, set, bytes }): Cell[] => [
    [id],
    [at],
    [set],
    [bytes === undefined ? "" : sizeText(bytes)],
  ]);
  const columns = [{ title: "SNAPSHOT" }, { title: "MADE AT" }, { title: "SET" }, { title: "SIZE", right: true }];
  return `${table(columns, rows, style).join("\n")}\n`;
}

function sizeText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes === 0 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

/** One line for a set, as a run tells of it. */
export function setLine({ name, snapshot, bytes, files, rows }: SetView | Omit<SetView, "mood">): string {
  const facts = [
    snapshot && `snapshot ${snapshot.slice(0, 8)}`,
    bytes !== undefined && sizeText(bytes),
    files !== undefined && `${files} files`,
    rows !== undefined && `${rows} rows`,
  ].filter(Boolean);
  return `  ${name}: ${facts.join(", ")}`;
}
