import type { Homelab } from "../../model/homelab";
import { readableJob } from "../../rules/readable-job";
import { findings } from "./homelab";

describe(readableJob.statement, () => {
  test("a homelab whose jobs can all be read passes", () => {
    expect(findings(readableJob, () => {})).toEqual([]);
  });

  test("a job that cannot be read is named, with the way to make JSON of it", () => {
    const found = readableJob.check({
      unreadable: [{ path: "homelab/site", problem: "is HCL" }],
    } as unknown as Homelab);
    expect(found).toEqual([
      expect.objectContaining({
        path: "homelab/site",
        problem: "is HCL, so no rule can judge this job",
        remedy: expect.stringContaining("nomad job run -output job.hcl"),
      }),
    ]);
  });
});
