/** What a review may find: how serious it is, and whether the owner can accept it. */
export interface FindingKind {
  /** What it means, in one sentence. */
  readonly statement: string;
  /** The exit code of a review whose worst finding it is: 2 needs an acknowledgement, 3 is refused. */
  readonly exit: 2 | 3;
  /**
   * Who can accept it. `anyone`: whoever writes a commit, by the trailer `Homelab-Allow`. `owner`: only who is at the
   * command line (`--allow`) or approves the deploy; a commit may quote what a stranger wrote. `nobody`: never.
   */
  readonly acceptedBy: AcceptedBy;
  /** The version of this program that finds it first. */
  readonly since: string;
}

/** Who can accept a finding, the least first. */
export type AcceptedBy = "nobody" | "owner" | "anyone";

const ask = (statement: string, since = "0.1.0"): FindingKind => ({ statement, exit: 2, acceptedBy: "anyone", since });
const askOwner = (statement: string, since = "0.1.0"): FindingKind => ({
  ...ask(statement, since),
  acceptedBy: "owner",
});
const refuse = (statement: string, since = "0.1.0"): FindingKind => ({
  ...ask(statement, since),
  exit: 3,
  acceptedBy: "nobody",
});

/** Everything a review finds, the worst first: the order in which it is told. docs/review.md has the same table. */
export const FINDINGS = {
  "data-lost": refuse("a volume that holds the chain or funds would be deleted, or Nomad would forget it"),
  "second-writer-on-funds": refuse("two would write one volume that holds funds, which can lose them"),
  "one-way-downgrade": refuse("an older image would meet data that only newer ones can read"),
  "not-now": refuse("a deploy must not go on now, as the cluster is"),
  "state-lost": refuse("the plan would create what Nomad has already: Terraform's state is lost, or another", "0.2.0"),
  "plan-failed": refuse("Terraform could not finish the plan, so what is shown is not all"),
  "state-doubtful": askOwner(
    "the state holds nothing of what was deployed before, as far as can be seen from here",
    "0.2.0",
  ),
  "job-destroyed": ask("a job would be stopped"),
  "job-replaced": ask("a job would be made anew"),
  "volume-destroyed": askOwner("a volume would be deleted or forgotten, or registered anew"),
  "namespace-destroyed": askOwner("a namespace would be deleted, or made anew"),
  tainted: ask("Terraform takes something for broken and would make it anew"),
  "job-id-changed": askOwner("a changed ID leaves the old job running beside a new one"),
  "leaves-terraform": ask(
    "something leaves Terraform, goes on existing in Nomad; so does what is only renamed in the code",
  ),
  "second-writer": askOwner("two would write one volume"),
  "second-provider": { ...askOwner("two jobs would register one service name"), since: "0.2.0" },
  "count-above-one": askOwner("more than one instance would write a volume that one may write"),
  "fence-weakened": askOwner("what keeps a lost machine's instance the only one is taken away or shortened"),
  "kill-timeout-lowered": ask("a task gets less time to stop cleanly"),
  "image-known-bad": ask("an image is known to be bad, or built for another processor"),
  "image-downgrade": ask("an image would go back to an older version"),
  "one-way-upgrade": ask("a newer image writes what older ones cannot read: there is no way back"),
  "image-replaced": askOwner(
    "another image under the same tag, or another program, for a task that has a volume or reads secrets",
    "0.2.0",
  ),
  "nomad-refuses": ask("Nomad would refuse a job, or has no room for it"),
  "nomad-outdated": ask("a machine runs a version of Nomad with known faults", "0.2.0"),
  "version-requirement": ask("an image needs another service in a newer version"),
  "image-unpinned": ask("an image's name does not say for ever which version runs"),
  "image-unreadable": ask("the version of an image cannot be read, so nobody can tell whether it goes back"),
  "memory-lowered": ask("a task reserves less memory"),
  "ceiling-lowered": ask("a task is killed at less memory than before"),
  "cpu-lowered": ask("a task reserves less CPU"),
  "volume-parameters": ask("a volume's source or options change, which Nomad refuses while it is in use"),
  "access-mode": ask("who may mount a volume, or how, changes"),
  "protection-lowered": askOwner("Nomad would from now on lose what goes from the code"),
  "access-widened": askOwner("a token, a policy or a namespace grants more than before", "0.2.0"),
  "variable-written": askOwner("a Nomad variable, where secrets are, is written or removed by Terraform", "0.2.0"),
  "host-volume": askOwner("a folder of one machine comes, changes or goes as a volume", "0.2.0"),
  "runs-program": askOwner("Terraform itself runs a program", "0.2.0"),
  "scheduler-changed": ask("the scheduler places or preempts every job otherwise", "0.2.0"),
  "privilege-gained": ask("a task may do more on its machine"),
  "port-exposed": ask("a port of the machine opens to the network"),
  "secret-in-job": ask("something that looks like a secret stands in a job, readable by all"),
  "rule-acknowledged": ask("a breach of a rule is newly accepted in the code"),
  "rule-broken": ask("a rule is newly broken"),
  "provider-changed": ask("another Terraform provider, or another version or address of it"),
  "backend-changed": askOwner("Terraform's state moves to another place"),
  "resource-unjudged": askOwner("something changes that this review does not know", "0.2.0"),
  "spec-unreadable": askOwner("a job cannot be read before it is applied, so nobody can judge it"),
} as const satisfies Readonly<Record<string, FindingKind>>;

export type FindingName = keyof typeof FINDINGS;

/** One thing a review found. */
export interface Finding {
  readonly finding: FindingName;
  /**
   * What an acknowledgement names: the address of the Terraform resource, such as `nomad_job.bitcoin`, or `stack`; for a
   * rule with its name, `homelab/electrs:pinned-image`.
   */
  readonly resource: string;
  /** Job or volume as Nomad names it, for the sentence. */
  readonly subject: string;
  /** What would happen, with old and new value; a sentence that goes on after the subject. */
  readonly problem: string;
  /** What to do. */
  readonly remedy?: string;
  /** Set when this one weighs more than others of its name: no trailer accepts it. */
  readonly ownerOnly?: true;
}

/** Who can accept this very finding. */
export function acceptedBy({ finding, ownerOnly }: Pick<Finding, "finding" | "ownerOnly">): AcceptedBy {
  const by: AcceptedBy = FINDINGS[finding].acceptedBy;
  return ownerOnly && by === "anyone" ? "owner" : by;
}

/** A finding, and why its owner accepts it. */
export interface JudgedFinding extends Finding {
  readonly exit: 2 | 3;
  readonly acceptedBy: AcceptedBy;
  /** Why it is accepted, and where it says so. */
  readonly allowed?: string;
}
