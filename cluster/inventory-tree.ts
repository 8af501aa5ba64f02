import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  type LineCounter,
  type Pair,
  type ParsedNode,
  type Scalar,
} from "yaml";
import { didYouMean } from "./nearest";
import type { Place, Problems } from "./problems";

const GROUPS = ["nomad_servers", "nomad_clients"] as const;
const SECTIONS = ["vars", "hosts", "children"];

export type GroupName = (typeof GROUPS)[number];

/** A variable where it is written. */
export interface Setting {
  readonly name: string;
  /** Of the name. */
  readonly key: Place;
  /** Of the value. */
  readonly place: Place;
  /** As written, without quotes. */
  readonly text: string;
  /** Why the value cannot be taken literally, if so. */
  readonly fault?: string;
}

/** The variables in force somewhere, by name. */
export type Settings = ReadonlyMap<string, Setting>;

export interface Host {
  readonly name: string;
  readonly place: Place;
  readonly group: GroupName;
  /** Its own, over those of its groups from the inside out, over those of `all`. */
  readonly settings: Settings;
}

/** An inventory's structure, with its variables still unread. */
export interface Tree {
  readonly hosts: readonly Host[];
  /** What `all` gives to every host. */
  readonly all: Settings;
  /** Every variable as written, also those that another one overrides. */
  readonly written: readonly Setting[];
  /** Of `all`, or the start of the file without it. */
  readonly place: Place;
  /** Of the two groups, where they are. */
  readonly groups: ReadonlyMap<string, Place>;
}

interface Entry {
  readonly name: string;
  readonly place: Place;
  readonly value: ParsedNode | null;
}

/**
 * Reads groups, hosts and variables as Ansible's `yaml` inventory plugin does
 * (https://docs.ansible.com/ansible/latest/collections/ansible/builtin/yaml_inventory.html), but stricter: what Ansible
 * merges, expands or skips with a warning is a problem here, since a host or a figure could get lost that way.
 */
export class TreeReader {
  private readonly hosts: Host[] = [];
  private readonly written: Setting[] = [];
  private readonly groups = new Map<string, Place>();

  constructor(
    private readonly document: Document.Parsed,
    private readonly lines: LineCounter,
    private readonly file: string,
    private readonly problems: Problems,
  ) {}

  read(): Tree {
    const top = this.entries(this.document.contents, { file: this.file, line: 1, column: 1 }, "the inventory");
    const root = top.find(({ name }) => name === "all");
    const { vars, hosts, children } = this.sections(root);
    const all = this.settings(vars);
    for (const { name, place } of this.entriesOf(hosts)) {
      this.problems.add(place, `host "${name}" is in no group: move it to ${GROUPS.join(" or ")}`);
    }
    const groups = [...top.filter((entry) => entry !== root), ...this.entriesOf(children)];
    // In the order of the file, so that of two groups the second is the one too many.
    for (const group of groups.sort((a, b) => a.place.line - b.place.line)) this.group(group, all);
    const place = root?.place ?? { file: this.file, line: 1, column: 1 };
    return { hosts: this.hosts, all, written: this.written, place, groups: this.groups };
  }

  /** A group outside the two we know is refused; inside one of them any name will do. */
  private group(entry: Entry, inherited: Settings, parent?: GroupName): void {
    const role = parent ?? GROUPS.find((name) => name === entry.name);
    if (role === undefined) {
      const hint = didYouMean(entry.name, [...GROUPS, "all"]);
      this.problems.add(entry.place, `unknown group "${entry.name}": use ${GROUPS.join(" or ")}${hint}`);
      return;
    }
    const fault = this.groupFault(entry.name, role);
    if (fault) {
      this.problems.add(entry.place, fault);
      return;
    }
    this.groups.set(entry.name, entry.place);
    const { vars, hosts, children } = this.sections(entry);
    const settings = new Map([...inherited, ...this.settings(vars)]);
    for (const host of this.entriesOf(hosts)) this.host(host, role, settings);
    for (const child of this.entriesOf(children)) this.group(child, settings, role);
  }

  private groupFault(name: string, role: GroupName): string | undefined {
    if (name !== role && [...GROUPS, "all", "ungrouped"].includes(name)) {
      return `"${name}" is inside "${role}": move it out, or give the inner group a name of its own`;
    }
    const earlier = this.groups.get(name);
    if (!earlier) return undefined;
    return `group "${name}" is already in line ${earlier.line}, and Ansible would merge the two: write it once`;
  }

