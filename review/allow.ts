import { acceptedBy, FINDINGS, type Finding, type FindingName, type JudgedFinding } from "./findings";

/** The owner accepts a finding, for a reason. */
export interface Allowance {
  readonly finding: FindingName;
  /** The address of the resource, or the name of its job or volume. */
  readonly resource: string;
  readonly reason: string;
  /** The commit that says so, with its author; absent for what the owner says. */
  readonly commit?: string;
}

/** A commit, and its trailers `Homelab-Allow`. */
export interface Commit {
  readonly id: string;
  readonly author: string;
  readonly trailers: readonly string[];
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

/** Asks git for commits with their trailers, as {@link readCommits} takes them; its own rules say what a trailer is. */
export const COMMIT_FORMAT = "%H%x00%an <%ae>%x00%(trailers:key=Homelab-Allow,only,unfold)%x00";

/** Reads what `git log --format=` {@link COMMIT_FORMAT} prints. */
export function readCommits(log: string): Commit[] {
  const parts = log.split("\0");
  return Array.from({ length: Math.floor(parts.length / 3) }, (_, at) => {
    const [id = "", author = "", trailers = ""] = parts.slice(at * 3);
    return { id: id.trim(), author, trailers: trailers.split("\n").filter((line) => line.trim() !== "") };
  });
}

/**
 * Reads the trailers `Homelab-Allow: <finding> <resource> <reason>` of commits.
 *
 * @throws as {@link readAllowance}.
 */
export function readTrailers(commits: readonly Commit[]): Allowance[] {
  return commits.flatMap(({ id, author, trailers }) =>
    trailers.map((line) => {
      const [, finding, resource, reason] = /^[^:]*:\s*(\S+)\s+(\S+)\s+(\S.*)$/s.exec(line) ?? [];
      const commit = `${id.slice(0, 12)} by ${author}`;
      const place = `commit ${commit}: ${line.trim()}`;
      if (!finding || !resource || !reason)
        throw new Error(`${place}: write Homelab-Allow: <finding> <resource> <reason>`);
      return { ...checked({ finding, resource, reason: reason.trim() }, place), commit };
    }),
  );
}

/**
 * What somebody saw in a review and approved, of what a commit cannot accept: the review as `--json` prints it.
 *
 * @throws when it is no review.
 */
export function readApproval(text: string): Allowance[] {
  let findings: readonly JudgedFinding[];
  try {
    const { stacks } = JSON.parse(text) as { stacks: readonly { findings: readonly JudgedFinding[] }[] };
    findings = stacks.flatMap((stack) => stack.findings);
  } catch {
    throw new Error("--approved: this is no review; give the file that homelab review --json printed");
  }
  return findings
    .filter((one) => one.allowed === undefined && Object.hasOwn(FINDINGS, one.finding) && acceptedBy(one) === "owner")
    .map(({ finding, resource }) => ({ finding, resource, reason: "approved in the protected environment" }));
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

/**
 * Findings with the reasons for which they are accepted, and the allowances that accept nothing. A commit accepts only
 * what anyone may accept: its message may quote a stranger's text.
 */
export function judgeFindings(
  findings: readonly Finding[],
  allowances: readonly Allowance[],
): { judged: JudgedFinding[]; unused: Allowance[] } {
  const used = new Set<Allowance>();
  const judged = findings.map((finding): JudgedFinding => {
    const { exit } = FINDINGS[finding.finding];
    const by = acceptedBy(finding);
    const allowance = allowances.find(
      (one) => one.finding === finding.finding && concerns(one, finding) && (by === "anyone" || !one.commit),
    );
    if (!allowance || by === "nobody") return { ...finding, exit, acceptedBy: by };
    used.add(allowance);
    const { reason, commit } = allowance;
    return { ...finding, exit, acceptedBy: by, allowed: commit ? `${reason} (commit ${commit})` : reason };
  });
  return { judged, unused: allowances.filter((one) => !used.has(one)) };
}

function concerns({ resource }: Allowance, finding: Finding): boolean {
  const [, name] = /^(?:job|volume|namespace) (.*)$/.exec(finding.subject) ?? [];
  return resource === finding.resource || resource === name;
}
