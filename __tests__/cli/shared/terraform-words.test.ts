import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { explainTerraform } from "../../../cli/shared/terraform-words";
import { describeWith } from "../../tools";
import { job, jobResource, project, task } from "../project";

const STACK = "cdktf.out/stacks/homelab";
const line = (address: string, said: string) => `2026-11-28T10:55:56.097Z [ERROR] vertex "${address}" error: ${said}\n`;
const explain = (said: string) => explainTerraform(line("nomad_job.bitcoin", said), STACK);

describe("what Terraform says, in our words", () => {
  test.each([
    ["Provider produced inconsistent result after apply", "import nomad_job.bitcoin"],
    ["Provider produced inconsistent result after apply: Root object was present, but now absent.", "homelab adopt"],
    ["Root resource was present, but now absent", "homelab adopt"],
    ["Provider returned invalid result object after apply", "homelab adopt"],
    ["Provider produced inconsistent final plan", "read it anew"],
    ["Instance cannot be destroyed", "put back what was renamed or removed of nomad_job.bitcoin"],
    [
      "error waiting for job 'bitcoin' to schedule/deploy successfully: timeout while waiting for state to become 'x'",
      "untaint nomad_job.bitcoin",
    ],
    ["error applying jobspec: Unexpected response code: 403 (Permission denied)", "a token with the policy deployer"],
    ["error registering CSI volume: volume is currently in use", "homelab pause"],
    ['Put "http://x:4646/v1/jobs": dial tcp 1.2.3.4:4646: connect: connection refused', "wait until homelab status"],
    ["Unexpected response code: 500 (No cluster leader)", "wait until homelab status"],
  ])("%s", (said, remedy) => {
    const [words = "", ...more] = explain(said);
    expect([words, more]).toEqual([expect.stringContaining(remedy), []]);
    expect(words).toMatch(/^nomad_job\.bitcoin: .*\. What to do: .*\.$/);
  });

  test("what speaks for itself gets no second sentence, and each is said once", () => {
    expect(explain("Unsupported argument")).toEqual([]);
    expect(explainTerraform("[ERROR] provider: error encountered while scanning stdout\n", STACK)).toEqual([]);
    const twice = line("nomad_job.bitcoin (destroy)", "Instance cannot be destroyed").repeat(2);
    expect(explainTerraform(twice, STACK)).toHaveLength(1);
  });
});

describeWith(
  ["terraform", "provider"],
  "npm run deploy's last step, on a Nomad that takes a job and does not show it",
  () => {
    test("names the resource, what it means and what to do", async () => {
      const answers: Record<string, object> = {
        "/v1/jobs": { EvalID: "", JobModifyIndex: 5 },
        "/v1/job/hub/plan": { JobModifyIndex: 0 },
        "/v1/agent/self": { config: { Version: { Version: "2.0.5" } } },
      };
      const nomad = createServer((request, response) => {
        request.resume();
        const answer = answers[request.url?.split("?")[0] ?? ""];
        if (answer) response.end(JSON.stringify(answer));
        else response.writeHead(404).end("job not found");
      }).listen(0, "127.0.0.1");
      await once(nomad, "listening");
      const folder = project({
        "main.tf.json": {
          terraform: { required_providers: { nomad: { source: "hashicorp/nomad", version: "2.6.1" } } },
          provider: { nomad: { address: `http://127.0.0.1:${(nomad.address() as AddressInfo).port}` } },
          resource: { nomad_job: { hub: jobResource(job("hub", [task("main", "name:1", [100, 128])])) } },
        },
      });
      const env = {
        ...process.env,
        TF_LOG: "ERROR",
        TF_LOG_PATH: join(folder, "terraform.log"),
        CHECKPOINT_DISABLE: "1",
      };
      execFileSync("terraform", ["init", "-input=false"], {
        cwd: folder,
        env: { ...env, TF_LOG: "" },
        stdio: "ignore",
      });
      writeFileSync(join(folder, "terraform.log"), "");
      const apply = spawn("terraform", ["apply", "-auto-approve", "-input=false"], {
        cwd: folder,
        env,
        stdio: "ignore",
      });
      const [code] = await once(apply, "close");
      nomad.close();
      expect(code).not.toBe(0);
      expect(explainTerraform(readFileSync(join(folder, "terraform.log"), "utf8"), STACK)).toEqual([
        expect.stringMatching(/^nomad_job\.hub: Nomad took it, and did not show it .* import nomad_job\.hub …/),
      ]);
    });
  },
);
