import type { Job } from "../../.gen/nomad/job";
import { readPlan } from "../../review/plan";
import { reviewPlan } from "../../review/review";
import { addBackup, buildHomelab, synthesize } from "../homelab-fixture";
import { changed, findingsOf, type RawPlan } from "./plans";

/** The plan that creates the homelab with its backup: a real one of another, with the jobs and volumes of this one. */
function review(change: (job: Job) => void = () => {}) {
  const { config, output, jobs } = synthesize(addBackup(buildHomelab({ backup: {} })).stack);
  for (const job of Object.values(jobs)) change(job);
  const plan = changed("create", (raw) => {
    const like = (type: string) => {
      const found = raw.resource_changes.find((one) => one.type === type);
      if (!found?.change.after) throw new Error(`no ${type} in the plan`);
      return found;
    };
    const made = (type: string, after: (name: string, values: Record<string, unknown>) => Record<string, unknown>) =>
      Object.entries<Record<string, unknown>>(config.resource[type]).map(
        ([name, values]): RawPlan["resource_changes"][number] => ({
          ...like(type),
          address: `${type}.${name}`,
          name,
          change: { ...like(type).change, after: { ...like(type).change.after, ...after(name, values) } },
        }),
      );
    const described = (values: Record<string, unknown>) => {
      const { ID } = JSON.parse(String(values.jobspec).replaceAll("$${", "${").replaceAll("%%{", "%{"));
      return { ...values, jobspec: JSON.stringify(jobs[ID]) };
    };
    raw.resource_changes = [
      ...raw.resource_changes.filter(({ type }) => type !== "nomad_job" && type !== "nomad_csi_volume_registration"),
      ...made("nomad_job", (_, values) => described(values)),
      ...made("nomad_csi_volume_registration", (_, values) => ({ ...values, namespace: "bitcoin" })),
    ];
    for (const one of Object.values(raw.output_changes ?? {})) Object.assign(one as object, { after: output });
  });
  return reviewPlan(readPlan(plan));
}

describe("the review of a homelab with its backup", () => {
  test("finds no second writer on the volume of backups, which six jobs write", () => {
    const { findings, services } = review();
    const uses = services.flatMap(({ volumes }) => volumes.filter(({ id }) => id === "backup"));
    expect(uses).toHaveLength(6);
    expect(findings.map(({ finding, subject }) => `${finding} ${subject}`)).toEqual([
      "rule-acknowledged homelab/albyhub",
    ]);
  });

  test("finds one as soon as the backup would write the hub's volume, which holds funds", () => {
    const found = review((job) => {
      if (job.ID === "backup") Object.assign(job.TaskGroups[0]?.Volumes?.albyhub ?? {}, { ReadOnly: false });
    });
    expect(findingsOf(found)).toContainEqual(expect.stringMatching(/^second-writer-on-funds nomad_job\./));
  });
});
