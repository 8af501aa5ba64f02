import { FINDINGS, type Finding, type FindingName, type JudgedFinding } from "./findings";

/** The owner accepts a finding, for a reason. */
export interface Allowance {
  readonly finding: FindingName;
  /** The address of the resource, or the name of its job or volume. */
  readonly resource: string;
  readonly reason: string;
}

/**
 * Reads `<finding>:<resource>=<reason>`.
 *
 * @throws when it is not of that form, there is no such finding, or it can never be accepted.
 */
export function readAllowance(text: string): Allowance {
  const [, finding, resource, reason] = /^([^:=\s]+):([^=]+)=(.*\S.*)$/s.exec(text) ?? [];
  if (!finding || !resource || !reason) {
    throw new Error(
      `--allow ${text}: write <finding>:<resource>=<reason>, such as memory-lowered:nomad_job.bitcoin=measured`,
    );
  }
  return checked({ finding, resource: resource.trim(), reason: reason.trim() }, `--allow ${text}`);
}

/**
 * Reads the trailers `Homelab-Allow: <finding> <resource> <reason>` of commit messages.
 *
 * @throws as {@link readAllowance}.
 */
export function readTrailers(messages: string): Allowance[] {
  return [...messages.matchAll(/^Homelab-Allow:[ \t]*(.*)$/gim)].map(([line, rest = ""]) => {
    const [, finding, resource, reason] = /^(\S+)\s+(\S+)\s+(.*\S.*)$/.exec(rest.trim()) ?? [];
    if (!finding || !resource || !reason)
      throw new Error(`${line}: write Homelab-Allow: <finding> <resource> <reason>`);
    return checked({ finding, resource, reason }, line);
  });
}

function checked(
  { finding, resource, reason }: { finding: string; resource: string; reason: string },
  place: string,
): Allowance {
  if (!Object.hasOwn(FINDINGS, finding)) {
    throw new Error(`${place}: there is no finding ${finding}; there are ${Object.keys(FINDINGS).join(", ")}`);
  }
  return { finding: finding as FindingName, resource, reason };
}

/** Findings with the reasons for which they are accepted, and the allowances that accept nothing. */
export function judgeFindings(
  findings: readonly Finding[],
  allowances: readonly Allowance[],
): { judged: JudgedFinding[]; unused: Allowance[] } {
  const used = new Set<Allowance>();
  const judged = findings.map((finding): JudgedFinding => {
    const { exit, allowable } = FINDINGS[finding.finding];
    const allowance = allowances.find((one) => one.finding === finding.finding && concerns(one, finding));
    if (!allowance || !allowable) return { ...finding, exit };
    used.add(allowance);
    return { ...finding, exit, allowed: allowance.reason };
  });
  return { judged, unused: allowances.filter((one) => !used.has(one)) };
}

function concerns({ resource }: Allowance, finding: Finding): boolean {
  const [, name] = /^(?:job|volume|namespace) (.*)$/.exec(finding.subject) ?? [];
  return resource === finding.resource || resource === name;
}
