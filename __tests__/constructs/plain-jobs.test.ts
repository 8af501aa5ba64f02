import { Job as PlainJob } from "@cdktf/provider-nomad/lib/job";
import { Testing } from "cdktf";
import { acknowledge } from "../../constructs/homelab-stack";
import { buildHomelab } from "../homelab-fixture";

const SITE = {
  ID: "site",
  Name: "site",
  Namespace: "bitcoin",
  Type: "service",
  TaskGroups: [
    {
      Name: "site",
      Networks: [{ Mode: "host" }],
      Tasks: [
        {
          Name: "site",
          Driver: "docker",
          Config: { image: "nginx:latest", privileged: true },
          Env: { DB_PASSWORD: "Hunter2Hunter2" },
        },
      ],
    },
  ],
};

/** What synthesis says of a stack with a job that no construct of ours made. */
function said(add: (stack: ReturnType<typeof buildHomelab>["stack"]) => void): string {
  const { stack } = buildHomelab();
  add(stack);
  try {
    Testing.synth(stack, true);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

const plain =
  (jobspec: string, json = true) =>
  (stack: ReturnType<typeof buildHomelab>["stack"]) =>
    new PlainJob(stack, "site", { jobspec, json });

describe("a job that no construct of ours made", () => {
  test("is judged by every rule, and shown without its secrets", () => {
    const text = said(plain(JSON.stringify(SITE)));
    for (const rule of ["privileged", "bridge-networking", "pinned-image", "no-secret-in-job", "resources"]) {
      expect(text).toContain(`(rule ${rule})`);
    }
    expect(text).toContain("homelab/site: TaskGroups[site].Tasks[site].Config.privileged = true");
    expect(text).not.toContain("Hunter2");
  });

  test("is judged when it is written over the job of a construct", () => {
    const text = said((stack) => {
      const made = stack.node.findAll().find((one) => one instanceof PlainJob && one.node.path.includes("/electrs/"));
      (made as PlainJob).addOverride("jobspec", JSON.stringify({ ...SITE, ID: "electrs", Name: "electrs" }));
    });
    expect(text).toContain("(rule privileged)");
  });

  test("is judged when it is written past every construct", () => {
    const text = said((stack) =>
      stack.addOverride("resource.nomad_job.site", { jobspec: JSON.stringify(SITE), json: true }),
    );
    expect(text).toContain("(rule privileged)");
  });

  test.each([
    ["HCL", 'job "site" {}', false, "is HCL"],
    ["what Terraform reads later", '${file("site.json")}', true, "is no JSON before Terraform evaluates it"],
    ["a job without an ID", "{}", true, "has no ID"],
  ])("is refused when it is %s, since nobody can judge it", (_, jobspec, json, problem) => {
    const text = said(plain(jobspec, json));
    expect(text).toContain(`${problem}, so no rule can judge this job (rule readable-job)`);
    expect(text).toContain("nomad job run -output job.hcl");
  });

  test("goes on with an acknowledgement for each rule", () => {
    expect(
      said((stack) => {
        const site = plain('job "site" {}', false)(stack);
        acknowledge(site, "readable-job", "it is a website, and writes nothing");
      }),
    ).toBe("");
  });
});