  private host(entry: Entry, group: GroupName, inherited: Settings): void {
    const { name, place } = entry;
    const settings = new Map([...inherited, ...this.settings(entry)]);
    const earlier = this.hosts.find((host) => host.name === name);
    if (earlier) {
      const text = `host "${name}" is already in ${earlier.group} (line ${earlier.place.line}): keep it in one group`;
      this.problems.add(place, text);
    } else if (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
      this.hosts.push({ name, place, group, settings });
    } else {
      const text = `host name "${name}" is no plain name: write each host by itself, a port of SSH as ansible_port`;
      this.problems.add(place, text);
    }
  }

  private sections(group: Entry | undefined): { vars?: Entry; hosts?: Entry; children?: Entry } {
    const entries = this.entriesOf(group);
    for (const { name, place } of entries.filter(({ name }) => !SECTIONS.includes(name))) {
      const text = `unknown key "${name}" in group "${group?.name}": use ${SECTIONS.join(", ")}${didYouMean(name, SECTIONS)}`;
      this.problems.add(place, text);
    }
    return Object.fromEntries(entries.map((entry) => [entry.name, entry]));
  }

  private settings(entry: Entry | undefined): Settings {
    const settings = this.entriesOf(entry).map((it) => this.setting(it));
    this.written.push(...settings);
    return new Map(settings.map((setting) => [setting.name, setting]));
  }

  private setting({ name, place: key, value }: Entry): Setting {
    if (!isScalar(value)) {
      const fault = "it is a list or a mapping: write one value";
      return { name, key, place: this.place(value, key), text: "", fault };
    }
    const text = value.source ?? "";
    return { name, key, place: text === "" ? key : this.place(value, key), text, fault: faultOf(value, text) };
  }

  private entriesOf(entry: Entry | undefined): Entry[] {
    return entry ? this.entries(entry.value, entry.place, `"${entry.name}"`) : [];
  }

  /** The pairs of a mapping; nothing at all is an empty one. */
  private entries(node: ParsedNode | null, owner: Place, label: string): Entry[] {
    if (node === null || (isScalar(node) && node.value === null)) return [];
    if (!isMap(node)) {
      const text = `${label} is not a mapping: write "name:" lines below it, without dashes`;
      this.problems.add(this.place(node, owner), text);
      return [];
    }
    const entries = new Map<string, Entry>();
    for (const { key, value } of node.items as Pair<ParsedNode, ParsedNode | null>[]) {
      const place = this.place(key, owner);
      const name = isScalar(key) && typeof key.value === "string" ? key.value : undefined;
      const earlier = name === undefined ? undefined : entries.get(name);
      if (name === undefined) {
        const text = `a key of ${label} is a YAML merge or not text: write each name out, quoted if it is a number`;
        this.problems.add(place, text);
      } else if (earlier) {
        const text = `"${name}" stands twice in ${label}, first in line ${earlier.place.line}, and only the last would count: keep one`;
        this.problems.add(place, text);
      } else {
        entries.set(name, { name, place, value: isAlias(value) ? this.resolve(value) : value });
      }
    }
    return [...entries.values()];
  }

  private resolve(alias: { resolve(document: Document): unknown }): ParsedNode | null {
    return (alias.resolve(this.document) as ParsedNode | undefined) ?? null;
  }

  private place(node: ParsedNode | null, otherwise: Place): Place {
    if (!node) return otherwise;
    const { line, col } = this.lines.linePos(node.range[0]);
    return { file: this.file, line, column: col };
  }
}

function faultOf({ tag, value }: Scalar, text: string): string | undefined {
  if (text === "") return "it is empty: write a value";
  if (tag?.startsWith("!")) return `it is tagged ${tag}: write it in clear, nothing here is secret`;
  if (/\{[{%]/.test(text)) return `"${text}" is a template, which only Ansible can fill in: write the value itself`;
  // YAML 1.1 takes 010 for eight, 1:30 for ninety and "no" for false, and so would Ansible's templates.
  const literal = typeof value === "string" || (typeof value === "number" && String(value) === text);
  if (!literal) return `"${text}" is ${value} to Ansible: write it plainly, or in quotes if it is text`;
  return undefined;
}
