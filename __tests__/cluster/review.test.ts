import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import type { Job, Task, TaskGroup } from "../../.gen/nomad/job";
import { Duration } from "../../nomad/duration";
import type { PinnedImage } from "../../nomad/image";
import type { Review } from "../../review/review";
import { project } from "../cli/project";
import { describeWith } from "../tools";
import { Agents } from "./agents";
import { attempt, command, until } from "./command";
import { homelab, synthesize } from "./command-line";
import { image, which } from "./images";
import { endAgent, freePort, startAgent } from "./loopback-agent";
import { program } from "./programs";
import { Run } from "./run";

type Edit = (task: Task, group: TaskGroup, job: Job, images: readonly PinnedImage[]) => unknown;

/** What the scheduler does to the instance that runs: it is replaced, or changed while it goes on. */
type Outcome = "restarts" | "in place";

/** Ten kinds of change, one job each. A second instance leaves the first one alone. */
const KINDS: Readonly<Record<string, Edit>> = {
  meta: (_, __, job) => Object.assign(job, { Meta: { version: "2" } }),
  image: ({ Config }, _, __, [, newer]) => Object.assign(Config, { image: newer }),
  env: (task) => Object.assign(task, { Env: { MODE: "new" } }),
  cpu: ({ Resources }) => Object.assign(Resources ?? {}, { CPU: 30 }),
  template: (task) =>
    Object.assign(task, { Templates: [{ DestPath: "local/x", EmbeddedTmpl: "new\n", ChangeMode: "noop" }] }),
  check: (_, { Services }) => Object.assign(Services?.[0]?.Checks?.[0] ?? {}, { Interval: seconds(3) }),
  "kill-timeout": (task) => Object.assign(task, { KillTimeout: seconds(9) }),
  "update-block": (_, { Update }) => Object.assign(Update ?? {}, { HealthyDeadline: seconds(45) }),
  priority: (_, __, job) => Object.assign(job, { Priority: 60 }),
  count: (_, group) => Object.assign(group, { Count: 2 }),
};

const seconds = (amount: number) => Duration.seconds(amount).toNanoseconds();

function jobOf(kind: string, images: readonly PinnedImage[]): Job {
  const [older = "x:1"] = images;
  return {
    ID: kind,
    Name: kind,
    Namespace: "lab",
    Type: "service",
    Datacenters: ["homelab"],
    Meta: { version: "1" },
    TaskGroups: [
      {
        Name: "main",
        Count: 1,
        Networks: [{ Mode: "host", DynamicPorts: [{ Label: "http" }] }],
        Services: [
          {
            Name: kind,
            PortLabel: "http",
            Provider: "nomad",
            Checks: [{ Name: "http", Type: "http", Path: "/", Interval: seconds(2), Timeout: seconds(2) }],
          },
        ],
        Update: {
          HealthCheck: "task_states",
          MinHealthyTime: seconds(1),
          HealthyDeadline: seconds(60),
          ProgressDeadline: seconds(120),
        },
        Tasks: [
          {
            Name: "main",
            Driver: "docker",
            Config: {
              image: older,
              network_mode: "host",
              entrypoint: ["/bin/busybox"],
              args: [
                "sh",
                "-c",
                "trap 'exit 0' TERM; echo ok >/local/index.html; busybox httpd -f -p 127.0.0.1:$NOMAD_PORT_http -h /local & wait",
              ],
            },
            Env: { MODE: "old" },
            Resources: { CPU: 20, MemoryMB: 32 },
            KillTimeout: seconds(5),
            Templates: [{ DestPath: "local/x", EmbeddedTmpl: "old\n", ChangeMode: "noop" }],
          },
        ],
      },
    ],
  };
}

interface Allocation {
  readonly ID: string;
  readonly JobVersion: number;
  readonly DesiredStatus: string;
  readonly ClientStatus: string;
  readonly TaskStates: Readonly<Record<string, { readonly StartedAt: string; readonly Restarts: number }>> | null;
}

