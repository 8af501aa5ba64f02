import { parseImage } from "../nomad/image";
import type { Allowance } from "./allow";
import type { FieldChange } from "./diff";
import type { DriftReview } from "./drift";
import type { JudgedFinding } from "./findings";
import type { ResourceReview } from "./resources";
import type { GroupOutcome } from "./restarts";
import type { Review, ServiceReview, VolumeUse } from "./review";
import type { Holds, StateNote } from "./state";

const CONTENTS: Readonly<Record<Holds, string>> = {
  chain: "the chain",
  index: "an index",
  funds: "funds",
  backup: "backups",
};

/** Fields by the words their owner has for them. */
const LABELS: readonly [RegExp, string][] = [
  [/^Config\.image$/, "image"],
  [/^Resources\.MemoryMB$/, "memory"],
  [/^Resources\.MemoryMaxMB$/, "memory ceiling"],
  [/^Resources\.CPU$/, "CPU"],
  [/^KillTimeout$/, "kill timeout"],
  [/^Meta\.version$/, "metaVersion"],
  [/^Templates\[(.+)\]\.EmbeddedTmpl$/, "file $1"],
  [/^Env\.(.+)$/, "environment $1"],
  [/^Disconnect\b/, "fence, Disconnect"],
];

/** `task bitcoind: memory` */
export function label(field: string): string {
  const [, group, task, rest = field] = /^TaskGroups\[([^\]]*)\]\.?(?:Tasks\[([^\]]*)\]\.?)?(.*)$/.exec(field) ?? [];
  const found = LABELS.find(([pattern]) => pattern.test(rest));
  const name = found ? rest.replace(found[0], found[1]) : rest;
  const place = task ? `task ${task}` : group ? `group ${group}` : "";
  return place && name ? `${place}: ${name}` : place || name;
}

/** A field whose texts are short enough for a table, with the part that differs; otherwise undefined. */
export function shortChange({
  field,
  old,
  new: now,
}: FieldChange): { readonly old: string; readonly new: string } | undefined {
  if (old !== undefined && now !== undefined && field.endsWith("Config.image")) {
    const [from, to] = [parseImage(old), parseImage(now)];
    if (from.repository === to.repository) {
      const withDigest = from.tag === to.tag;
      const tell = ({ tag = "no tag", digest }: typeof from) =>
        withDigest ? `${tag} (${digest?.slice(7, 19) ?? "no digest"})` : tag;
      return { old: tell(from), new: tell(to) };
    }
  }
  const texts = [old ?? "not set", now ?? "not set"] as const;
  if (texts.some((text) => text.length > 100 || text.includes("\n"))) return undefined;
  return { old: texts[0], new: texts[1] };
}

/** Lines that go and lines that come, marked with - and +, of texts too long for a table. */
export function lineChange({ old, new: now }: FieldChange, most = 40): string[] {
  const [from, to] = [old, now].map((text) => (text === undefined ? [] : text.split("\n")));
  const [gone, come] = [without(from ?? [], to ?? []), without(to ?? [], from ?? [])];
  const lines = [...gone.map((line) => `- ${cut(line)}`), ...come.map((line) => `+ ${cut(line)}`)];
  const order = lines.length === 0 ? ["  the same lines in another order"] : lines;
  return order.length > most ? [...order.slice(0, most), `  and ${order.length - most} more lines`] : order;
}

function cut(line: string): string {
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}

/** What is in one list and not in the other, however often. */
function without(list: readonly string[], other: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const line of other) left.set(line, (left.get(line) ?? 0) + 1);
  return list.filter((line) => {
    const count = left.get(line) ?? 0;
    if (count > 0) left.set(line, count - 1);
    return count === 0;
  });
}

