import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeWith } from "../tools";
import { Agents } from "./agents";
import { command } from "./command";
import { homelab, synthesize } from "./command-line";
import { program } from "./programs";

/** As its owner wrote it, in HCL. */
const HCL = `job "one" {
  namespace   = "lab"
  datacenters = ["homelab"]
  meta { version = "1" }
  group "main" {
    update {
      health_check      = "task_states"
      min_healthy_time  = "1s"
      healthy_deadline  = "30s"
      progress_deadline = "60s"
    }
    task "main" {
      driver = "raw_exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "trap 'exit 0' TERM INT; sleep 1d & wait"]
      }
      resources {
        cpu    = 50
        memory = 64
      }
    }
  }
}`;

describeWith(["nomad", "terraform", "provider"], "homelab adopt on a cluster that runs already", () => {
  let agents: Agents;
  let folder: string;
  const terraform = { required_providers: { nomad: { source: "hashicorp/nomad", version: "2.6.1" } } };
  const withProvider = (directory: string) => {
    const file = join(directory, "cdktf.out/stacks/homelab/cdk.tf.json");
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), terraform }));
    return directory;
  };
  const run = (...args: string[]) => homelab(folder, ["adopt", ...args], { token: agents.token("reader") });

  beforeAll(async () => {
    agents = await Agents.start(["node"]);
    await agents.send("PUT", "namespace/lab", { Name: "lab" });
    writeFileSync(join(agents.folder, "one.hcl"), HCL);
    const NOMAD_TOKEN = agents.token("management");
    const env = { NOMAD_ADDR: agents.address, NOMAD_TOKEN };
    command("nomad", ["job", "run", "-detach", join(agents.folder, "one.hcl")], { env });
    await agents.settled({ ID: "one", Namespace: "lab" });
    folder = withProvider(synthesize(agents.address, [program("one"), program("new")]));
  });

  afterAll(async () => {
    await agents?.stop();
  });

  test("names in words what a deploy would change, and what to import", async () => {
    const { code, out, err } = await run();
    expect({ code, err: err.replace(/asking .*\n/g, "") }).toEqual({ code: 0, err: "" });
    expect(out).toBe(`homelab: can be adopted: nothing is destroyed, nothing replaced
A deploy would change
  job one in namespace lab: registering it as written would restart main
    main/main Resources.MemoryMB  live 64  code 32
  job new in namespace lab: is not in Nomad; registering it as written would start 1 of main
Imports
  terraform -chdir=cdktf.out/stacks/homelab import nomad_namespace.lab lab
  terraform -chdir=cdktf.out/stacks/homelab import nomad_job.one one@lab
`);
  });

  test("writes import blocks with which Terraform itself plans no replacement", async () => {
    const { out } = await run("--write", "--json");
    const { written } = JSON.parse(out);
    expect(existsSync(written)).toBe(true);
    const cwd = join(folder, "cdktf.out/stacks/homelab");
    const env = { ...process.env, NOMAD_TOKEN: agents.token("deployer"), CHECKPOINT_DISABLE: "1" };
    for (const args of [["init"], ["apply", "-auto-approve"]]) {
      const ran = spawnSync("terraform", [...args, "-input=false", "-no-color"], { cwd, env, encoding: "utf8" });
      expect([ran.status, ran.stderr]).toEqual([0, ""]);
      if (args[0] === "apply") expect(ran.stdout).toMatch(/Resources: 2 imported, 1 added, 1 changed, 0 destroyed/);
    }
  });
});
