import type { Task, Template } from "../../.gen/nomad/job";
import { type SecretRecord, tasksOf } from "../../model/homelab";
import { readsIdentity } from "../../model/identity";
import { Secret, type SecretPath } from "../../nomad/template";
import { actionsIn } from "../../nomad/template-calls";
import type { Synthesized } from "./synthesized";

/** One key of one Nomad variable that tasks read. */
export interface Need extends Omit<SecretRecord, "readBy"> {
  /** `job/group/task` of every reader. */
  readonly readBy: readonly string[];
  /** Whether a construct declared it; of any other key only the name is known, so its owner has the value. */
  readonly declared: boolean;
}

export interface Needs {
  readonly needs: readonly Need[];
  /** What cannot be told from the templates. */
  readonly notes: readonly string[];
}

/** A key as a template reads it; the path may name a namespace: `path@namespace`. */
interface Read {
  readonly path: string;
  readonly key: string;
}

/**
 * Which secrets a stack reads: what its constructs declare, and what templates ask for that no construct made. The
 * homelab's identity is none, and no task waits for it.
 */
export function needsOf({ homelab }: Pick<Synthesized, "homelab">): Needs {
  const needs = new Map<string, Need>();
  const notes = new Set<string>();
  const add = ({ readBy, ...need }: SecretRecord, declared: boolean) => {
    const id = [need.namespace, need.path, need.key].join("\n");
    const known = needs.get(id);
    const readers = new Set([...(known?.readBy ?? []), readBy]);
    needs.set(id, { ...need, declared, ...known, readBy: [...readers] });
  };
  for (const secret of homelab.secrets) add(secret, true);
  for (const { job, group, task } of tasksOf(homelab)) {
    const readBy = `${job.ID}/${group.Name}/${task.Name}`;
    const declared = homelab.secrets.filter((secret) => secret.readBy === readBy && secret.namespace === job.Namespace);
    const templates = (task.Templates ?? [])
      .filter((one) => !readsOnly(one, declared) && !readsIdentity(job, one))
      .map(readsOf);
    for (const { path: written, key } of [...templates.flatMap(({ reads }) => reads), ...secretBlocks(task)]) {
      const [path = "", place = job.Namespace] = written.replace(/^\/+|\/+$/g, "").split("@");
      const namespace = place.split(".")[0] ?? place;
      add({ namespace, path, key, readBy, source: "owner", description: "no construct declares it" }, false);
    }
    if (templates.some(({ unknown }) => unknown)) {
      notes.add(
        `${readBy} reads a Nomad variable whose path or keys its template does not name: look after it yourself`,
      );
    }
  }
  return { needs: [...needs.values()].filter((need) => need.declared || !isSuccessor(need, needs)), notes: [...notes] };
}

/**
 * Nomad's words for variables that a task waits for, with the keys that it reads there: Nomad names the path alone.
 *
 * @param text such as `Missing: nomad.var.block(nomad/jobs/electrs/electrs/electrs@bitcoin.global)`.
 */
export function nameSecrets(text: string, needs: readonly Need[]): string {
  return text.replace(/Missing: (?:nomad\.var\.block\([^)]*\)(?:, )?)+/g, (missing) => {
    const told = [...missing.matchAll(/\(([^@)]+)@([^.)]+)[^)]*\)/g)].map(([, path = "", namespace = ""]) => {
      const keys = needs.filter((need) => need.path === path && need.namespace === namespace).map(({ key }) => key);
      return `${path}${keys.length > 0 ? ` with ${keys.join(", ")}` : ""}`;
    });
    return `it waits for the Nomad variable ${told.join(" and ")}, which is not there: run homelab secrets init`;
  });
}

/** Whether a template reads nothing but what a construct has declared, and so rendered itself. */
function readsOnly({ EmbeddedTmpl = "" }: Template, declared: readonly SecretRecord[]): boolean {
  const secrets = declared.map(({ path, key }) => new Secret(path as SecretPath, key));
  const calls = secrets.flatMap((secret) => [secret.call, secret.next.call]);
  return !calls.reduce((text, call) => text.replaceAll(call, ""), EmbeddedTmpl).includes("nomadVar");
}

