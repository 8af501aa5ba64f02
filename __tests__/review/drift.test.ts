import { markdown } from "../../review/markdown";
import { readPlan } from "../../review/plan";
import { reviewPlan } from "../../review/review";
import { lines } from "../../review/text";
import { changed, printed, type RawPlan } from "./plans";

type RawChange = RawPlan["resource_changes"][number];
type Values = Record<string, unknown>;

/** The review of a plan that changes nothing, and that found a resource to be another than the state has it. */
function found(address: string, edit: (after: Values, change: RawChange["change"]) => Values | null, base = "no-op") {
  const text = changed(base, (plan) => {
    const one = plan.resource_changes.find((change) => change.address === address);
    if (!one) throw new Error(`no ${address}`);
    const change = structuredClone(one.change);
    change.actions = ["update"];
    change.after = edit({ ...change.before }, change);
    if (change.after === null) change.actions = ["delete"];
    plan.resource_drift = [{ ...one, change }];
  });
  return reviewPlan(readPlan(text));
}

const job = (values: Values, from: string, to: string): Values => {
  const jobspec = String(values.jobspec);
  if (!jobspec.includes(from)) throw new Error(`no ${from}`);
  return { ...values, jobspec: jobspec.replace(from, to) };
};

describe("what was changed outside of Terraform", () => {
  test("is told field by field without a cluster, in every format, and is no finding", () => {
    const review = found("nomad_job.bitcoin", (after) => job(after, '"MemoryMB": 4096', '"MemoryMB": 2048'));
    expect(review.drift).toEqual([
      {
        address: "nomad_job.bitcoin",
        name: "job bitcoin",
        gone: false,
        fields: [{ field: "TaskGroups[bitcoin].Tasks[bitcoind].Resources.MemoryMB", old: "4 GiB", new: "2 GiB" }],
      },
    ]);
    expect(markdown(review)).toContain(
      "### Changed outside of Terraform, as the plan found it\n\n- job bitcoin was changed: task bitcoind: memory 4 GiB → 2 GiB\n",
    );
    expect(lines(review).map(({ text }) => text)).toContain(
      "job bitcoin was changed: task bitcoind: memory 4 GiB → 2 GiB",
    );
    expect([review.exit, review.findings]).toEqual([0, []]);
  });

  test("is told of what is gone", () => {
    expect(markdown(found("nomad_job.electrs", () => null))).toContain("- job electrs is gone");
    expect(markdown(found("nomad_csi_volume_registration.electrs-data", () => null))).toContain(
      "- volume electrs-data is gone",
    );
  });

  test("is told of a volume by what was written, never by what Nomad counts", () => {
    const address = "nomad_csi_volume_registration.bitcoin-data";
    const review = found(address, (after) => ({
      ...after,
      nodes_healthy: 3,
      schedulable: false,
      context: { server: "192.168.68.50", share: "/mnt/other" },
    }));
    expect(review.drift[0]?.fields.map(({ field }) => field)).toEqual(["context.share"]);
    expect(found(address, (after) => ({ ...after, nodes_healthy: 3, schedulable: false })).drift).toEqual([]);
  });

  test("is nothing when only Nomad's own counting differs", () => {
    const review = found("nomad_job.bitcoin", (after) => ({ ...after, modify_index: "77", status: "pending" }));
    expect(review.drift).toEqual([]);
    expect(markdown(review)).not.toContain("outside of Terraform");
  });

  test("is told of a job that was run by hand in HCL", () => {
    const review = found("nomad_job.bitcoin", (after) => ({ ...after, jobspec: 'job "bitcoin" {}' }));
    expect(markdown(review)).toContain("- job bitcoin was changed: jobspec as it was → another, that cannot be read");
  });

  test("is told of another provider's resource by its address alone", () => {
    const review = found(
      "terraform_data.paint",
      (after) => ({ ...after, input: { color: "green" } }),
      "other-providers",
    );
    expect(markdown(review)).toContain("- `terraform_data.paint` was changed\n");
  });

  test("never shows what is sensitive or looks like a secret", () => {
    const secret = "QXZJWVKYQXZJ";
    const spec = found("nomad_job.bitcoin", (after) =>
      job(after, '"Driver": "docker"', `"Env": { "RPC_PASSWORD": "${secret}" }, "Driver": "docker"`),
    );
    expect(spec.drift[0]?.fields).toHaveLength(1);
    expect(printed(spec)).not.toContain(secret);
    const masked = found("nomad_csi_volume_registration.bitcoin-data", (after, change) => {
      change.after_sensitive = { secrets: true };
      return { ...after, secrets: { password: secret } };
    });
    expect(masked.drift[0]?.fields).not.toEqual([]);
    expect(printed(masked)).not.toContain(secret);
  });
});
