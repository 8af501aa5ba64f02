import type { Job, Template } from "../.gen/nomad/job";
import { known } from "../model/values";
import { replaceActions } from "../nomad/template-calls";
import { textsOf } from "../rules/no-secret-in-job";
import { isPlainlyHarmless } from "../rules/shared/harmless";
import { literalSecrets } from "../rules/shared/literal-secrets";
import { isSecretName } from "../rules/shared/secret-names";

/** Stands for a text of a job in which something looks like a secret. */
export const HIDDEN = "(hidden: looks like a secret)";

/** Stands for the value of a variable that may be anything. */
export const NOT_SHOWN = "(hidden: may be a secret)";

/** What looks like a secret in a job: its place, and its kind, never itself. Long to find, so it is kept. */
export function secretsOf(job: Job): readonly (readonly [place: string, what: string])[] {
  const before = SECRETS.get(job);
  if (before) return before;
  const found = textsOf(job).flatMap(({ place, name, text, kind }) =>
    literalSecrets(name, text, kind).map((what) => [place, what] as const),
  );
  SECRETS.set(job, found);
  return found;
}

const SECRETS = new WeakMap<Job, ReturnType<typeof secretsOf>>();

/**
 * The same job, with every text in which something looks like a secret replaced by {@link HIDDEN}, and every value of an
 * environment variable that is not plainly harmless by {@link NOT_SHOWN}.
 */
export function withoutSecrets(job: Job): Job {
  const places = new Set(secretsOf(job).map(([place]) => place));
  return hide(job, "", places) as Job;
}

function hide(value: unknown, place: string, places: ReadonlySet<string>): unknown {
  if (typeof value === "string") return places.has(place) ? HIDDEN : isVariable(place) ? shownVariable(value) : value;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    return value.map((member, at) => hide(member, `${place}[${member?.Name ?? member?.DestPath ?? at}]`, places));
  }
  const { Envvars, EmbeddedTmpl } = value as Template;
  const members = Object.entries(value).map(([key, member]) => [
    key,
    hide(member, place ? `${place}.${key}` : key, places),
  ]);
  const hidden = Object.fromEntries(members);
  // A template of variables has one in each line.
  return Envvars === true && hidden.EmbeddedTmpl === EmbeddedTmpl && EmbeddedTmpl
    ? {
        ...hidden,
        EmbeddedTmpl: EmbeddedTmpl.split("\n")
          .map((line) => shownLine(line, value as Template))
          .join("\n"),
      }
    : hidden;
}

/** `TaskGroups[x].Tasks[y].Env.NAME`, or as Nomad's own diff has it, `…Env[NAME]`. */
function isVariable(place: string): boolean {
  return /\.Tasks\[.*\]\.Env(?:\.|\[)/.test(place);
}

function shownVariable(value: string): string {
  return isPlainlyHarmless(value) ? value : NOT_SHOWN;
}

function shownLine(line: string, delimiters: Template): string {
  const [, start = "", value = ""] =
    /^(\s{0,20}(?:export\s{1,9})?[A-Za-z_]\w{0,80}\s{0,9}=\s{0,9})(.*)$/.exec(line) ?? [];
  if (start === "") return line;
  // What is filled in may stand in a name or a URL; what is written out in it, or beside it, is the owner's.
  const filled = replaceActions(value, delimiters, (code) => (/^\s*["`]/.test(code) ? "?" : "host"));
  return isPlainlyHarmless(filled.replace(/^(["'])(.*)\1$/, "$2").replace(/^(?:host)+$/, ""))
    ? line
    : start + NOT_SHOWN;
}

/** A field of a job as it may be shown, wherever it was read: from a plan, or from Nomad's own comparison. */
export function shownField<T extends { readonly field: string }>(change: T): T {
  const shown = Object.entries(change).map(([key, value]) => [
    key,
    key === "field" || known(value) === undefined ? value : shownValue(change.field, value),
  ]);
  return Object.fromEntries(shown) as T;
}

function shownValue(field: string, value: string): string {
  const [, bracketed, plain = ""] = /(?:\[([^[\]]*)\]|\.?([^.[\]]*))$/.exec(field) ?? [];
  const name = bracketed ?? plain;
  const isTemplate = /\bTemplates?\b.*EmbeddedTmpl$/.test(field);
  const kind = {
    shell: isTemplate || /\bConfig\b/.test(field),
    free: /\b(?:Env|Meta|Config|Header|Args)\b/.test(field) && !/\bimage$/.test(name),
    ...(isTemplate && { template: { EmbeddedTmpl: value } as Template }),
  };
  if (literalSecrets(name, value, kind).length > 0) return HIDDEN;
  if (isVariable(field)) return shownVariable(value);
  // What comes or goes as a whole is told in one line, `Name value, Name value`.
  const named = [...value.matchAll(/(?:^|, |\()(?:\w{1,40}\[)?([\w-]{1,80})\]? ([^,()]{1,2000})/g)];
  const secret = named.some(
    ([, key = "", text = ""]) => isSecretName(key) || literalSecrets(key, text, { ...kind, free: true }).length > 0,
  );
  return secret ? HIDDEN : value;
}
