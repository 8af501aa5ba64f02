import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Testing } from "cdktf";
import { toJobspec } from "../nomad/jobspec";
import { buildHomelab } from "./homelab-fixture";
import { describeWith } from "./tools";

describeWith(["go"], "tools/nomad-api", () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "contract-"));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const tool = (...args: string[]) =>
    spawnSync("go", ["run", ".", ...args], { cwd: "tools/nomad-api", encoding: "utf8" });

  test("accepts every job of the homelab", () => {
    const { stack } = buildHomelab();
    const { status, stdout } = tool("check", join(Testing.fullSynth(stack), "stacks", "homelab", "cdk.tf.json"));
    expect([status, stdout]).toEqual([0, expect.stringContaining("5 jobs in 1 file")]);
  });

  test("refuses what Nomad would drop or misread, and names its JSON path", () => {
    const { job } = buildHomelab().bitcoin;
    Object.assign(job.TaskGroups[0]?.Tasks[0] ?? {}, { kill_timeout: 5, KillTimeout: "20m" });
    Object.assign(job.TaskGroups[0]?.Tasks[0]?.Config ?? {}, { privilaged: true });
    const file = join(directory, "cdk.tf.json");
    writeFileSync(
      file,
      JSON.stringify({ resource: { nomad_job: { bitcoin: { jobspec: toJobspec(job), json: true } } } }),
    );
    const { status, stderr } = tool("check", file);
    expect(status).toBe(1);
    expect(stderr).toContain(
      "nomad_job.bitcoin: TaskGroups[0].Tasks[0].kill_timeout: unknown key (did you mean KillTimeout?)",
    );
    expect(stderr).toContain(
      'TaskGroups[0].Tasks[0].KillTimeout: "20m" is a string; Nomad wants an integer of nanoseconds (1200000000000)',
    );
    expect(stderr).toContain("TaskGroups[0].Tasks[0].Config.privilaged: unknown key (did you mean privileged?)");
  });

  test("generates just what is committed in .gen", () => {
    expect(tool("gen", "-o", directory).status).toBe(0);
    const committed = resolve(".gen/nomad");
    for (const file of readdirSync(committed)) {
      expect(readFileSync(join(directory, file), "utf8")).toBe(readFileSync(join(committed, file), "utf8"));
    }
  });
});
