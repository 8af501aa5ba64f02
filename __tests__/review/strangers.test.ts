import type { Job, Task, TaskGroup } from "../../.gen/nomad/job";
import { FINDINGS, type FindingName } from "../../review/findings";
import { readPlan } from "../../review/plan";
import { reviewPlan } from "../../review/review";
import { changed, findingsOf, type RawPlan } from "./plans";

type Resource = RawPlan["resource_changes"][number];
type Edit = (plan: RawPlan) => void;

const VOLUME = "nomad_csi_volume_registration";

function resource({ resource_changes }: RawPlan, address: string): Resource {
  const found = resource_changes.find((one) => one.address === address);
  if (!found) throw new Error(`no ${address}`);
  return found;
}

/** Changes a job where it was, where it will be, or both. */
function job(id: string, edit: (task: Task, group: TaskGroup, job: Job) => unknown, sides = ["after"]): Edit {
  return (plan) => {
    const { change } = resource(plan, `nomad_job.${id}`);
    for (const side of sides as ("before" | "after")[]) {
      const read = JSON.parse(String(change[side]?.jobspec)) as Job;
      const [group] = read.TaskGroups;
      const task = group?.Tasks.find(({ Lifecycle }) => !Lifecycle);
      if (!group || !task) throw new Error(`no task in ${id}`);
      edit(task, group, read);
      change[side] = { ...change[side], jobspec: JSON.stringify(read) };
    }
    change.actions = ["update"];
  };
}

const config = (id: string, values: object) => job(id, ({ Config }) => Object.assign(Config, values));

function attributes(address: string, values: Record<string, unknown>, actions = ["update"]): Edit {
  return (plan) => {
    const { change } = resource(plan, address);
    change.actions = actions;
    change.after = actions[0] === "delete" && actions.length === 1 ? null : { ...change.after, ...values };
  };
}

/** What Terraform destroys, and Nomad stops or forgets with it. */
function destroyed(address: string, actions = ["delete"], more: Partial<Resource> = {}): Edit {
  return (plan) => {
    const one = resource(plan, address);
    one.change.before = { ...one.change.before, deregister_on_destroy: true };
    one.change.actions = actions;
    if (actions.length === 1) one.change.after = null;
    Object.assign(one, more);
  };
}

/** A job that is new, made from one that is there. */
function another(id: string, from: string, edit: (task: Task, group: TaskGroup, job: Job) => unknown): Edit {
  return (plan) => {
    const model = resource(plan, `nomad_job.${from}`);
    const text = String(model.change.after?.jobspec).replaceAll(`"${from}"`, `"${id}"`);
    const read = JSON.parse(text) as Job;
    const [group] = read.TaskGroups;
    if (group?.Tasks[0]) edit(group.Tasks[0], group, read);
    const after = { ...model.change.after, name: id, jobspec: JSON.stringify(read) };
    plan.resource_changes.push({
      ...model,
      address: `nomad_job.${id}`,
      name: id,
      change: { ...model.change, actions: ["create"], before: null, after },
    });
  };
}

/** A real plan that changes nothing, of a stack that says nothing of itself. */
function review(edit: Edit) {
  return reviewPlan(
    readPlan(
      changed("no-op", (plan) => {
        delete plan.output_changes;
        edit(plan);
      }),
    ),
  );
}

