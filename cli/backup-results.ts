import type { NomadClient } from "../nomad/client";
import { type Items, readVariable } from "../nomad/variable";
import { type BackupJob, resultOf, SNAPSHOTS } from "./backup-jobs";

/** What one run says of one set. */
export interface SetResult {
  readonly name: string;
  readonly snapshot?: string;
  readonly files?: number;
  readonly bytes?: number;
  readonly rows?: number;
  /** Of a copy before an upgrade: its folder, such as `20261126T230000Z`. */
  readonly time?: string;
}

/** The last run that ended well. */
export interface Done {
  /** Milliseconds since 1970; NaN when it cannot be read. */
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
  const [done, failed] = await Promise.all(
    (["done", "failed"] as const).map(async (kind) => (await readVariable(client, resultOf(job, kind))).items),
  );
  const well = done && Object.keys(done).length > 0 ? doneOf(done) : undefined;
  const ill = failed && Object.keys(failed).length > 0 ? failedOf(failed) : undefined;
  return {
    ...(well && { done: well }),
    // In the same second the failure counts: better once too often.
    ...(ill && !(well && well.at > ill.at) && { failed: ill }),
  };
}

function doneOf({ at = "", seconds, sets = "", checks = "" }: Items): Done {
  return {
    at: Date.parse(at),
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
  };
}

function failedOf({ at = "", task = "an unknown task", message = "no reason is told" }: Items): Failed {
  return { at: Date.parse(at), task, message: message.trim() };
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
