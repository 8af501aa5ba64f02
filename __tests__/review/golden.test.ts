import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { FindingName } from "../../review/findings";
import { LIMIT, markdown } from "../../review/markdown";
import type { Review } from "../../review/review";
import { findingsOf, reviewOf } from "./plans";

/** Every plan with its exit code, what it finds, and which services restart. */
const PLANS: Readonly<
  Record<string, readonly [exit: number, findings: readonly string[], restarts: readonly string[]]>
> = {
  // The one server of the fixture, accepted in writing.
  create: [2, ["rule-acknowledged homelab/albyhub:second-place"], []],
  "no-op": [0, [], []],
  "image-bump": [0, [], ["bitcoin"]],
  "image-downgrade": [2, ["image-downgrade nomad_job.bitcoin"], ["bitcoin"]],
  "one-way-downgrade": [3, ["one-way-downgrade nomad_job.electrs"], ["electrs"]],
  "meta-version": [0, [], ["electrs"]],
  "memory-cut": [2, ["memory-lowered nomad_job.bitcoin"], ["bitcoin"]],
  "volume-parameters": [2, ["volume-parameters nomad_csi_volume_registration.bitcoin-data"], []],
  "job-rename": [2, ["job-id-changed nomad_job.bitcoin", "second-writer nomad_job.bitcoin"], ["electrs"]],
  "construct-rename": [2, ["leaves-terraform nomad_job.bitcoin"], []],
  namespace: [
    3,
    [
      "second-writer-on-funds nomad_job.albyhub",
      "volume-destroyed nomad_csi_volume_registration.albyhub-data",
      "volume-destroyed nomad_csi_volume_registration.bitcoin-data",
      "volume-destroyed nomad_csi_volume_registration.electrs-data",
      "namespace-destroyed nomad_namespace.namespace",
      "leaves-terraform nomad_job.albyhub",
      "leaves-terraform nomad_job.bitcoin",
      "leaves-terraform nomad_job.electrs",
      "second-writer nomad_job.bitcoin",
      "second-writer nomad_job.electrs",
    ],
    [],
  ],
  tainted: [2, ["job-replaced nomad_job.bitcoin", "tainted nomad_job.bitcoin"], []],
  prevented: [3, ["plan-failed stack", "job-replaced nomad_job.bitcoin", "tainted nomad_job.bitcoin"], []],
  "destroy-all": [
    3,
    [
      "data-lost nomad_csi_volume_registration.albyhub-data",
      "data-lost nomad_csi_volume_registration.bitcoin-data",
      "job-destroyed nomad_job.albyhub",
      "job-destroyed nomad_job.bitcoin",
      "job-destroyed nomad_job.csi-nfs_controller_E2C08671",
      "job-destroyed nomad_job.csi-nfs_node_19142682",
      "job-destroyed nomad_job.electrs",
      "volume-destroyed nomad_csi_volume_registration.electrs-data",
      "namespace-destroyed nomad_namespace.namespace",
      "scheduler-changed nomad_scheduler_config.scheduler",
    ],
    [],
  ],
  "unknown-values": [2, ["runs-program terraform_data.spec", "spec-unreadable nomad_job.electrs"], []],
  "leaves-terraform": [
    2,
    ["leaves-terraform nomad_csi_volume_registration.albyhub-data", "leaves-terraform nomad_job.albyhub"],
    [],
  ],
  "volume-deregistered": [
    3,
    ["data-lost nomad_csi_volume_registration.albyhub-data", "job-destroyed nomad_job.albyhub"],
    [],
  ],
  "volume-deleted": [
    3,
    [
      "data-lost nomad_csi_volume.bitcoin-data",
      "namespace-destroyed nomad_namespace.namespace",
      "leaves-terraform nomad_csi_volume_registration.albyhub-data",
      "leaves-terraform nomad_csi_volume_registration.electrs-data",
      "leaves-terraform nomad_job.albyhub",
      "leaves-terraform nomad_job.bitcoin",
      "leaves-terraform nomad_job.csi-nfs_controller_E2C08671",
      "leaves-terraform nomad_job.csi-nfs_node_19142682",
      "leaves-terraform nomad_job.electrs",
      "scheduler-changed nomad_scheduler_config.scheduler",
    ],
    [],
  ],
  acknowledged: [2, ["rule-acknowledged homelab/electrs:pinned-image"], []],
  backend: [2, ["backend-changed stack"], []],
  sensitive: [
    2,
    ["volume-parameters nomad_csi_volume_registration.electrs-data", "spec-unreadable nomad_job.electrs"],
    [],
  ],
  "secret-in-job": [2, ["secret-in-job nomad_job.electrs"], ["electrs"]],
  "other-providers": [2, ["runs-program terraform_data.brush", "runs-program terraform_data.paint"], []],
  hcl: [2, ["spec-unreadable nomad_job.hcl"], []],
  // A stack that does not describe itself.
  "many-dangers": [
    2,
    [
      "count-above-one nomad_job.bitcoin",
      "fence-weakened nomad_job.bitcoin",
      "kill-timeout-lowered nomad_job.bitcoin",
      "image-known-bad nomad_job.bitcoin",
      "image-downgrade nomad_job.bitcoin",
      "one-way-upgrade nomad_job.electrs",
      "version-requirement nomad_job.electrs",
      "image-unpinned nomad_job.albyhub",
      "access-mode nomad_csi_volume_registration.electrs-data",
      "privilege-gained nomad_job.bitcoin",
      "port-exposed nomad_job.bitcoin",
      "rule-broken nomad_job.bitcoin:static-port",
      "rule-broken nomad_job.bitcoin:stop-chain",
      "rule-broken nomad_job.electrs:volume-exists",
    ],
    ["albyhub", "bitcoin", "electrs"],
  ],
};