/** Each danger by what a stranger's stack does, and where it must be found. */
const DANGERS: Partial<Record<FindingName, readonly (readonly [what: string, edit: Edit, resource: string])[]>> = {
  "data-lost": [
    ["the chain is forgotten", destroyed(`${VOLUME}.bitcoin-data`), `${VOLUME}.bitcoin-data`],
    ["funds are registered anew", destroyed(`${VOLUME}.albyhub-data`, ["delete", "create"]), `${VOLUME}.albyhub-data`],
    [
      "the chain is deleted",
      (plan) => {
        destroyed(`${VOLUME}.bitcoin-data`)(plan);
        resource(plan, `${VOLUME}.bitcoin-data`).type = "nomad_external_volume";
      },
      `${VOLUME}.bitcoin-data`,
    ],
  ],
  "second-provider": [
    [
      "another ID leaves the old job with the same service",
      job("electrs", (_, __, read) => Object.assign(read, { ID: "electrs2", Name: "electrs2" })),
      "nomad_job.electrs",
    ],
  ],
  "second-writer-on-funds": [
    ["another job writes them", another("second", "albyhub", () => {}), "nomad_job.second"],
    ["two instances write them", job("albyhub", (_, group) => Object.assign(group, { Count: 2 })), "nomad_job.albyhub"],
  ],
  "one-way-downgrade": [
    ["an older electrs", config("electrs", { image: "getumbrel/electrs:v0.10.10" }), "nomad_job.electrs"],
  ],
  "plan-failed": [["Terraform could not finish", (plan) => Object.assign(plan, { errored: true }), "stack"]],
  "job-destroyed": [["a job is stopped", destroyed("nomad_job.electrs"), "nomad_job.electrs"]],
  "job-replaced": [
    ["a job is made anew", destroyed("nomad_job.electrs", ["delete", "create"]), "nomad_job.electrs"],
    [
      "a construct is renamed",
      (plan) => {
        another("moved", "electrs", (_, __, job) => Object.assign(job, { ID: "electrs" }))(plan);
        destroyed("nomad_job.electrs")(plan);
      },
      "nomad_job.electrs",
    ],
  ],
  "volume-destroyed": [["an index is forgotten", destroyed(`${VOLUME}.electrs-data`), `${VOLUME}.electrs-data`]],
  "namespace-destroyed": [
    ["it goes", destroyed("nomad_namespace.namespace"), "nomad_namespace.namespace"],
    ["it is made anew", destroyed("nomad_namespace.namespace", ["delete", "create"]), "nomad_namespace.namespace"],
  ],
  tainted: [
    [
      "a job is",
      destroyed("nomad_job.bitcoin", ["delete", "create"], { action_reason: "replace_because_tainted" }),
      "nomad_job.bitcoin",
    ],
    [
      "a volume is",
      destroyed(`${VOLUME}.electrs-data`, ["delete", "create"], { action_reason: "replace_because_tainted" }),
      `${VOLUME}.electrs-data`,
    ],
  ],
  "job-id-changed": [
    ["of one that is kept", job("bitcoin", (_, __, job) => Object.assign(job, { ID: "node" })), "nomad_job.bitcoin"],
  ],
  "leaves-terraform": [
    ["a job that is kept", attributes("nomad_job.electrs", {}, ["delete"]), "nomad_job.electrs"],
    ["a volume that is kept", attributes(`${VOLUME}.bitcoin-data`, {}, ["delete"]), `${VOLUME}.bitcoin-data`],
    ["what Terraform forgets", attributes("nomad_job.electrs", {}, ["forget"]), "nomad_job.electrs"],
  ],
  "second-writer": [
    ["another job", another("second", "electrs", () => {}), "nomad_job.second"],
    ["a canary", job("electrs", (_, group) => Object.assign(group, { Update: { Canary: 1 } })), "nomad_job.electrs"],
    ["every client", job("electrs", (_, __, job) => Object.assign(job, { Type: "system" })), "nomad_job.electrs"],
  ],
  "count-above-one": [
    ["two instances", job("electrs", (_, group) => Object.assign(group, { Count: 2 })), "nomad_job.electrs"],
    [
      "a new job of two",
      another("second", "electrs", (_, group) => {
        group.Count = 2;
        for (const volume of Object.values(group.Volumes ?? {})) volume.Source = "other";
      }),
      "nomad_job.second",
    ],
    ["an absurd number", job("electrs", (_, group) => Object.assign(group, { Count: 1e18 })), "nomad_job.electrs"],
  ],
  "fence-weakened": [
    ["none", job("electrs", (_, group) => delete group.Disconnect), "nomad_job.electrs"],
    [
      "a replacement at once",
      job("electrs", (_, group) => Object.assign(group.Disconnect ?? {}, { Replace: true })),
      "nomad_job.electrs",
    ],
    [
      "a shorter one",
      job("electrs", (_, group) => Object.assign(group.Disconnect ?? {}, { LostAfter: 3600e9 })),
      "nomad_job.electrs",
    ],
  ],
  "kill-timeout-lowered": [
    ["a minute", job("bitcoin", (task) => Object.assign(task, { KillTimeout: 60e9 })), "nomad_job.bitcoin"],
  ],
  "image-known-bad": [["a withdrawn Core", config("bitcoin", { image: "bitcoin/bitcoin:30.0" }), "nomad_job.bitcoin"]],
  "image-downgrade": [
    ["of Core", config("bitcoin", { image: "bitcoin/bitcoin:31.0" }), "nomad_job.bitcoin"],
    [
      "of any other program",
      (plan) => {
        job("electrs", ({ Config }) => Object.assign(Config, { image: "grafana/grafana:11.2.0" }), ["before"])(plan);
        config("electrs", { image: "grafana/grafana:11.1.9" })(plan);
      },
      "nomad_job.electrs",
    ],
  ],
  "one-way-upgrade": [["a hub", config("albyhub", { image: "ghcr.io/getalby/hub:v1.25.0" }), "nomad_job.albyhub"]],
  "version-requirement": [
    ["electrs without REST", config("electrs", { image: "getumbrel/electrs:v0.12.0" }), "nomad_job.electrs"],
  ],
  "image-unpinned": [
    ["latest", config("electrs", { image: "getumbrel/electrs:latest" }), "nomad_job.electrs"],
    [
      "of a new job",
      another("web", "electrs", ({ Config }, group) => {
        Config.image = "nginx";
        delete group.Volumes;
      }),
      "nomad_job.web",
    ],
  ],
  "image-unreadable": [["a build", config("electrs", { image: "getumbrel/electrs:build7" }), "nomad_job.electrs"]],
  "memory-lowered": [
    [
      "half",
      job("bitcoin", ({ Resources }) => Object.assign(Resources ?? {}, { MemoryMB: 2048 })),
      "nomad_job.bitcoin",
    ],
    [
      "a negative",
      job("bitcoin", ({ Resources }) => Object.assign(Resources ?? {}, { MemoryMB: -1e18 })),
      "nomad_job.bitcoin",
    ],
  ],
  "ceiling-lowered": [
    [
      "less",
      job("bitcoin", ({ Resources }) => Object.assign(Resources ?? {}, { MemoryMaxMB: 4500 })),
      "nomad_job.bitcoin",
    ],
  ],
  "cpu-lowered": [
    ["less", job("bitcoin", ({ Resources }) => Object.assign(Resources ?? {}, { CPU: 1 })), "nomad_job.bitcoin"],
  ],
  "volume-parameters": [
    [
      "another folder",
      attributes(`${VOLUME}.electrs-data`, { context: { server: "nas.lan", share: "/other" } }),
      `${VOLUME}.electrs-data`,
    ],
    ["a parameter", attributes(`${VOLUME}.electrs-data`, { parameters: { subDir: "x" } }), `${VOLUME}.electrs-data`],
  ],
  "access-mode": [
    [
      "many writers",
      attributes(`${VOLUME}.electrs-data`, {
        capability: [{ access_mode: "multi-node-multi-writer", attachment_mode: "file-system" }],
      }),
      `${VOLUME}.electrs-data`,
    ],
    [
      "a block device",
      attributes(`${VOLUME}.electrs-data`, {
        capability: [{ access_mode: "multi-node-single-writer", attachment_mode: "block-device" }],
      }),
      `${VOLUME}.electrs-data`,
    ],
  ],
  "protection-lowered": [
    ["of a job", attributes("nomad_job.electrs", { deregister_on_destroy: true }), "nomad_job.electrs"],
  ],
  "privilege-gained": [
    ["privileged", config("electrs", { privileged: true }), "nomad_job.electrs"],
    ["a capability", config("electrs", { cap_add: ["sys_admin"] }), "nomad_job.electrs"],
    ["a path of the machine", config("electrs", { volumes: ["/:/host"] }), "nomad_job.electrs"],
    ["the machine's processes", config("electrs", { pid_mode: "host" }), "nomad_job.electrs"],
    ["the host's network, by Docker", config("electrs", { network_mode: "host" }), "nomad_job.electrs"],
    [
      "the host's network, by Nomad",
      job("electrs", (_, group) => Object.assign(group.Networks?.[0] ?? {}, { Mode: "host" })),
      "nomad_job.electrs",
    ],
    [
      "a program outside of Docker",
      job("electrs", (task) => Object.assign(task, { Driver: "raw_exec" })),
      "nomad_job.electrs",
    ],
    [
      "a new job that is privileged",
      another("web", "electrs", ({ Config }, group) => {
        Config.privileged = true;
        delete group.Volumes;
      }),
      "nomad_job.web",
    ],
    [
      "a service that calls itself a plugin",
      job("electrs", (task) =>
        Object.assign(task, { CSIPluginConfig: { ID: "x" }, Config: { ...task.Config, privileged: true } }),
      ),
      "nomad_job.electrs",
    ],
  ],
  "port-exposed": [
    [
      "one more",
      job("electrs", (_, { Networks }) =>
        Networks?.[0]?.ReservedPorts?.push({ Label: "metrics", Value: 4224, To: 4224 }),
      ),
      "nomad_job.electrs",
    ],
    [
      "one that Nomad chooses",
      job("electrs", (_, { Networks }) => {
        Object.assign(Networks?.[0] ?? {}, { DynamicPorts: [{ Label: "metrics", To: 4224 }] });
      }),
      "nomad_job.electrs",
    ],
    ["of a new job", another("web", "electrs", (_, group) => delete group.Volumes), "nomad_job.web"],
  ],
  "secret-in-job": [
    [
      "in its environment",
      job("electrs", (task) => Object.assign(task, { Env: { RPC_PASSWORD: "hunter2hunter2" } })),
      "nomad_job.electrs",
    ],
    ["in its arguments", config("electrs", { args: ["--auth", "user:hunter2hunter2"] }), "nomad_job.electrs"],
    [
      "in a template",
      job("electrs", (task) =>
        Object.assign(task, { Templates: [{ DestPath: "local/x", EmbeddedTmpl: "password = hunter2hunter2\n" }] }),
      ),
      "nomad_job.electrs",
    ],
  ],
  "rule-broken": [
    [
      "a mount that keeps locks to itself",
      attributes(`${VOLUME}.electrs-data`, { mount_options: [{ fs_type: "nfs", mount_flags: ["nolock"] }] }),
      `${VOLUME}.electrs-data:mount-flags`,
    ],
    [
      "a port twice",
      job("electrs", (_, { Networks }) => Networks?.[0]?.ReservedPorts?.push({ Label: "rpc", Value: 8332, To: 8332 })),
      "nomad_job.electrs:static-port",
    ],
    [
      "a new writer without a fence",
      another("second", "electrs", (_, group) => {
        delete group.Disconnect;
        for (const volume of Object.values(group.Volumes ?? {})) volume.Source = "other";
      }),
      "nomad_job.second:single-writer",
    ],
    [
      "a database that Nomad would roll back",
      job("albyhub", (_, group) => Object.assign(group.Update ?? {}, { AutoRevert: true })),
      "nomad_job.albyhub:funds",
    ],
  ],
  "provider-changed": [
    [
      "of one resource",
      (plan) => Object.assign(resource(plan, "nomad_job.electrs"), { provider_name: "registry.example.org/x/nomad" }),
      "stack",
    ],
  ],
  "spec-unreadable": [
    ["HCL", attributes("nomad_job.electrs", { json: null, jobspec: 'job "electrs" {}' }), "nomad_job.electrs"],
    [
      "a number that is none",
      job("electrs", (_, group) => Object.assign(group, { Count: "many" })),
      "nomad_job.electrs",
    ],
  ],
};

