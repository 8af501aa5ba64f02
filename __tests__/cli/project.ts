import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Job, Task } from "../../.gen/nomad/job";
import type { HomelabOutput } from "../../model/homelab";
import { Duration } from "../../nomad/duration";
import { escapeTerraform } from "../../nomad/terraform-text";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** A folder with these files, as synthesis would leave them. It is gone after the tests of the file. */
export function project(files: Readonly<Record<string, unknown>>): string {
  const folder = mkdtempSync(join(tmpdir(), "cli-"));
  folders.push(folder);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
  }
  return folder;
}

/** A folder whose `cdktf.out` holds these stacks. */
export function synthesized(stacks: Readonly<Record<string, unknown>>, outdir = "cdktf.out"): string {
  const names = Object.keys(stacks);
  const path = (name: string) => `stacks/${name}/cdk.tf.json`;
  return project({
    [`${outdir}/manifest.json`]: {
      stacks: Object.fromEntries(names.map((name) => [name, { name, synthesizedStackPath: path(name) }])),
    },
    ...Object.fromEntries(names.map((name) => [`${outdir}/${path(name)}`, stacks[name]])),
  });
}

export function job(id: string, tasks: readonly Task[], group: Partial<Job["TaskGroups"][0]> = {}): Job {
  return {
    ID: id,
    Name: id,
    Namespace: "bitcoin",
    Type: "service",
    Meta: { version: "1" },
    TaskGroups: [{ Name: id, Count: 1, Tasks: [...tasks], ...group }],
  };
}

export function task(name: string, image: string, [cpu, memory, memoryMax]: readonly number[], kill = 5): Task {
  return {
    Name: name,
    Driver: "docker",
    Config: { image },
    Resources: { CPU: cpu, MemoryMB: memory, ...(memoryMax && { MemoryMaxMB: memoryMax }) },
    KillTimeout: Duration.seconds(kill).toNanoseconds(),
  };
}

/** As `NomadJob` writes it, without loading CDKTF. */
export function jobResource(job: Job) {
  return { json: true, jobspec: escapeTerraform(JSON.stringify(job, null, 2)) };
}

/** A stack file as CDKTF writes it, with the output `homelab`. */
export function stackFile(jobs: readonly Job[], output?: Partial<HomelabOutput>, resource: object = {}) {
  const described: HomelabOutput = {
    cluster: {
      datacenter: "homelab",
      clients: ["pinode1", "pinode3", "pinode4"].map((name) => ({ name, memory: 7424, cpu: 7200 })),
      maxKillTimeout: "15m",
      drainDeadline: "15m",
      memoryOversubscription: true,
    },
    jobs: Object.fromEntries(jobs.map(({ ID }) => [`nomad_job.${ID}`, { path: `homelab/${ID}`, retained: true }])),
    volumes: [],
    secrets: [],
    dependencies: [],
    acknowledgements: [],
    notices: [],
    ...output,
  };
  return {
    provider: { nomad: [{ address: "http://pinode2.local:4646" }] },
    resource: { nomad_job: Object.fromEntries(jobs.map((one) => [one.ID, jobResource(one)])), ...resource },
    ...(output && { output: { homelab: { value: JSON.parse(escapeTerraform(JSON.stringify(described))) } } }),
  };
}
