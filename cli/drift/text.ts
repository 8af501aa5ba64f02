import { Duration } from "../../nomad/duration";
import { pauseText } from "../../nomad/pause";
import type { FieldChange, GroupUpdates } from "../../nomad/plan";
import { type Cell, grouped, type Style, WIDTH, wrap } from "../shared/text";
import type { Difference, DriftReport } from "./model";

/** A value is cut to so many characters; `--json` has it whole. */
const VALUE = 48;

/** What differs, as the owner reads it. */
export function driftText({ stack, nomadAddress, pause, differences }: DriftReport, style: Style): string {
  const { bold, green, red, yellow } = style;
  const verdict = differences.length === 0 ? green("as the code says") : red(count(differences.length));
  const lines = [
    `${bold(stack)} at ${nomadAddress}: ${verdict}`,
    ...(pause
      ? wrap(`${yellow(pauseText(pause))}; what is stopped for it is no difference`, WIDTH, "  ").map(indent)
      : []),
    ...differencesText(differences, style),
    ...(differences.some(({ kind, fields }) => kind === "job" && fields.length > 0) ? ADVICE.map(indent) : []),
  ];
  return `${lines.join("\n")}\n`;
}

/** Differences as lines: what it is, and field by field. */
export function differencesText(differences: readonly Difference[], style: Style): string[] {
  const groups = differences.map((one) => ({ heading: heading(one, style), rows: rows(one, style) }));
  return grouped([{}, {}, {}], groups);
}

/** `terraform plan` sees neither stop, scale and revert nor what was registered through the API. */
const ADVICE = wrap(
  "Terraform does not see what was changed by hand: take it into the code, or raise the job's metaVersion and deploy.",
  WIDTH - 2,
);

function count(differences: number): string {
  return differences === 1 ? "1 difference" : `${differences} differences`;
}

function heading({ kind, namespace, name, problem, updates }: Difference, { bold }: Style): string[] {
  const where = kind === "scheduler" ? "" : ` ${bold(name)}${namespace ? ` in namespace ${namespace}` : ""}`;
  const effects = updates.map(updateText);
  const effect = effects.length > 0 ? `registering it as written would ${effects.join(" and ")}` : "";
  const told = [problem, effect].filter(Boolean).join("; ") || (kind === "job" ? "restarts nothing" : "");
  return wrap(`${kind}${where}${told ? `: ${told}` : ""}`, WIDTH - 2, "  ").map(indent);
}

function updateText({ group, restarts, starts, stops }: GroupUpdates): string {
  if (restarts) return `restart ${group}`;
  const parts = [starts && `start ${starts}`, stops && `stop ${stops}`].filter(Boolean);
  return `${parts.join(" and ")} of ${group}`;
}

function rows({ fields }: Difference, { dim }: Style): Cell[][] {
  return fields.map(({ field, live, code }) => {
    const [was, is] = apart(withUnits(field, live), withUnits(field, code));
    return [[`  ${fieldText(field)}`], [`${dim("live")} ${was}`], [`${dim("code")} ${is}`]];
  });
}

/** Without the words that stand in every place: `bitcoin/bitcoind Resources.MemoryMB`. */
function fieldText(field: string): string {
  return field
    .replace(/^TaskGroups\[([^\]]*)\]\.?/, "$1 ")
    .replace(/^(\S+) Tasks\[([^\]]*)\]\.?/, "$1/$2 ")
    .trimEnd();
}

/** Fields that hold a time, which Nomad gives in nanoseconds. */
const TIME = /(After|Deadline|Delay|Disconnect|Duration|Grace|Interval|Max|Min|Splay|Stagger|TTL|Time|Timeout)$/;

/** A time in hours, minutes and seconds, also within a whole object. */
function withUnits(field: string, value: string | undefined): string | undefined {
  const time = (digits: string) => Duration.fromNanoseconds(Number(digits)).toString();
  if (value === undefined) return undefined;
  if (TIME.test(field) && /^\d{7,}$/.test(value)) return time(value);
  return value.replace(/(\w+) (\d{7,})(?=[,)]|$)/g, (all, name: string, digits: string) =>
    TIME.test(name) ? `${name} ${time(digits)}` : all,
  );
}

/** Both values, cut to where they differ. */
function apart(live: FieldChange["live"], code: FieldChange["code"]): [string, string] {
  if (live === undefined || code === undefined || Math.max(live.length, code.length) <= VALUE) {
    return [cut(live), cut(code)];
  }
  let same = 0;
  while (same < live.length && live[same] === code[same]) same++;
  const from = Math.max(0, same - 8);
  const part = (text: string) => (from > 0 ? "…" : "") + cut(text.slice(from));
  return [part(live), part(code)];
}

function cut(text: string | undefined): string {
  if (text === undefined) return "not set";
  const line = JSON.stringify(text).slice(1, -1);
  return line === "" ? '""' : line.length > VALUE ? `${line.slice(0, VALUE)}…` : line;
}

function indent(line: string): string {
  return `  ${line}`;
}