/** The verdict with its counts, the first line. */
export function verdictLine({ verdict, counts, findings }: Review): string {
  const open = findings.filter(({ allowed }) => allowed === undefined);
  const [refused, ask] = ([3, 2] as const).map((exit) => open.filter((one) => one.exit === exit).length);
  const restarts = counts.restarts === 0 ? "restarts nothing" : `restarts ${plural(counts.restarts, "service")}`;
  const accepted = findings.length - open.length;
  const more = accepted > 0 ? `, ${plural(accepted, "finding")} accepted` : "";
  if (verdict === "refused")
    return `refused: ${plural(refused ?? 0, "finding")}${ask ? `, and ${ask} to acknowledge` : ""}; ${restarts}${more}`;
  if (verdict === "needs acknowledgement")
    return `needs acknowledgement of ${plural(ask ?? 0, "finding")}; ${restarts}${more}`;
  return `safe: ${restarts}${more}`;
}

/** How sure the outcomes are. */
export function sourceLine({ services }: Review): string {
  if (services.length === 0) return "";
  if (services.every(({ asked }) => asked)) return "As Nomad's own scheduler plans it.";
  return "Expected by the rules of Nomad's scheduler; no cluster was asked.";
}

export function countsLine({ counts }: Review): string {
  const { created, changed, replaced, removed, unchanged } = counts;
  return `${created} new, ${changed} changed, ${replaced} replaced, ${removed} removed, ${unchanged} unchanged`;
}

/** A finding as one sentence, and how to accept it. */
export function findingText(one: JudgedFinding): {
  readonly what: string;
  readonly advice: string;
  /** The commit trailer, or the option, that accepts it. */
  readonly command?: string;
} {
  const { subject, problem, remedy, resource, allowed, finding, acceptedBy } = one;
  const what = `${subject} ${problem}`;
  if (allowed !== undefined) return { what, advice: `accepted: «${allowed}»` };
  const start = remedy ? `${remedy}; ` : "";
  if (acceptedBy === "nobody") return { what, advice: `${start}this cannot be accepted` };
  if (acceptedBy === "owner") {
    const ways =
      "no commit can accept this: approve the deploy in its protected environment, or accept it at home with";
    return { what, advice: `${start}${ways}`, command: `--allow '${finding}:${resource}=<reason>'` };
  }
  return {
    what,
    advice: `${start}${remedy ? "or " : ""}accept it by the commit trailer`,
    command: `Homelab-Allow: ${finding} ${resource} <reason>`,
  };
}

/** An acknowledgement that accepts nothing, and whose it is. */
export function unusedText({ finding, resource, commit }: Allowance): string {
  const whose = commit ? ` in commit ${commit}` : "";
  return `The acknowledgement of ${finding} ${resource}${whose} accepts nothing`;
}

/** What happens to a service, in a paragraph. */
export function paragraph(service: ServiceReview): string[] {
  const { outOfService, dependents, volumes, unreadable, warnings, drift } = service;
  const sentences = [unreadable ? `It ${unreadable}.` : `${happening(service)}.`];
  if (outOfService) sentences.push(`Out of service ${outOfService}.`);
  const isDisturbed = service.outcomes.some(({ outcome }) => outcome === "restarts" || outcome === "stops");
  if (isDisturbed && dependents.length > 0) {
    sentences.push(`${list(dependents)} ${dependents.length > 1 ? "need" : "needs"} it and will notice.`);
  }
  if (volumes.length > 0) sentences.push(`${volumes.map((volume) => volumeText(volume, service)).join(" ")}`);
  for (const warning of warnings) sentences.push(`Nomad says: ${warning}.`);
  if (drift.length > 0) {
    const fields = drift.map(
      ({ field, old, new: now }) => `${label(field)} is ${old ?? "not set"}, not ${now ?? "unset"}`,
    );
    sentences.push(`The live job is not what Terraform believes: ${fields.slice(0, 5).join("; ")}.`);
  }
  return sentences;
}

function happening(service: ServiceReview): string {
  const { movedFrom, address } = service;
  const moved = movedFrom ? `Terraform knows it as ${address} from now on, not as ${movedFrom}; ` : "";
  return moved + whatHappens(service);
}