/** What a plan without the output `homelab` cannot hold, or what only a cluster can tell. */
const ELSEWHERE: readonly FindingName[] = [
  "not-now",
  "nomad-refuses",
  "rule-acknowledged",
  "backend-changed",
  "state-lost",
  "state-doubtful",
  "nomad-outdated",
];

/** What unjudged.test.ts has the cases of. */
const UNJUDGED: readonly FindingName[] = [
  "access-widened",
  "host-volume",
  "image-replaced",
  "resource-unjudged",
  "runs-program",
  "scheduler-changed",
  "variable-written",
];

describe("a stack without our metadata", () => {
  test("has a case for each danger that its plan can show", () => {
    expect([...Object.keys(DANGERS), ...ELSEWHERE, ...UNJUDGED].sort()).toEqual(Object.keys(FINDINGS).sort());
  });

  const cases = Object.entries(DANGERS).flatMap(([finding, cases]) =>
    cases.map(([what, edit, resource]) => [finding, what, edit, resource] as const),
  );

  test.each(cases)("is told %s: %s", (finding, _, edit, resource) => {
    const found = review(edit);
    expect(findingsOf(found)).toContain(`${finding} ${resource}`);
    expect(found.exit).toBeGreaterThanOrEqual(FINDINGS[finding as FindingName].exit);
  });

  test("that changes nothing has nothing to tell", () => {
    expect(findingsOf(review(() => {}))).toEqual([]);
  });

  test("is not told what nobody can know of it", () => {
    const lonely = another("web", "electrs", (task, group, job) => {
      job.Namespace = "elsewhere";
      task.Templates = [];
      group.Update = { AutoRevert: false };
      for (const volume of Object.values(group.Volumes ?? {})) {
        volume.Source = "of-another-stack";
        volume.PerAlloc = true;
      }
      group.Count = 3;
      group.Constraints = [{ Operand: "distinct_hosts", RTarget: "true" }];
    });
    const found = findingsOf(review(lonely));
    expect(found.filter((one) => /placement|service-provided|volume-exists|count-above-one/.test(one))).toEqual([]);
  });
});