describeWith(["nomad", "provider", "docker"], "homelab review on a real Nomad", () => {
  let run: Run;
  let agent: ChildProcess | undefined;
  let address: string;
  let folder: string;
  let images: readonly PinnedImage[];
  const kinds = Object.keys(KINDS);

  const ask = async <T>(path: string, method = "GET", body?: unknown): Promise<T> => {
    const init = { method, ...(body !== undefined && { body: JSON.stringify(body) }) };
    const answer = await fetch(`${address}/v1/${path}${path.includes("?") ? "&" : "?"}namespace=lab`, init);
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    const text = await answer.text();
    return (text && JSON.parse(text)) as T;
  };
  const review = async (...args: string[]): Promise<{ code: number | null; review: Review; err: string }> => {
    const { code, out, err } = await homelab(folder, ["review", "--format", "json", ...args], { token: "" });
    if (!out) throw new Error(`review ended with ${code}: ${err}`);
    return { code, review: JSON.parse(out).stacks[0], err };
  };
  const stack = () => join(folder, "cdktf.out/stacks/homelab");
  /** Applies exactly what was reviewed. */
  const apply = () =>
    command("terraform", [`-chdir=${stack()}`, "apply", "-input=false", "review.tfplan"], {
      env: { CHECKPOINT_DISABLE: "1" },
    });
  const allocations = (kind: string) => ask<Allocation[]>(`job/${kind}/allocations`);
  const settled = (kind: string) =>
    until(`the deployment of ${kind}`, 120, async () => {
      const { Version } = await ask<{ Version: number }>(`job/${kind}`);
      const deployment = await ask<{ Status: string; JobVersion: number } | null>(`job/${kind}/deployment`);
      return (deployment?.Status === "successful" && deployment.JobVersion === Version) || undefined;
    });
  const outcomeOf = ({ services }: Review, kind: string): Outcome | undefined => {
    const outcomes = services.find(({ job }) => job === kind)?.outcomes.map(({ outcome }) => outcome) ?? [];
    if (outcomes.includes("restarts")) return "restarts";
    // An instance more is none less.
    return outcomes.includes("in place") || outcomes.includes("starts") ? "in place" : undefined;
  };

  beforeAll(async () => {
    run = await Run.begin();
    const busybox = { "bin/busybox": which("busybox") };
    images = [image(run, "test/app:1.0", busybox), image(run, "test/app:1.1", busybox)];
    const [http, rpc, serf] = [await freePort(), await freePort(), await freePort()];
    address = `http://127.0.0.1:${http}`;
    agent = startAgent({ folder: run.path("node"), http, rpc, serf, options: agentOptions(rpc) });
    await until("a node that is ready", 90, async () => {
      const nodes = await ask<{ Status: string; Drivers: Record<string, { Healthy: boolean }> }[]>("nodes");
      return (nodes[0]?.Status === "ready" && nodes[0].Drivers.docker?.Healthy) || undefined;
    });
    // Nothing of what is synthesized orders the jobs after their namespace.
    await ask("namespace/lab", "PUT", { Name: "lab" });
  });

  afterAll(async () => {
    for (const kind of kinds) await ask(`job/${kind}?purge=true`, "DELETE").catch(() => {});
    await until("the end of all instances", 60, async () => {
      const all = await Promise.all(kinds.map((kind) => allocations(kind).catch(() => [])));
      return all.flat().every(({ ClientStatus }) => ClientStatus !== "running") || undefined;
    }).catch(() => {});
    await endAgent(agent, "SIGINT");
    for (const name of images ?? []) attempt("docker", ["rmi", "-f", name]);
    await run?.end();
  });

  test("says of ten kinds of change what Nomad then does to the running instance, with and without asking it", async () => {
    const jobs = (changed: boolean) =>
      kinds.map((kind) => {
        const job = jobOf(kind, images);
        const [group] = job.TaskGroups;
        if (changed && group?.Tasks[0]) KINDS[kind]?.(group.Tasks[0], group, job, images);
        return job;
      });
    folder = synthesize(address, jobs(false));
    const first = await review();
    expect(first.review.counts.created).toBe(kinds.length + 1);
    apply();
    for (const kind of kinds) await settled(kind);
    const before = await Promise.all(kinds.map(allocations));

    const again = synthesize(address, jobs(true));
    command("cp", [join(again, "cdktf.out/stacks/homelab/cdk.tf.json"), stack()]);
    const asked = await review("--nomad");
    const expected = await review();
    apply();
    for (const kind of kinds) await settled(kind);
    const after = await Promise.all(kinds.map(allocations));

    const table = kinds.map((kind, at) => {
      const [old] = before[at] ?? [];
      const same = after[at]?.find(({ ID }) => ID === old?.ID);
      const hasStayed =
        same?.DesiredStatus === "run" &&
        same.ClientStatus === "running" &&
        same.TaskStates?.main?.StartedAt === old?.TaskStates?.main?.StartedAt &&
        same.TaskStates?.main?.Restarts === 0;
      return {
        kind,
        expected: outcomeOf(expected.review, kind),
        asked: outcomeOf(asked.review, kind),
        nomad: hasStayed ? "in place" : "restarts",
        instances: after[at]?.filter(({ DesiredStatus }) => DesiredStatus === "run").length,
      };
    });
    const rows = table.map(
      ({ kind, expected, asked, nomad }) => `${kind.padEnd(14)}${expected?.padEnd(10)}${asked?.padEnd(10)}${nomad}`,
    );
    process.stderr.write(`${["change        expected  asked     Nomad", ...rows].join("\n")}\n`);

    for (const { expected, asked, nomad } of table) expect([expected, asked]).toEqual([nomad, nomad]);
    expect(new Set(table.map(({ nomad }) => nomad))).toEqual(new Set(["restarts", "in place"]));
    expect(table.find(({ kind }) => kind === "count")?.instances).toBe(2);
    expect(asked.review.services.every(({ asked }) => asked)).toBe(true);
    expect(expected.review.services.every(({ asked }) => !asked)).toBe(true);
  });

  test("afterwards finds nothing to do, and tells how long a restart took", async () => {
    expect(await review("--nomad")).toMatchObject({ code: 0, review: { verdict: "safe", services: [] } });
    const once = jobOf("meta", images);
    once.Meta = { version: "3" };
    const rest = kinds
      .filter((kind) => kind !== "meta")
      .map((kind) => {
        const job = jobOf(kind, images);
        const [group] = job.TaskGroups;
        if (group?.Tasks[0]) KINDS[kind]?.(group.Tasks[0], group, job, images);
        return job;
      });
    const again = synthesize(address, [once, ...rest]);
    command("cp", [join(again, "cdktf.out/stacks/homelab/cdk.tf.json"), stack()]);
    const { review: told } = await review("--nomad");
    expect(told.services.map(({ job }) => job)).toEqual(["meta"]);
    expect(told.services[0]?.outOfService).toMatch(/^the last time: \d+s; at most 1m5s \(/);
  });

  test("tells what was changed by hand, which Terraform does not see", async () => {
    await ask("job/meta/scale", "POST", { Count: 2, Target: { Group: "main" } });
    await settled("meta").catch(() => {});
    const { review: told } = await review("--nomad");
    expect(told.services[0]?.drift).toEqual([{ field: "TaskGroups[main].Count", old: "2", new: "1" }]);
    await ask("job/meta/scale", "POST", { Count: 1, Target: { Group: "main" } });
  });

  test("tells what was registered by hand without asking Nomad itself, since the plan has seen it", async () => {
    const job = jobOf("priority", images);
    job.Priority = 77;
    await ask("jobs", "POST", { Job: job, Submission: { Source: JSON.stringify(job), Format: "json" } });
    const { review: told } = await review();
    expect(told.drift).toEqual([
      {
        address: "nomad_job.priority",
        name: "job priority",
        gone: false,
        fields: [{ field: "Priority", old: "60", new: "77" }],
      },
    ]);
  });

  test("says that there is no room", async () => {
    const big = jobOf("meta", images);
    Object.assign(big.TaskGroups[0]?.Tasks[0]?.Resources ?? {}, { MemoryMB: 900_000 });
    const again = synthesize(address, [big]);
    command("cp", [join(again, "cdktf.out/stacks/homelab/cdk.tf.json"), stack()]);
    const { code, review: told } = await review("--nomad");
    expect(code).toBe(2);
    expect(told.findings).toContainEqual(
      expect.objectContaining({
        finding: "nomad-refuses",
        resource: "nomad_job.meta",
        problem: "would find no place: group main: a lack of memory rules out 1 of 1 machines",
      }),
    );
    // The same of the plan that was kept, as a deploy asks once more before it applies it.
    const stdin = command("terraform", [`-chdir=${stack()}`, "show", "-json", "review.tfplan"]);
    const piped = await homelab(folder, ["review", "--plan", "-", "--nomad", "--format", "json"], { token: "", stdin });
    expect([piped.code, JSON.parse(piped.out).stacks[0].findings]).toEqual([2, told.findings]);
    // And where nothing was synthesized: then NOMAD_ADDR says which cluster is asked.
    const elsewhere = await homelab(project({}), ["review", "--plan", "-", "--nomad", "--format", "json"], {
      token: "",
      stdin,
      environment: { NOMAD_ADDR: address },
    });
    expect([elsewhere.code, JSON.parse(elsewhere.out).stacks[0].findings]).toEqual([2, told.findings]);
  });
});

function agentOptions(rpc: number): string {
  return `name = "node"
server {
  enabled = true
  bootstrap_expect = 1
}
client {
  enabled = true
  servers = ["127.0.0.1:${rpc}"]
  network_interface = "lo"
  min_dynamic_port = 22500
  max_dynamic_port = 22699
  memory_total_mb = 2048
  cpu_total_compute = 4000
  options = {
    # A cloud's metadata service would be asked for at 169.254.169.254, for seconds.
    "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean,consul,vault,cni"
    "driver.allowlist" = "docker"
  }
}
plugin "docker" {
  config {
    allow_privileged = false
    gc {
      image = false
      # The engine may be shared: what others run is not this agent's to remove.
      dangling_containers { enabled = false }
    }
  }
}`;
}

describeWith(["nomad", "provider"], "homelab review while a machine is lost", () => {
  let agents: Agents;
  const fenced = (version: number) => program("one", { disconnect: true, version });

  beforeAll(async () => {
    agents = await Agents.start(["node"]);
    await agents.send("PUT", "namespace/lab", { Name: "lab" });
    await agents.register(fenced(1));
  });

  afterAll(async () => {
    await agents?.stop();
  });

  /** With the token of a pull request's runner, which may read and plan alone. */
  const review = async (job: Job) => {
    const folder = synthesize(agents.address, [job]);
    const { code, out, err } = await homelab(folder, ["review", "--format", "json", "--nomad"], {
      token: agents.token("reader"),
    });
    if (!out) throw new Error(`review ended with ${code}: ${err}`);
    const { findings }: Review = JSON.parse(out).stacks[0];
    return { code, findings: findings.map(({ finding, resource }) => `${finding} ${resource}`) };
  };

  test("refuses what would change its job, since the new version would run beside it; not before", async () => {
    expect((await review(fenced(2))).findings).not.toContain("not-now nomad_job.one");
    await agents.kill("node");
    await until("an allocation that is unknown", 60, async () => {
      const [allocation] = await agents.send<Allocation[]>("GET", "job/one/allocations", undefined, "lab");
      return allocation?.ClientStatus === "unknown" || undefined;
    });
    const { code, findings } = await review(fenced(2));
    expect(code).toBe(3);
    expect(findings[0]).toBe("not-now nomad_job.one");
  });
});
