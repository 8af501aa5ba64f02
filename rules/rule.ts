import type { Acknowledgement, Homelab } from "../model/homelab";

/** One breach of a rule. Texts are lower-case, without a final period. */
export interface Finding {
  /** Construct path of the job or volume it concerns, such as `homelab/bitcoin`. */
  readonly path: string;
  /** The property or field, such as `killTimeout` or `TaskGroups[bitcoin].Tasks[bitcoind].KillTimeout`. */
  readonly place: string;
  /** The value found there, as its owner would write it. */
  readonly value: string;
  /** What is wrong, and by which bound. */
  readonly problem: string;
  /** What to change. */
  readonly remedy: string;
  /** A `violation` ends the synthesis unless it is acknowledged; a `warning` never does. Default: violation. */
  readonly severity?: "violation" | "warning";
}

/** One thing that must never reach the cluster. A pure function, run at synth and in the review of a plan. */
export interface Rule {
  /** Kebab-case, the name of its file. */
  readonly name: string;
  /** The rule in one sentence. */
  readonly statement: string;
  readonly check: (homelab: Homelab) => readonly Finding[];
}

/** A finding together with the rule it comes from and, where there is one, the reason it was acknowledged with. */
export interface Verdict extends Finding {
  readonly rule: string;
  readonly severity: "violation" | "warning";
  readonly acknowledged?: string;
}

/** Runs every rule and reports all that they find, acknowledged or not. */
export function judge(homelab: Homelab, rules: readonly Rule[]): Verdict[] {
  return rules.flatMap((rule) =>
    rule.check(homelab).map((finding) => {
      const acknowledgement = homelab.acknowledgements.find((one) => covers(one, { ...finding, rule: rule.name }));
      return {
        ...finding,
        rule: rule.name,
        severity: finding.severity ?? "violation",
        ...(acknowledgement && { acknowledged: acknowledgement.reason }),
      };
    }),
  );
}

/** Whether an acknowledgement accepts a finding: of its rule, at its construct or below. */
export function covers(
  { rule, path }: Pick<Acknowledgement, "rule" | "path">,
  found: Pick<Verdict, "rule" | "path">,
): boolean {
  return rule === found.rule && (found.path === path || found.path.startsWith(`${path}/`));
}

/** The verdict in three lines: where and what, the rule it breaks, what to do. */
export function describe(verdict: Verdict): string {
  const { path, place, value, problem, rule, remedy } = verdict;
  return `${path}: ${place} = ${value}\n  ${problem} (rule ${rule})\n  ${remedy}`;
}
