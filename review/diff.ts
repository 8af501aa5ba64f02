import type { Job } from "../.gen/nomad/job";
import { durationText, memoryText } from "../rules/anatomy";
import { withDefaults } from "./jobs";

/** One field in which two versions of a job, or of a resource, differ. */
export interface FieldChange {
  /** `TaskGroups[bitcoin].Tasks[bitcoind].Resources.MemoryMB` */
  readonly field: string;
  /** In human units; absent when it was not set. */
  readonly old?: string;
  /** Absent when it is not set any more. */
  readonly new?: string;
}

/** Paths of all that differs between two jobs, in order. What Nomad fills in itself does not. */
export function changedPaths(before: Job, after: Job): string[] {
  return differing(withDefaults(before), withDefaults(after), "");
}

/** The fields at these paths, of two jobs from which secrets are taken out. */
export function fieldsOf(paths: readonly string[], before: Job, after: Job): FieldChange[] {
  const [from, to] = [withDefaults(before), withDefaults(after)];
  return paths.map((field) => {
    const [old, now] = [at(from, field), at(to, field)].map((value) => text(field, value));
    return { field, ...(old !== undefined && { old }), ...(now !== undefined && { new: now }) };
  });
}

/** Paths in which two plain values differ; an empty one counts as none. */
export function differing(before: unknown, after: unknown, path: string): string[] {
  const [old, now] = [bare(before), bare(after)];
  if (JSON.stringify(old) === JSON.stringify(now)) return [];
  if (isTree(old) && isTree(now) && Array.isArray(before) === Array.isArray(after)) {
    const [a, b] = [children(old), children(now)];
    // What is a list of plain values is one field; what is there on one side alone is one as well.
    if (!Array.isArray(before) || (hasNames(before) && hasNames(after as unknown[]))) {
      return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((key) =>
        differing(a[key], b[key], join(path, key, Array.isArray(before))),
      );
    }
  }
  return [path];
}

function bare(value: unknown): unknown {
  if (value === null || value === undefined || value === "") return undefined;
  if (typeof value !== "object") return value;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value;
  const members = Object.entries(value)
    .map(([key, member]) => [key, bare(member)] as const)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return members.length === 0 ? undefined : Object.fromEntries(members);
}

function isTree(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** What tells the members of a list apart, by Nomad's names; a list whose members have none is compared as a whole. */
function nameOf(member: unknown): string | undefined {
  if (!isTree(member) || Array.isArray(member)) return undefined;
  const { Name, Label, DestPath, Destination, LTarget, Mode } = member as Record<string, string | undefined>;
  return Name ?? Label ?? DestPath ?? Destination ?? LTarget ?? Mode;
}

function hasNames(list: readonly unknown[]): boolean {
  const names = list.map(nameOf);
  return names.every(Boolean) && new Set(names).size === names.length;
}

function children(value: object): Record<string, unknown> {
  return Array.isArray(value)
    ? Object.fromEntries(value.map((member, index) => [nameOf(member) ?? index, member]))
    : (value as Record<string, unknown>);
}

/** Segments are kept apart by a character that stands in no name, so that a path leads back to its value. */
function join(path: string, key: string, inList: boolean): string {
  if (inList) return `${path}[${key}]`;
  return /^\w+$/.test(key) ? (path ? `${path}.${key}` : key) : `${path}[${key}]`;
}

const SEGMENT = /\[((?:[^[\]]|\[[^\]]*\])*)\]|([^.[\]]+)/g;

function at(tree: unknown, path: string): unknown {
  let value = tree;
  for (const [, bracketed, plain] of path.matchAll(SEGMENT)) {
    if (!isTree(value)) return undefined;
    value = children(value)[bracketed ?? plain ?? ""];
  }
  return value;
}

const DURATIONS =
  /(?:^|\.)(?:KillTimeout|ShutdownDelay|LostAfter|StopAfterClientDisconnect|MaxClientDisconnect|Stagger|\w+Deadline|MinHealthyTime|Interval|Timeout|Delay|MaxDelay|Splay|Min|Max|Grace|MaxRunDuration|TTL)$/;

/** A value as its owner would write it. */
export function text(field: string, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number") {
    if (DURATIONS.test(field) && Math.abs(value) >= 1e6) return durationText(value);
    if (/MemoryM(?:ax)?MB$|MemoryMaxMB$|SizeMB$|SecretsMB$/.test(field)) return memoryText(value);
    if (/\.CPU$/.test(field)) return `${value} MHz`;
    return String(value);
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}
