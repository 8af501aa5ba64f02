import type { Acknowledgement } from "../../model/homelab";
import { judgeTool } from "../../model/versions";
import { RULES } from "../../rules";
import { judge, type Verdict } from "../../rules/rule";
import { type Context, jobName } from "../context";
import type { Finding } from "../findings";
import type { Side } from "../stack";
import { whyUnreadable } from "../unreadable";

/** What concerns the stack as a whole: what it accepts, what it breaks, and what Terraform works with. */
export function stack(context: Context): Finding[] {
  return [
    ...unfinished(context),
    ...unreadable(context),
    ...accepted(context),
    ...broken(context),
    ...settings(context),
  ];
}

const WHOLE = { resource: "stack", subject: "the stack" } as const;

function unfinished({ plan }: Context): Finding[] {
  const problem = "has a plan that Terraform could not finish: it cannot be applied, and more may change than is shown";
  return plan.failed ? [{ finding: "plan-failed", ...WHOLE, problem, remedy: "read what terraform plan says" }] : [];
}

function unreadable({ jobs }: Context): Finding[] {
  return jobs.flatMap((one): Finding[] => {
    const { change, before, after } = one;
    // What was applied once did not fail.
    const was = whyUnreadable(before?.read ?? {})?.replace(", so the apply will fail", "");
    const why =
      whyUnreadable(after?.read ?? {}) ??
      (after && was ? `cannot be compared, because until now it ${was}` : undefined);
    if (!why || change.action === "none" || change.action === "delete") return [];
    const remedy = after?.read.unreadable?.reason === "hcl" ? "write it as JSON, with json = true" : undefined;
    const at = { finding: "spec-unreadable", resource: change.address, subject: `job ${jobName(one)}` } as const;
    return [{ ...at, problem: why, ...(remedy && { remedy }) }];
  });
}

function accepted({ before, after }: Context): Finding[] {
  const id = ({ path, rule, reason }: Acknowledgement) => `${path}\n${rule}\n${reason}`;
  const had = before.homelab.acknowledgements.map(id);
  return after.homelab.acknowledgements
    .filter((one) => !had.includes(id(one)))
    .map(({ path, rule, reason }) => ({
      finding: "rule-acknowledged",
      // Each by itself: whoever accepts one has not accepted the others.
      resource: `${path}:${rule}`,
      subject: path,
      problem: `accepts breaches of the rule ${rule}: «${reason}»`,
      ...(GUARDS_FUNDS.includes(rule) && { ownerOnly: true as const }),
    }));
}

/** Rules that keep a volume's writer the only one, its data, its lock and its identity: no commit accepts a breach. */
const GUARDS_FUNDS = ["funds", "single-writer", "one-way-data", "volume-identity", "volume-exists", "mount-flags"];

/** Rules whose breaches other findings tell, by what was before. */
const REPORTED_ELSEWHERE = ["pinned-image", "image-versions", "no-secret-in-job", "privileged", "single-writer"];

/** What only a stack that describes itself can know: who else is in the cluster, and what its constructs protect. */
const UNKNOWABLE: Readonly<Record<string, RegExp>> = {
  placement: /./,
  "service-provided": /./,
  "volume-exists": /\.(?:Source|PerAlloc)$/,
  funds: /^removalPolicy$/,
};

/** So many places of one breach are told. */
const PLACES = 3;

/** What a rule newly finds. Of one resource all breaches of one rule are one finding, as they are accepted by one. */
function broken({ before, after, jobs }: Context): Finding[] {
  if (after.homelab.jobs.length === 0) return [];
  const id = ({ rule, path, place, problem }: Verdict) => [rule, path, place, problem].join("\n");
  const had = new Set(violations(before).map(id));
  // What a job provides that nobody can read, nobody can miss.
  const isWhole = after.jobs.every(({ read }) => read.job);
  const addressOf = (path: string) =>
    jobs.find(({ change }) =>
      after.homelab.jobs.some((one) => one.path === path && one.job === shownOf(after, change.address)),
    )?.change.address ?? path;
  const found = violations(after).filter(
    (verdict) => !had.has(id(verdict)) && (isWhole || verdict.rule !== "service-provided"),
  );
  const keyOf = ({ path, rule }: Verdict) => `${addressOf(path)}:${rule}`;
  return [...new Set(found.map(keyOf))].flatMap((resource) => {
    const alike = found.filter((one) => keyOf(one) === resource);
    const [first] = alike;
    if (!first) return [];
    const told = [...new Set(alike.map(({ place, value, problem }) => `${place} = ${value}: ${problem}`))];
    const more = told.length > PLACES ? `; and ${told.length - PLACES} more` : "";
    const problem = `breaks the rule ${first.rule}: ${told.slice(0, PLACES).join("; ")}${more}`;
    const ownerOnly = GUARDS_FUNDS.includes(first.rule) && { ownerOnly: true as const };
    return [
      { finding: "rule-broken" as const, resource, subject: first.path, problem, remedy: first.remedy, ...ownerOnly },
    ];
  });
}

function shownOf({ jobs }: Side, address: string) {
  return jobs.find((one) => one.address === address)?.shown;
}

function violations({ homelab, described }: Side): Verdict[] {
  const rules = RULES.filter(({ name }) => !REPORTED_ELSEWHERE.includes(name));
  return judge(homelab, rules).filter(
    ({ severity, acknowledged, rule, place }) =>
      severity === "violation" && !acknowledged && (described || !UNKNOWABLE[rule]?.test(place)),
  );
}

function settings({ plan, before, after }: Context): Finding[] {
  const findings: Finding[] = [];
  const [was, is] = [before.terraform, after.terraform];
  const providers = plan.changes.flatMap(({ address, provider }) => {
    const old = plan.state?.resources.find((one) => one.address === address)?.provider;
    return old && old !== provider ? [`${address}: ${old} → ${provider}`] : [];
  });
  const changed = [
    ...providers,
    ...(was && is && was.provider !== is.provider ? [`${was.provider} → ${is.provider}`] : []),
    ...(was && is && was.nomadAddress !== is.nomadAddress ? [`${was.nomadAddress} → ${is.nomadAddress}`] : []),
  ];
  if (changed.length > 0) {
    const remedy = "read the provider's changelog; another address is another cluster";
    findings.push({
      finding: "provider-changed",
      ...WHOLE,
      problem: `gets another provider: ${changed.join("; ")}`,
      remedy,
    });
  }
  const bad = is && is.provider !== was?.provider ? judgeTool("hashicorp/nomad", is.provider.replace(/^\S+ /, "")) : [];
  for (const { problem, remedy } of bad) {
    findings.push({ finding: "provider-changed", ...WHOLE, problem: `gets a bad provider: ${problem}`, remedy });
  }
  if (was && is && was.state !== is.state) {
    const problem = `keeps its state elsewhere: ${was.state} → ${is.state}`;
    findings.push({
      finding: "backend-changed",
      ...WHOLE,
      problem,
      remedy: "move it with terraform init -migrate-state",
    });
  }
  return findings;
}
