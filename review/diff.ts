import type { Job } from "../.gen/nomad/job";
import { durationText, memoryText } from "../model/places";
import { withDefaults } from "../nomad/defaults";

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
  // An object that comes or goes is told by its fields, unless it is a member of a list.
  const isMember = path === "" || path.endsWith("]");
  const a = now !== undefined && old === undefined && isObject(now) && !isMember ? {} : before;
  const b = old !== undefined && now === undefined && isObject(old) && !isMember ? {} : after;
  if (!isTree(a) || !isTree(b)) return [path];
  const [from, to] = [membersOf(a, b), membersOf(b, a)];
  // What is a list of plain values is one field.
  if (!from || !to) return [path];
  return [...new Set([...from.keys(), ...to.keys()])].flatMap((key) =>
    differing(from.get(key), to.get(key), join(path, key, Array.isArray(a))),
  );
}

/** Members by what tells them apart: their key, the name that Nomad knows them by, or their place in the list. */
function membersOf(value: object, other: object): Map<string, unknown> | undefined {
  if (Array.isArray(value) !== Array.isArray(other)) return undefined;
  if (!Array.isArray(value)) return new Map(Object.entries(value));
  const lists = [value, other as unknown[]];
  if (lists.every(hasNames)) return new Map(value.map((member) => [nameOf(member) ?? "", member]));
  if (lists[0]?.length !== lists[1]?.length || !lists.flat().every(isTree)) return undefined;
  return new Map(value.map((member, index) => [`${index}`, member]));
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

function isObject(value: unknown): value is object {
  return isTree(value) && !Array.isArray(value);
}

function isTree(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** What tells the members of a list apart, by Nomad's names; a list whose members have none is compared as a whole. */
function nameOf(member: unknown): string | undefined {
  if (!isTree(member) || Array.isArray(member)) return undefined;
  const { Name, Label, DestPath, Destination, LTarget, Mode } = member as Record<string, unknown>;
  return [Name, Label, DestPath, Destination, LTarget, Mode].find((one) => typeof one === "string");
}

function hasNames(list: readonly unknown[]): boolean {
  const names = list.map(nameOf);
  return names.every(Boolean) && new Set(names).size === names.length;
}

/** Segments are kept apart by a character that stands in no name, so that a path leads back to its value. */
function join(path: string, key: string, inList: boolean): string {
  if (inList) return `${path}[${key}]`;
  return /^\w+$/.test(key) ? (path ? `${path}.${key}` : key) : `${path}[${key}]`;
}

const SEGMENT = /\[((?:[^[\]]|\[[^\]]*\])*)\]|([^.[\]]+)/g;

/** The value at a path that {@link differing} gave. */
export function at(tree: unknown, path: string): unknown {
  let value = tree;
  for (const [, bracketed, plain] of path.matchAll(SEGMENT)) {
    if (!isTree(value)) return undefined;
    const key = bracketed ?? plain ?? "";
    const named = Array.isArray(value) ? value.find((member) => nameOf(member) === key) : undefined;
    value = named ?? (value as Record<string, unknown>)[key];
  }
  return value;
}

const DURATIONS =
  /(?:^|\.)(?:KillTimeout|ShutdownDelay|LostAfter|StopAfterClientDisconnect|MaxClientDisconnect|Stagger|\w+Deadline|MinHealthyTime|Interval|Timeout|Delay|MaxDelay|Splay|Min|Max|Grace|MaxRunDuration|TTL)$/;

/** A value as its owner would write it. */
export function text(field: string, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number") return String(numberText(field, value));
  if (typeof value === "string") return value;
  return JSON.stringify(value, (key, member) => (typeof member === "number" ? numberText(key, member) : member));
}

function numberText(field: string, value: number): string | number {
  if (DURATIONS.test(field) && Math.abs(value) >= 1e6) return durationText(value);
  if (/(?:Memory|MemoryMax|Size|Secrets)MB$/.test(field)) return memoryText(value);
  return /(?:^|\.)CPU$/.test(field) ? `${value} MHz` : value;
}
