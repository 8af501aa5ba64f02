import type { Holds } from "../../model/homelab";
import { VOLUME_TYPES } from "../../model/read-stack";
import { type Context, isRemoved, type JobChange, jobName } from "../context";
import { text } from "../diff";
import type { Finding } from "../findings";
import type { Change } from "../plan";

const CONTENTS: Readonly<Record<Holds, string>> = {
  chain: "the chain",
  index: "an index",
  funds: "funds",
  backup: "backups",
};

/** What goes, and what only leaves Terraform. */
export function removals(context: Context): Finding[] {
  return [
    ...context.jobs.flatMap((job) => jobRemovals(job, context)),
    ...context.plan.changes.flatMap((change) => [
      ...(VOLUME_TYPES.includes(change.type) ? volumeRemovals(change, context) : []),
      ...(change.type === "nomad_namespace" ? namespaceRemovals(change) : []),
      ...tainted(change),
    ]),
  ];
}

function jobRemovals(one: JobChange, context: Context): Finding[] {
  const { change, before, after } = one;
  const job = before?.read.job;
  const resource = change.address;
  const subject = `job ${jobName(one)}`;
  const left = context.left.includes(one);
  const stop = job && `to end it: nomad job stop -namespace ${job.Namespace} ${job.ID}`;
  const now = after?.read.job;
  if (job && now && left && job.ID !== now.ID) {
    const problem = `becomes ${now.ID}, which leaves the old one running beside a new one`;
    return [{ finding: "job-id-changed", resource, subject, problem, remedy: `keep the ID, or, ${stop}` }];
  }
  if (!isRemoved(change)) return [];
  const { movedTo } = one;
  if (change.action === "forget" || !before?.deregisters) {
    if (movedTo) return [leaving(change, subject, movedTo)];
    if (change.action === "replace" && !left) {
      const problem = `is replaced in Terraform${why(change)}; Nomad does not stop it for that`;
      return [{ finding: "job-replaced", resource, subject, problem }];
    }
    const beside = change.action === "replace" ? `, beside the new one${why(change)}` : "";
    return [{ ...leaving(change, subject), problem: `${LEAVES}${beside}`, ...(stop && { remedy: stop }) }];
  }
  if (change.action === "replace" || movedTo) {
    const problem = `is stopped, then registered anew${movedTo ? ` as ${movedTo}` : why(change)}`;
    const remedy = movedTo ? `move it instead: terraform state mv '${resource}' '${movedTo}'` : undefined;
    return [{ finding: "job-replaced", resource, subject, problem, ...(remedy && { remedy }) }];
  }
  const remedy = "leave it in the code, or take it out of the state";
  return [{ finding: "job-destroyed", resource, subject, problem: "is stopped and forgotten", remedy }];
}

const LEAVES = "leaves Terraform, goes on existing";

/** What Nomad keeps when Terraform destroys its resource; under another address it may come back at once. */
function leaving({ address }: Change, subject: string, movedTo?: string): Finding {
  const at = { finding: "leaves-terraform", resource: address, subject } as const;
  if (!movedTo) return { ...at, problem: LEAVES };
  const remedy = `move it instead: terraform state mv '${address}' '${movedTo}'`;
  return { ...at, problem: `${LEAVES}: the same one enters Terraform again as ${movedTo}`, remedy };
}

function why({ because, reason }: Change): string {
  if (because.length > 0) return `, because ${because.join(", ")} cannot change`;
  return reason === "replace_by_request" ? ", as asked with -replace" : "";
}

function volumeRemovals(change: Change, { before, after }: Context): Finding[] {
  const volume = before.volumes.find(({ address }) => address === change.address);
  if (!volume || !isRemoved(change)) return [];
  const { record, holds } = volume;
  const resource = change.address;
  const subject = `volume ${record.id}`;
  const holding = holds ? `(it holds ${CONTENTS[holds]}) ` : "";
  const anew = change.action === "replace" ? `, and registered anew${why(change)}` : "";
  if (change.action === "forget" || !volume.deregisters) {
    const heir = after.volumes.find(({ record: one }) => one.id === record.id && one.namespace === record.namespace);
    if (heir && heir.address !== volume.address) return [leaving(change, subject, heir.address)];
    if (change.action === "replace") {
      const problem = `${holding}is registered a second time${why(change)}; the old one goes on existing, and so does what is in it`;
      return [{ finding: "volume-destroyed", resource, subject, problem }];
    }
    const problem = `${holding}${LEAVES}, and so does what is in it`;
    return [{ finding: "leaves-terraform", resource, subject, problem }];
  }
  const lost = volume.deletes
    ? "is deleted with all that is in it"
    : "is forgotten by Nomad; its data stays on the NAS";
  const problem = `${holding}${lost}${anew}`;
  const isPrecious = holds === "chain" || holds === "funds";
  const remedy = volume.deletes
    ? `keep it in the code, or take it out of the state alone: terraform state rm '${change.address}'`
    : "keep it in the code, or set deregister_on_destroy = false and apply that first";
  return [
    {
      finding: isPrecious ? "data-lost" : "volume-destroyed",
      resource,
      subject,
      problem,
      remedy,
    },
  ];
}

function namespaceRemovals(change: Change): Finding[] {
  if (!isRemoved(change)) return [];
  const name = text("", change.before?.name) ?? "without a name";
  if (change.action === "forget") return [leaving(change, `namespace ${name}`)];
  const problem = change.action === "replace" ? `is deleted and made anew${why(change)}` : "is deleted";
  const remedy = "Nomad refuses while jobs or volumes are in it; keep it in the code";
  return [{ finding: "namespace-destroyed", resource: change.address, subject: `namespace ${name}`, problem, remedy }];
}

function tainted({ address, reason, type }: Change): Finding[] {
  if (reason !== "replace_because_tainted") return [];
  const why = type === "nomad_job" ? ", as after a first deployment that failed" : "";
  const problem = `is marked as tainted${why}: untaint first, or Terraform will stop and recreate it`;
  return [
    { finding: "tainted", resource: address, subject: address, problem, remedy: `terraform untaint '${address}'` },
  ];
}
