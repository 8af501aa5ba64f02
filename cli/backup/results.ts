import { type BackupJob, resultOf, SNAPSHOTS, setResultOf } from "../../model/backup-jobs";
import type { NomadClient } from "../../nomad/client";
import { type Items, readVariable, type Variable } from "../../nomad/variable";

/** What one run says of one set. */
export interface SetResult {
  readonly name: string;
  readonly snapshot?: string;
  readonly files?: number;
  readonly bytes?: number;
  readonly rows?: number;
  /** Static channel backups among the files. */
  readonly channels?: number;
  /** Files that were left out because they are not whole. */
  readonly incomplete?: number;
  /** Of a copy before an upgrade: its folder, such as `20261126T230000Z`. */
  readonly time?: string;
}

/** What the last run says of a set in which that one was well, whatever became of the others. */
export interface SetDone extends SetResult {
  /** As that of {@link Done}. */
  readonly at: number;
}

/** The last run that ended well. */
export interface Done {
  /**
   * When it told so: milliseconds since 1970 by the clock of Nomad's server. That of the client that ran it may be wrong
   * by days, since a Raspberry Pi has none of its own while it is off.
   */
  readonly at: number;
  readonly seconds?: number;
  readonly sets: readonly SetResult[];
  /** Lines of a drill: what was compared, and how much of it. */
  readonly checks: readonly string[];
}

/** The last run that failed. */
export interface Failed {
  readonly at: number;
  readonly task: string;
  readonly message: string;
}

export interface Results {
  readonly done?: Done;
  /** Absent when it failed never, or has ended well since. */
  readonly failed?: Failed;
}

/** A snapshot of a set in the repository. */
export interface Snapshot {
  readonly id: string;
  /** ISO 8601 in UTC. */
  readonly at: string;
  readonly set: string;
  readonly bytes?: number;
}

/** What a job of the backup last told. @throws NomadError with status 403 when the token may not read it. */
export async function resultsOf(client: NomadClient, job: BackupJob): Promise<Results> {
  const [done, failed] = await Promise.all([
    readVariable(client, resultOf(job, "done")),
    readVariable(client, resultOf(job, "failed")),
  ]);
  return {
    ...(isThere(done) && { done: doneOf(done) }),
    // Whichever was written last, by Nomad's own count: the clocks of two clients differ.
    ...(isThere(failed) && failed.modifyIndex > done.modifyIndex && { failed: failedOf(failed) }),
  };
}

/** What was last told of each of these sets, of those that were ever well. */
export async function setsOf(client: NomadClient, names: readonly string[]): Promise<readonly SetDone[]> {
  const told = await Promise.all(names.map((name) => readVariable(client, setResultOf(name))));
  return told.filter(isThere).map(({ modifyTime, items: { set = "" } }) => ({ ...setOf(set), at: modifyTime }));
}

function isThere({ items }: Variable): boolean {
  return Object.keys(items).length > 0;
}

function doneOf({ modifyTime, items: { seconds, sets = "", checks = "" } }: Variable): Done {
  return {
    at: modifyTime,
    ...(seconds !== undefined && { seconds: Number(seconds) }),
    sets: lines(sets).map(setOf),
    checks: lines(checks),
  };
}

/** `albyhub snapshot=ab12cd34 files=12 bytes=3456 rows=789` */
function setOf(line: string): SetResult {
  const [name = "", ...words] = line.split(/\s+/);
  const values = Object.fromEntries(words.map((word) => word.split("=", 2) as [string, string]));
  const number = (key: string) => (/^\d+$/.test(values[key] ?? "") ? { [key]: Number(values[key]) } : {});
  return {
    name,
    ...(values.snapshot && { snapshot: values.snapshot }),
    ...(/^\d{8}T\d{6}Z$/.test(values.time ?? "") && { time: values.time }),
    ...number("files"),
    ...number("bytes"),
    ...number("rows"),
    ...number("channels"),
    ...number("incomplete"),
  };
}

function failedOf({ modifyTime, items }: Variable): Failed {
  const { task = "an unknown task", message = "no reason is told" }: Items = items;
  return { at: modifyTime, task, message: message.trim() };
}

/** The snapshots of every set, the newest first. */
export async function snapshotsOf(client: NomadClient): Promise<readonly Snapshot[]> {
  const { items } = await readVariable(client, SNAPSHOTS);
  return lines(items.list ?? "").flatMap((line) => {
    const [id, at, set, bytes] = line.split(/\s+/);
    if (!id || !at || !set) return [];
    return [{ id, at, set, ...(/^\d+$/.test(bytes ?? "") && { bytes: Number(bytes) }) }];
  });
}

function lines(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
}
