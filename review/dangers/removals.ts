import type { Holds } from "../../rules/homelab";
import { type Context, isRemoved, type JobChange, jobName, keyOf, leftBehind } from "../context";
import type { Finding } from "../findings";
import type { Change } from "../plan";
import { VOLUME_TYPES } from "../stack";

const CONTENTS: Readonly<Record<Holds, string>> = { chain: "the chain", index: "an index", funds: "funds" };

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
  const left = leftBehind(context).includes(one);
  if (job && left && change.action === "update") {
    const problem = `becomes ${after?.read.job?.ID}: the old one runs on beside the new one`;
    const remedy = `keep the ID, or stop the old job first: nomad job stop -namespace ${job.Namespace} ${job.ID}`;
    return [{ finding: "job-id-changed", resource, subject, problem, remedy }];
  }
  if (!isRemoved(change)) return [];
  const heir = job && heirOf(one, context);
  if (left || (before && !before.deregisters) || change.action === "forget") {
    // It goes on under another address, or under its own.
    if (heir && heir !== one) return [];
    const end = change.action === "replace" ? "is made anew in Terraform" : "leaves Terraform";
    const stays = left ? "goes on existing in Nomad as it is" : "goes on, registered over by the new one";
    const remedy = job && `to end it: nomad job stop -namespace ${job.Namespace} ${job.ID}`;
    return [{ finding: "leaves-terraform", resource, subject, problem: `${end} and ${stays}`, ...(remedy && { remedy }) }];
  }
  const problem = change.action === "replace" ? `is stopped, then registered anew${why(change)}` : "is stopped and forgotten";
  const remedy = heir ? "move it instead: terraform state mv, or a moved block" : "leave it in the code, or take it out of the state";
  return [{ finding: "job-destroyed", resource, subject, problem, remedy }];
}

/** The resource that registers the same job after the apply. */
function heirOf({ before }: JobChange, { jobs }: Context): JobChange | undefined {
  const job = before?.read.job;
  return job && jobs.find(({ after }) => after?.read.job && keyOf(after.read.job) === keyOf(job));
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
  const holding = holds ? `, which holds ${CONTENTS[holds]},` : "";
  const anew = change.action === "replace" ? `, and registered anew${why(change)}` : "";
  if (change.action === "forget" || !volume.deregisters) {
    const heir = after.volumes.find(({ record: one }) => one.id === record.id && one.namespace === record.namespace);
    if (heir && heir.address !== volume.address) return [];
    const stays = "goes on existing in Nomad, and so does what is in it";
    if (change.action === "replace") {
      const problem = `${holding} is registered a second time${why(change)}; the old one ${stays}`.replace(/^, /, "");
      return [{ finding: "volume-destroyed", resource, subject, problem: problem.replace(/^which holds ([^,]+),/, "(it holds $1)") }];
    }
    return [{ finding: "leaves-terraform", resource, subject, problem: `leaves Terraform and ${stays}` }];
  }
  const lost = volume.deletes ? "is deleted with all that is in it" : "is forgotten by Nomad; its data stays on the NAS";
  const problem = `${holding ? `(it holds ${holds && CONTENTS[holds]}) ` : ""}${lost}${anew}`;
  const isPrecious = holds === "chain" || holds === "funds";
  return [
    {
      finding: isPrecious ? "data-lost" : "volume-destroyed",
      resource,
      subject,
      problem,
      remedy: "keep it in the code, or set deregister_on_destroy = false and apply that first",
    },
  ];
}

function namespaceRemovals(change: Change): Finding[] {
  if (!isRemoved(change) || change.action === "forget") return [];
  const name = String(change.before?.name);
  const problem = change.action === "replace" ? `is deleted and made anew${why(change)}` : "is deleted";
  const remedy = "Nomad refuses while jobs or volumes are in it; keep it in the code";
  return [{ finding: "namespace-destroyed", resource: change.address, subject: `namespace ${name}`, problem, remedy }];
}

function tainted({ address, reason, type }: Change): Finding[] {
  if (reason !== "replace_because_tainted") return [];
  return [
    {
      finding: "tainted",
      resource: address,
      subject: address,
      problem: `is marked as tainted${type === "nomad_job" ? ", as after a first deployment that failed" : ""}: untaint first, or Terraform will stop and recreate it`,
      remedy: `terraform untaint '${address}'`,
    },
  ];
}
