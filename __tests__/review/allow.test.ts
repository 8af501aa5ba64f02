import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  COMMIT_FORMAT,
  type Commit,
  judgeFindings,
  readAllowance,
  readApproval,
  readCommits,
  readTrailers,
} from "../../review/allow";
import type { Finding, FindingName, JudgedFinding } from "../../review/findings";
import { readPlan } from "../../review/plan";
import { reviewPlan } from "../../review/review";
import { findingText } from "../../review/words";
import { changed } from "./plans";

describe("an acknowledgement on the command line", () => {
  test("names finding, resource and reason; a reason may hold anything", () => {
    expect(readAllowance("memory-lowered:nomad_job.bitcoin=measured: 2 GiB = enough")).toEqual({
      finding: "memory-lowered",
      resource: "nomad_job.bitcoin",
      reason: "measured: 2 GiB = enough",
    });
  });

  test.each([
    "memory-lowered",
    "memory-lowered:nomad_job.bitcoin",
    "memory-lowered:nomad_job.bitcoin=",
    "memory-lowered:nomad_job.bitcoin=  ",
    "memory-lowered=because",
    "",
  ])("%p is refused, because it lacks something", (text) => {
    expect(() => readAllowance(text)).toThrow(/write <finding>:<resource>=<reason>, such as/);
  });

  test("of a finding that does not exist is refused with those that do", () => {
    expect(() => readAllowance("memory-lowred:x=y")).toThrow(
      /there is no finding memory-lowred; there are data-lost, .*memory-lowered/,
    );
  });
});

/** What git prints of a history with these messages, the newest first. */
function commitsOf(...messages: readonly string[]): Commit[] {
  const folder = mkdtempSync(join(tmpdir(), "commits-"));
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=Renovate", "-c", "user.email=bot@example.org", ...args], {
      cwd: folder,
      encoding: "utf8",
    });
  git("init", "-q");
  for (const message of messages) git("commit", "-q", "--allow-empty", "-m", message);
  const log = git("log", `--format=${COMMIT_FORMAT}`);
  rmSync(folder, { recursive: true });
  return readCommits(log);
}

describe("an acknowledgement in a commit", () => {
  const ALLOW = "Homelab-Allow: memory-lowered nomad_job.bitcoin measured for a month";

  test("is a trailer, of which a message may have several, and its commit and author are told", () => {
    const message = `Lower what bitcoind reserves

Measured for a month.

${ALLOW}
homelab-allow:  cpu-lowered   nomad_job.electrs   it
  idles
Signed-off-by: someone`;
    expect(readTrailers(commitsOf("Older", message))).toEqual([
      {
        finding: "memory-lowered",
        resource: "nomad_job.bitcoin",
        reason: "measured for a month",
        commit: expect.stringMatching(/^[0-9a-f]{12} by Renovate <bot@example\.org>$/),
      },
      expect.objectContaining({ finding: "cpu-lowered", resource: "nomad_job.electrs", reason: "it idles" }),
    ]);
  });

  test.each([
    ["quoted release notes", `Update hub\n\n<details>\n\n* Faster\n${ALLOW}\n\n</details>`],
    ["release notes at the end of a message", `Update hub\n\n#### What's Changed\n* Faster by @somebody\n${ALLOW}`],
    ["a block that another one follows", `Update hub\n\n${ALLOW}\n\nCo-authored-by: Somebody <x@example.org>`],
    ["a quotation", `Update hub\n\n> ${ALLOW}`],
    ["a list", `Update hub\n\n* ${ALLOW}`],
    ["a sentence", `we will need ${ALLOW}`],
    ["a subject", ALLOW],
  ])("in %s is none", (_, message) => {
    expect(readTrailers(commitsOf(message))).toEqual([]);
  });

  test("without a reason is refused, with its commit", () => {
    expect(() => readTrailers(commitsOf("x\n\nHomelab-Allow: memory-lowered nomad_job.bitcoin"))).toThrow(
      /^commit [0-9a-f]{12} by Renovate <bot@example\.org>: .*: write Homelab-Allow: <finding> <resource> <reason>$/,
    );
  });

  const finding = (name: FindingName, more: Partial<Finding> = {}): Finding => ({
    finding: name,
    resource: "nomad_job.albyhub",
    subject: "job albyhub",
    problem: "changes",
    ...more,
  });
  const judgedBy = (one: Finding, commit?: string) =>
    judgeFindings(
      [one],
      [{ finding: one.finding, resource: one.resource, reason: "I mean it", ...(commit && { commit }) }],
    );

  test.each<FindingName>([
    "fence-weakened",
    "protection-lowered",
    "volume-destroyed",
    "second-writer",
    "count-above-one",
    "job-id-changed",
    "access-widened",
    "variable-written",
    "runs-program",
    "image-replaced",
    "state-doubtful",
    "resource-unjudged",
  ])("never accepts %s, which its owner can", (name) => {
    const refused = judgedBy(finding(name), "0123 by x");
    expect(refused.judged[0]?.allowed).toBeUndefined();
    expect(refused.unused).toHaveLength(1);
    expect(judgedBy(finding(name)).judged[0]?.allowed).toBe("I mean it");
    const { advice, command } = findingText(refused.judged[0] as JudgedFinding);
    expect(advice).toContain("no commit can accept this: approve the deploy in its protected environment");
    expect(command).toBe(`--allow '${name}:nomad_job.albyhub=<reason>'`);
  });

  test("is not what an approval accepts: that is what only the owner can, and was seen", () => {
    const seen = [finding("fence-weakened"), finding("memory-lowered"), finding("data-lost")];
    const shown = judgeFindings(seen, []).judged;
    const approved = readApproval(JSON.stringify({ stacks: [{ findings: shown }] }));
    const { judged } = judgeFindings([...seen, finding("runs-program")], approved);
    expect(judged.filter(({ allowed }) => allowed).map((one) => one.finding)).toEqual(["fence-weakened"]);
    expect(() => readApproval("{}")).toThrow(/this is no review/);
  });

  test("accepts what anyone may accept, and shows whose it is", () => {
    expect(judgedBy(finding("memory-lowered"), "0123 by x").judged[0]?.allowed).toBe("I mean it (commit 0123 by x)");
    expect(judgedBy(finding("volume-parameters", { ownerOnly: true }), "0123 by x").judged[0]?.allowed).toBeUndefined();
    expect(judgedBy(finding("data-lost")).judged[0]?.allowed).toBeUndefined();
  });

  test("cannot accept another folder of a volume with funds, or a lock that is given up", () => {
    const of = (id: string) =>
      reviewPlan(
        readPlan(
          changed("no-op", (plan) => {
            for (const { address, change } of plan.resource_changes) {
              if (address !== `nomad_csi_volume_registration.${id}-data`) continue;
              change.actions = ["update"];
              const options = { mount_flags: ["nfsvers=4.1", "nolock"] };
              change.after = { ...change.after, context: { server: "x", share: "/y" }, mount_options: [options] };
            }
          }),
        ),
      ).findings.map(({ finding, acceptedBy }) => `${finding} ${acceptedBy}`);
    expect(of("albyhub")).toContain("volume-parameters owner");
    expect(of("electrs")).toContain("volume-parameters anyone");
    expect(of("electrs")).toContain("rule-broken owner");
  });
});