/** `<key>_next` beside `<key>` is there only while a password is changed. */
function isSuccessor({ namespace, path, key }: Need, needs: ReadonlyMap<string, Need>): boolean {
  return key.endsWith("_next") && needs.has([namespace, path, key.slice(0, -"_next".length)].join("\n"));
}

const STRING = /"(?:\\.|[^"\\])*"|`[^`]*`/g;
const NOMAD_VAR = new RegExp(`\\(\\s*nomadVar\\s+(${STRING.source})\\s*\\)|\\bnomadVar\\s+(${STRING.source})`, "g");
/** A variable of the template, or the dot. */
const VALUE = "\\$[\\w@]*|\\.(?=\\s|$)";
const INDEX = new RegExp(`\\bindex\\s+(${VALUE})\\s+(${STRING.source})`, "g");

/** What a map of items offers beside its keys; with them, all keys are read. */
const METHODS = new Set(["Keys", "Values", "Tuples", "Metadata", "Parent"]);

/**
 * The keys that a template reads: `index (nomadVar "p") "k"`, `(nomadVar "p").k`, and `.k`, `$v.k`, `index . "k"` where
 * dot or variable is `nomadVar "p"`.
 *
 * @see https://developer.hashicorp.com/nomad/docs/job-specification/template#nomad-variables
 */
function readsOf(template: Template): { reads: readonly Read[]; unknown: boolean } {
  const reads: Read[] = [];
  /** Which variable's items a name of the template stands for. */
  const paths = new Map<string, string>();
  /** What the dot stands for, in each block that is open; what it stood for around it. */
  const dots: (string | undefined)[] = [undefined];
  const known = new Set<string>();
  let unknown = false;

  const pathOf = (value: string) => (value === "." ? dots.at(-1) : paths.get(value));
  const read = (path: string | undefined, key: string) => {
    if (path === undefined || METHODS.has(key)) return;
    known.add(path);
    reads.push({ path, key });
  };

  for (const { code: text } of actionsIn(template.EmbeddedTmpl ?? "", template)) {
    if (text.trimStart().startsWith("/*")) continue;
    // Every call becomes a name, so that `(nomadVar "p").k` and `$v.k` are one case.
    const action = text.trim().replace(NOMAD_VAR, (_, bracketed?: string, plain?: string) => {
      const path = (bracketed ?? plain ?? "").slice(1, -1);
      const name = `$@${paths.size}`;
      paths.set(name, path);
      return name;
    });
    if (/\bnomadVar\b/.test(action.replace(STRING, ""))) unknown = true;
    for (const [, value = "", key = ""] of action.matchAll(INDEX)) read(pathOf(value), key.slice(1, -1));
    const plain = action.replace(STRING, '""');
    for (const [, name = "", key = ""] of plain.matchAll(/(\$[\w@]+)\.(\w+)/g)) read(paths.get(name), key);

    const [, word = "", rest = ""] =
      /^(?:(else with|else if|else|end|with|range|if|block|define)\b)?\s*(.*)$/s.exec(plain) ?? [];
    const [, name, value] = /^(?:(\$\w+)\s*:?=\s*)?(\S+)$/.exec(rest.trim()) ?? [];
    const bound = value === undefined ? undefined : pathOf(value);
    if (name && bound !== undefined) paths.set(name, bound);
    if (word === "end" || word.startsWith("else")) dots.pop();
    for (const [, key = ""] of plain.matchAll(/(?<![\w)$.@])\.([A-Za-z_]\w*)/g)) read(dots.at(-1), key);
    if (word.endsWith("with")) dots.push(bound);
    else if (word.endsWith("if") || word === "else") dots.push(dots.at(-1));
    else if (word !== "" && word !== "end") dots.push(undefined);
  }
  return { reads, unknown: unknown || [...paths.values()].some((path) => !known.has(path)) };
}

/** `secret` blocks of a task with Nomad as their provider, whose keys are interpolated as `${secret.<name>.<key>}`. */
function secretBlocks(task: Task): Read[] {
  const text = JSON.stringify(task);
  return (task.Secrets ?? [])
    .filter(({ Provider }) => Provider === "nomad")
    .flatMap(({ Name, Path }) =>
      [...text.matchAll(/\$\{secret\.([\w-]+)\.([\w-]+)\}/g)]
        .filter(([, name]) => name === Name)
        .map(([, , key = ""]) => ({ path: Path, key })),
    );
}