/** The jobs' own JSON would be most of the text, and says nothing of the review. */
const withoutJson = (text: string) => text.replaceAll(/```json\n.*?\n```/gs, "```json\n…\n```");

const problemOf = ({ findings }: Review, name: FindingName) =>
  findings.find(({ finding }) => finding === name)?.problem;

describe("the review of a real plan", () => {
  test("is tested for every plan that is there", () => {
    const files = readdirSync(join(__dirname, "../fixtures/plans")).filter((name) => name.endsWith(".json.gz"));
    expect(files.map((name) => name.replace(".json.gz", "")).sort()).toEqual([...Object.keys(PLANS), "state"].sort());
  });

  test.each(Object.entries(PLANS))("of %s", (name, [exit, findings, restarts]) => {
    const review = reviewOf(name);
    expect(findingsOf(review)).toEqual(findings);
    expect(review.exit).toBe(exit);
    const restarting = review.services.filter(({ outcomes }) => outcomes.some(({ outcome }) => outcome === "restarts"));
    expect(restarting.map(({ job }) => job)).toEqual(restarts);
    expect(review.counts.restarts).toBe(restarts.length);

    const text = markdown(review);
    expect(withoutJson(text)).toMatchSnapshot();
    expect(text.length).toBeLessThan(LIMIT);
    expect(text).not.toMatch(/known after apply\)|undefined|NaN|\[object/);
    expect(markdown(reviewOf(name))).toBe(text);
  });

  test("tells a memory cut as its owner would", () => {
    const text = markdown(reviewOf("memory-cut"));
    expect(text.split("\n")[0]).toBe("## ⚠️ **needs acknowledgement** of 1 finding; restarts 1 service");
    expect(text).toContain("bitcoin restarts, because task bitcoind: memory cannot change in a running instance.");
    expect(text).toContain(
      "Out of service at most 25m (up to 15m to stop, up to 10m until it is healthy; then the deployment fails).",
    );
    expect(text).toContain("electrs and albyhub need it and will notice.");
    expect(text).toContain("| task bitcoind: memory | `4 GiB` | `3 GiB` |");
  });

  test("says that a renamed job runs on beside the new one", () => {
    const review = reviewOf("job-rename");
    expect(problemOf(review, "job-id-changed")).toBe(
      "becomes bitcoin-core, which leaves the old one running beside a new one",
    );
    expect(markdown(review)).toContain("which leaves the old one running beside a new one");
  });

  test("says that a tainted job must be untainted first", () => {
    expect(markdown(reviewOf("tainted"))).toContain("untaint first, or Terraform will stop and recreate it");
  });

  test.each([
    ["leaves-terraform", "leaves Terraform, goes on existing"],
    ["construct-rename", "leaves Terraform, goes on existing: the same one enters Terraform again as nomad_job.node"],
  ])("says of %s that what leaves Terraform goes on existing", (name, problem) => {
    const review = reviewOf(name);
    expect(review.exit).toBe(2);
    expect(review.findings.find(({ resource }) => resource.startsWith("nomad_job."))?.problem).toBe(problem);
    expect(markdown(review)).toContain("leaves Terraform, goes on existing");
  });

  test("shows a job in HCL by its name, and says what would let it be read", () => {
    const text = markdown(reviewOf("hcl"));
    expect(text).toContain("job hcl cannot be read: HCL; shown by name only");
    expect(text).toContain("write it as JSON, with json = true; no commit can accept this");
  });

  test("shows of an image the part that differs", () => {
    expect(markdown(reviewOf("image-bump"))).toContain("| task bitcoind: image | `31.1` | `31.2` |");
  });

  test("ends with a hidden line by which the comment is found again", () => {
    expect(markdown(reviewOf("no-op"), { stack: "at home" }).trimEnd().split("\n").at(-1)).toBe(
      "<!-- homelab-review at_home -->",
    );
  });
});
