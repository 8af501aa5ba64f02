/** What a review may find: how serious it is, and whether the owner can accept it. */
export interface FindingKind {
  /** What it means, in one sentence. */
  readonly statement: string;
  /** The exit code of a review whose worst finding it is: 2 needs an acknowledgement, 3 is refused. */
  readonly exit: 2 | 3;
  /** Whether `--allow` and the trailer `Homelab-Allow` accept it. */
  readonly allowable: boolean;
  /** The version of this program that finds it first. */
  readonly since: string;
}

const ask = (statement: string): FindingKind => ({ statement, exit: 2, allowable: true, since: "0.1.0" });
const refuse = (statement: string): FindingKind => ({ statement, exit: 3, allowable: false, since: "0.1.0" });

/** Everything a review finds, the worst first: the order in which it is told. docs/review.md has the same table. */
export const FINDINGS = {
  "data-lost": refuse("a volume that holds the chain or funds would be deleted, or Nomad would forget it"),
  "second-writer-on-funds": refuse("two would write one volume that holds funds, which can lose them"),
  "one-way-downgrade": refuse("an older image would meet data that only newer ones can read"),
  "not-now": refuse("a deploy must not go on now, as the cluster is"),
  "plan-failed": refuse("Terraform could not finish the plan, so what is shown is not all"),
  "job-destroyed": ask("a job would be stopped"),
  "job-replaced": ask("a job would be made anew"),
  "volume-destroyed": ask("a volume would be deleted or forgotten, or registered anew"),
  "namespace-destroyed": ask("a namespace would be deleted, or made anew"),
  tainted: ask("Terraform takes something for broken and would make it anew"),
  "job-id-changed": ask("a changed ID leaves the old job running beside a new one"),
  "leaves-terraform": ask(
    "something leaves Terraform, goes on existing in Nomad; so does what is only renamed in the code",
  ),
  "second-writer": ask("two would write one volume"),
  "second-provider": { ...ask("two jobs would register one service name"), since: "0.2.0" },
  "count-above-one": ask("more than one instance would write a volume that one may write"),
  "fence-weakened": ask("what keeps a lost machine's instance the only one is taken away or shortened"),
  "kill-timeout-lowered": ask("a task gets less time to stop cleanly"),
  "image-known-bad": ask("an image is known to be bad, or built for another processor"),
  "image-downgrade": ask("an image would go back to an older version"),
  "one-way-upgrade": ask("a newer image writes what older ones cannot read: there is no way back"),
  "nomad-refuses": ask("Nomad would refuse a job, or has no room for it"),
  "version-requirement": ask("an image needs another service in a newer version"),
  "image-unpinned": ask("an image's name does not say for ever which version runs"),
  "image-unreadable": ask("the version of an image cannot be read, so nobody can tell whether it goes back"),
  "memory-lowered": ask("a task reserves less memory"),
  "ceiling-lowered": ask("a task is killed at less memory than before"),
  "cpu-lowered": ask("a task reserves less CPU"),
  "volume-parameters": ask("a volume's source or options change, which Nomad refuses while it is in use"),
  "access-mode": ask("who may mount a volume, or how, changes"),
  "protection-lowered": ask("Nomad would from now on lose what goes from the code"),
  "privilege-gained": ask("a task may do more on its machine"),
  "port-exposed": ask("a port of the machine opens to the network"),
  "secret-in-job": ask("something that looks like a secret stands in a job, readable by all"),
  "rule-acknowledged": ask("a breach of a rule is newly accepted in the code"),
  "rule-broken": ask("a rule is newly broken"),
  "provider-changed": ask("another Terraform provider, or another version or address of it"),
  "backend-changed": ask("Terraform's state moves to another place"),
  "spec-unreadable": ask("a job cannot be read before it is applied, so nobody can judge it"),
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
}

/** A finding, and why its owner accepts it. */
export interface JudgedFinding extends Finding {
  readonly exit: 2 | 3;
  readonly allowed?: string;
}