function whatHappens({ action, outcomes, fields, job, facts, beside, movedFrom }: ServiceReview): string {
  const by = (wanted: GroupOutcome["outcome"]) => outcomes.filter(({ outcome }) => outcome === wanted);
  const [restarts, inPlace, starts, stops] = [by("restarts"), by("in place"), by("starts"), by("stops")];
  const nextRun = by("next run");
  if (action === "create" && !movedFrom)
    return `${job} is new and ${nextRun.length > 0 ? "runs when its time comes" : "starts"}${facts.length > 0 ? `: ${facts.join(", ")}` : ""}`;
  if (action === "delete" || action === "forget")
    return stops.length > 0 ? `${job} stops for good` : `${job} runs on, unmanaged`;
  const isAnew = action === "replace" || movedFrom;
  if (isAnew && restarts.some(({ because }) => because.length === 0)) return `${job} is stopped and started anew`;
  if (beside) return `${job} is started anew, and the one of before runs on beside it`;
  const parts: string[] = [];
  if (restarts.length > 0) {
    const causes = [...new Set(restarts.flatMap(({ because }) => because))].map(label);
    const why =
      causes.length > 0
        ? `, because ${list(causes.slice(0, 4))}${causes.length > 4 ? " and more" : ""} cannot change in a running instance`
        : "";
    parts.push(`${job} restarts${why}`);
  }
  if (starts.length > 0) parts.push(`${list(starts.map(({ group }) => group))} starts`);
  if (stops.length > 0) parts.push(`${list(stops.map(({ group }) => group))} has instances stopped`);
  if (parts.length > 0) return parts.join("; ");
  if (nextRun.length > 0) return `${job} changes from its next run on`;
  if (inPlace.length > 0) {
    const suits = inPlace.some(({ ifMachineSuits }) => ifMachineSuits)
      ? ", unless the machine it runs on no longer suits"
      : "";
    return `${job} is changed in place and goes on running${suits}`;
  }
  if (isAnew) return `${job} goes on as it is`;
  return fields.length > 0
    ? `${job} changes and goes on running`
    : `${job} goes on as it is: only Terraform's own settings change`;
}

function volumeText({ id, holds, reads, removed }: VolumeUse, service: ServiceReview): string {
  const what = `Volume ${id}${holds ? ` (${CONTENTS[holds]})` : ""}`;
  if (removed) return `${what} is removed as well.`;
  if (service.action === "create" && !service.movedFrom) return `${what} is mounted${reads ? " to read" : ""}.`;
  if (service.outcomes.some(({ outcome }) => outcome === "restarts")) {
    return `${what} keeps its data; the new instance mounts it when the old one has stopped.`;
  }
  return `${what} is not touched.`;
}

/** What becomes of a resource, without its name. */
export function resourceText({ action, kept }: ResourceReview): string {
  if (kept)
    return action === "replace"
      ? "is made anew in Terraform, and Nomad keeps the old one too"
      : "leaves Terraform, and Nomad keeps it";
  const words: Readonly<Record<string, string>> = {
    create: "is new",
    update: "changes",
    delete: "is removed",
    replace: "is removed and made anew",
    forget: "leaves Terraform",
  };
  return words[action] ?? action;
}

/** The heading of what somebody did past Terraform. */
export const DRIFT = "Changed outside of Terraform, as the plan found it";

/** What somebody did to a resource past Terraform, without its name. */
export function driftText({ gone, fields, name }: DriftReview): string {
  if (gone) return "is gone";
  const told = (name ? fields : []).slice(0, 8).map((field) => {
    const short = shortChange(field);
    return short ? `${label(field.field)} ${short.old} → ${short.new}` : `${label(field.field)} is another text`;
  });
  const more = told.length < fields.length && name ? `; and ${fields.length - told.length} more` : "";
  return `was changed${told.length > 0 ? `: ${told.join("; ")}` : ""}${more}`;
}

export function stateText({ resource, problem, remedy }: StateNote): string {
  return `${resource} ${problem}${remedy ? `: ${remedy}` : ""}`;
}

export function list(names: readonly string[]): string {
  return names.length < 2 ? (names[0] ?? "") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}
