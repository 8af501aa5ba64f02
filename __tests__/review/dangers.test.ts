import type { Nanoseconds, Task } from "../../.gen/nomad/job";
import { FINDINGS } from "../../review/findings";
import { readPlan } from "../../review/plan";
import { reviewPlan } from "../../review/review";
import { hours, minutes } from "../rules/homelab";
import { changed, findingsOf, fixture, type JobEdit, printed, type RawPlan, reviewOf, reviewOfChange } from "./plans";

/** What is found, without the resource; of a broken rule which one. */
const found = (edit: JobEdit, options?: Parameters<typeof reviewOfChange>[1]) =>
  reviewOfChange(edit, options).findings.map(({ finding, resource }) =>
    finding === "rule-broken" ? `rule ${resource.split(":")[1]}` : finding,
  );

const resources =
  (values: Partial<Task["Resources"]>): JobEdit =>
  (task) =>
    Object.assign(task.Resources ?? {}, values);
const config =
  (values: object): JobEdit =>
  (task) =>
    Object.assign(task.Config, values);
const image = (image: string) => config({ image });
const group =
  (values: object): JobEdit =>
  (_, group) =>
    Object.assign(group, values);
const task =
  (values: object): JobEdit =>
  (task) =>
    Object.assign(task, values);
const fence = (LostAfter: Nanoseconds) =>
  group({ Disconnect: { LostAfter, Replace: false, Reconcile: "keep_original" } });
const priority: JobEdit = (_, __, job) => Object.assign(job, { Priority: 70 });

/** One kind of change a line: what is done to the job, and what the review must find. */
const CHANGES: readonly [what: string, findings: readonly string[], edit: JobEdit, id?: string][] = [
  ["more memory", [], resources({ MemoryMB: 5120 })],
  ["less memory", ["memory-lowered"], resources({ MemoryMB: 3000 })],
  ["a lower ceiling", ["ceiling-lowered"], resources({ MemoryMaxMB: 5000 })],
  ["no ceiling above memory", ["ceiling-lowered"], resources({ MemoryMaxMB: undefined })],
  ["an unlimited ceiling", [], resources({ MemoryMaxMB: -1 })],
  ["less CPU", ["cpu-lowered"], resources({ CPU: 100 })],
  ["no CPU, so Nomad's default", ["cpu-lowered", "rule resources"], resources({ CPU: undefined })],
  [
    "no kill timeout, so Nomad's default",
    ["kill-timeout-lowered", "rule stop-chain"],
    task({ KillTimeout: undefined }),
  ],
  ["a longer kill timeout", [], task({ KillTimeout: minutes(20) })],
  ["no fence", ["fence-weakened"], group({ Disconnect: undefined })],
  ["a shorter fence", ["fence-weakened"], fence(hours(800))],
  ["a longer fence", [], fence(hours(2400))],
  ["two instances", ["count-above-one", "rule static-port"], group({ Count: 2 })],
  [
    "two instances of a hub",
    ["second-writer-on-funds", "rule funds", "rule static-port"],
    group({ Count: 2 }),
    "albyhub",
  ],
  ["a canary", ["second-writer"], (_, { Update }) => Object.assign(Update ?? {}, { Canary: 1 })],
  [
    "a hub on every machine",
    ["second-writer-on-funds", "rule funds"],
    (_, __, job) => Object.assign(job, { Type: "system" }),
    "albyhub",
  ],
  [
    "a second task that writes",
    ["second-writer", "rule own-secret-path"],
    (task, group) =>
      group.Tasks.push({ ...task, Name: "other", Lifecycle: { Hook: "poststart", Sidecar: true } } as never),
  ],
  ["room to scale", ["count-above-one"], group({ Scaling: { Min: 1, Max: 3 } })],
  ["another stable version", [], image("bitcoin/bitcoin:31.2")],
  ["a release candidate of a newer version", [], image("bitcoin/bitcoin:31.2rc1")],
  ["a release candidate of this version", ["image-downgrade"], image("bitcoin/bitcoin:31.1rc1")],
  ["an older version", ["image-downgrade"], image("bitcoin/bitcoin:30.2")],
  ["an older version of no return", ["one-way-downgrade"], image("bitcoin/bitcoin:29.1")],
  ["a withdrawn version", ["image-known-bad", "image-downgrade"], image("bitcoin/bitcoin:30.1")],
  ["an image of another processor", ["image-known-bad", "image-replaced"], image("bitcoin/bitcoin:31.1-alpine")],
  ["latest", ["image-unpinned"], image("bitcoin/bitcoin:latest")],
  ["a tag that is no version", ["image-unreadable"], image("bitcoin/bitcoin:build7")],
  ["a tag of more digits than any version", ["image-unreadable"], image(`bitcoin/bitcoin:${"9".repeat(30)}`)],
  ["the same version of a mirror", ["image-replaced"], image("mirror.lan:5000/bitcoin/bitcoin:31.1")],
  [
    "an older version of a mirror",
    ["image-downgrade", "image-replaced"],
    image("mirror.lan:5000/bitcoin/bitcoin:31.0"),
  ],
  ["a patch of the hub", [], image("ghcr.io/getalby/hub:v1.24.1"), "albyhub"],
  ["a minor of the hub", ["one-way-upgrade"], image("ghcr.io/getalby/hub:v1.25.0"), "albyhub"],
  ["an older hub", ["one-way-downgrade"], image("ghcr.io/getalby/hub:v1.23.0"), "albyhub"],
  [
    "an electrs of no return",
    ["one-way-upgrade", "version-requirement"],
    image("getumbrel/electrs:v0.12.0"),
    "electrs",
  ],
  ["privileges", ["privilege-gained"], config({ privileged: true })],
  ["a capability", ["privilege-gained"], config({ cap_add: ["net_admin"] })],
  ["a path of the machine", ["privilege-gained"], config({ volumes: ["/etc:/host"] })],
  ["root", ["privilege-gained", "rule non-root"], task({ User: "root" })],
  [
    "the host's network",
    ["privilege-gained", "rule bridge-networking"],
    (_, { Networks }) => Object.assign(Networks?.[0] ?? {}, { Mode: "host" }),
  ],
  [
    "a port",
    ["port-exposed"],
    (_, { Networks }) => Networks?.[0]?.ReservedPorts?.push({ Label: "zmq", Value: 28332, To: 28332 }),
  ],
  ["a port less", [], (_, { Networks }) => Networks?.[0]?.ReservedPorts?.pop()],
  ["a secret", ["secret-in-job"], task({ Env: { API_TOKEN: "f00dfacecafe" } })],
  ["a priority", [], priority],
  [
    "another name of a task that gets less, of an older version",
    ["one-way-downgrade", "memory-lowered", "rule own-secret-path"],
    (task) => {
      Object.assign(task, { Name: "indexer" });
      Object.assign(task.Config, { image: "getumbrel/electrs:v0.10.10" });
      Object.assign(task.Resources ?? {}, { MemoryMB: 1024 });
    },
    "electrs",
  ],
  [
    "another name of a group of an older version",
    ["image-downgrade", "rule own-secret-path"],
    ({ Config }, group) => {
      group.Name = "node";
      Config.image = "bitcoin/bitcoin:31.0";
    },
  ],
];

describe("dangers in a stack that does not describe itself", () => {
  for (const [what, findings, edit, id] of CHANGES) {
    test(what, () => expect(found(edit, { id })).toEqual(findings));
  }

  test("what was odd before is not told again", () => {
    const odd: JobEdit = (task, group) => {
      task.Config.privileged = true;
      task.Config.image = "bitcoin/bitcoin:latest";
      task.Env = { API_TOKEN: "f00dfacecafe" };
      group.Count = 2;
      delete group.Disconnect;
    };
    expect(found(priority, { before: odd })).toEqual([]);
  });

  test("a requirement that is no longer met is told at the job that needs it", () => {
    const review = reviewPlan(
      readPlan(
        changed("many-dangers", (plan) => {
          for (const { address, change } of plan.resource_changes) {
            // electrs is new already, and bitcoind goes back.
            if (address === "nomad_job.electrs") change.before = change.after;
          }
        }),
      ),
    );
    expect(findingsOf(review)).toContain("version-requirement nomad_job.electrs");
  });

  test("a volume of a node by another image holds the chain, by the names that are there", () => {
    const lost = (image: string, id: string) =>
      reviewPlan(
        readPlan(
          changed("volume-deleted", (plan) => {
            for (const { change } of plan.resource_changes) {
              if (change.before) {
                const text = JSON.stringify(change.before)
                  .replaceAll("bitcoin/bitcoin:31.1", image)
                  .replaceAll("bitcoin-data", id);
                change.before = JSON.parse(text);
              }
            }
          }),
        ),
      ).findings[0]?.finding;
    expect(lost("example.org/node:31.1", "bitcoin-data")).toBe("data-lost");
    expect(lost("example.org/lnd:0.20.0", "state")).toBe("data-lost");
    expect(lost("bitcoin/bitcoin:31.1", "disk")).toBe("data-lost");
  });

  test("a second job that writes the funds is refused, and no reason helps", () => {
    const plan = readPlan(
      changed("no-op", (raw) => {
        delete raw.output_changes;
        const hub = raw.resource_changes.find(({ address }) => address === "nomad_job.albyhub");
        if (!hub) throw new Error("no hub");
        const jobspec = String(hub.change.after?.jobspec).replaceAll('"albyhub"', '"second"');
        raw.resource_changes.push({
          ...hub,
          address: "nomad_job.second",
          change: { ...hub.change, actions: ["create"], before: null, after: { ...hub.change.after, jobspec } },
        });
      }),
    );
    const allowances = [
      { finding: "second-writer-on-funds", resource: "nomad_job.second", reason: "for a test" },
    ] as const;
    const review = reviewPlan(plan, { allowances });
    expect(findingsOf(review)).toEqual([
      "second-writer-on-funds nomad_job.second",
      "port-exposed nomad_job.second",
      "rule-broken nomad_job.second:own-secret-path",
      "rule-broken nomad_job.second:second-place",
      "rule-broken nomad_job.second:static-port",
    ]);
    expect(review.exit).toBe(3);
    expect(review.unusedAllowances).toHaveLength(1);
  });
});

describe("data that changes hands", () => {
  test("is told when the job that comes for it runs an older version than the one that goes", () => {
    const text = changed("no-op", (plan) => {
      delete plan.output_changes;
      const old = plan.resource_changes.find(({ address }) => address === "nomad_job.electrs");
      if (!old) throw new Error("no electrs");
      const jobspec = String(old.change.after?.jobspec)
        .replace('"ID": "electrs"', '"ID": "index"')
        .replace(/getumbrel\/electrs:[^"]*/, "getumbrel/electrs:v0.10.10");
      const after = { ...old.change.after, jobspec };
      const change = { ...old.change, actions: ["create"], before: null, after };
      plan.resource_changes.push({ ...old, address: "nomad_job.index", change });
      const before = { ...old.change.before, deregister_on_destroy: true };
      old.change = { ...old.change, actions: ["delete"], before, after: null };
    });
    const review = reviewPlan(readPlan(text));
    expect(findingsOf(review)).toContain("one-way-downgrade nomad_job.index");
    expect(review.exit).toBe(3);
  });
});

describe("dangers of the stack and its resources", () => {
  const foundIn = (name: string, change: Parameters<typeof changed>[1]) =>
    findingsOf(reviewPlan(readPlan(changed(name, change))));
  const resource = (plan: RawPlan, address: string) => {
    const found = plan.resource_changes.find((one) => one.address === address);
    if (!found) throw new Error(`no ${address}`);
    return found;
  };

  test.each([
    ["provider", "hashicorp/nomad 2.7.0", "provider-changed stack"],
    ["nomadAddress", "http://elsewhere:4646", "provider-changed stack"],
    ["state", "pg", "backend-changed stack"],
  ])("another %s is told", (key, value, finding) => {
    expect(
      foundIn("no-op", (plan) => {
        const output = plan.output_changes as { homelab: { after: { terraform: Record<string, string> } } };
        output.homelab.after.terraform[key] = value;
      }),
    ).toEqual([finding]);
  });

  test("another provider of one resource is told", () => {
    expect(
      foundIn("no-op", (plan) => {
        resource(plan, "nomad_job.electrs").provider_name = "registry.example.org/someone/nomad";
      }),
    ).toEqual(["provider-changed stack"]);
  });

  test("a job and a volume that Nomad would no longer keep are told", () => {
    expect(
      foundIn("no-op", (plan) => {
        for (const address of ["nomad_job.electrs", "nomad_csi_volume_registration.electrs-data"]) {
          const { change } = resource(plan, address);
          change.actions = ["update"];
          change.after = { ...change.after, deregister_on_destroy: true };
        }
      }),
    ).toEqual([
      "protection-lowered nomad_csi_volume_registration.electrs-data",
      "protection-lowered nomad_job.electrs",
    ]);
  });

  test("a renamed construct of a job that Nomad stops for it is replaced, and what else changes is not missed", () => {
    expect(
      foundIn("construct-rename", (plan) => {
        const [old, now] = [resource(plan, "nomad_job.bitcoin"), resource(plan, "nomad_job.node")];
        old.change.before = { ...old.change.before, deregister_on_destroy: true };
        now.change.after = {
          ...now.change.after,
          jobspec: String(now.change.after?.jobspec).replace('"MemoryMB": 4096', '"MemoryMB": 2048'),
        };
      }),
    ).toEqual(["job-replaced nomad_job.bitcoin", "memory-lowered nomad_job.node"]);
  });

  test("a renamed construct of a volume is told, and more when its source changes with it", () => {
    const rename = (share: string) =>
      foundIn("no-op", (plan) => {
        const old = resource(plan, "nomad_csi_volume_registration.electrs-data");
        const after = { ...old.change.after, context: { server: "192.168.68.50", share } };
        plan.resource_changes.push({
          ...old,
          address: "nomad_csi_volume_registration.index",
          change: { ...old.change, actions: ["create"], before: null, after },
        });
        old.change = { ...old.change, actions: ["delete"], after: null };
      });
    const leaves = "leaves-terraform nomad_csi_volume_registration.electrs-data";
    expect(rename("/mnt/homelab-general/electrs-data")).toEqual([leaves]);
    expect(rename("/mnt/other")).toEqual([leaves, "volume-parameters nomad_csi_volume_registration.index"]);
  });

  test("a job that is replaced because of its ID, and that Nomad keeps, runs beside the new one", () => {
    const text = changed("job-rename", (plan) => {
      resource(plan, "nomad_job.bitcoin").change.actions = ["delete", "create"];
    });
    const [finding] = reviewPlan(readPlan(text)).findings;
    expect(finding).toMatchObject({ finding: "job-id-changed", exit: 2 });
    expect(finding?.problem).toBe("becomes bitcoin-core, which leaves the old one running beside a new one");
  });

  test("what is only forgotten by Terraform is never lost", () => {
    expect(
      foundIn("volume-deregistered", (plan) => {
        for (const one of plan.resource_changes) {
          if (one.change.actions[0] === "delete") one.change.actions = ["forget"];
        }
      }),
    ).toEqual(["leaves-terraform nomad_csi_volume_registration.albyhub-data", "leaves-terraform nomad_job.albyhub"]);
  });

  test("an old object that Terraform still has to destroy would stop the job that runs", () => {
    expect(
      foundIn("no-op", (plan) => {
        const { change, ...rest } = resource(plan, "nomad_job.albyhub");
        const before = { ...change.before, deregister_on_destroy: true };
        const old = { ...rest, deposed: "0badcafe", change: { ...change, actions: ["delete"], before, after: null } };
        plan.resource_changes.push(old);
      }),
    ).toEqual(["job-replaced nomad_job.albyhub:deposed-0badcafe"]);
  });

  test("two volumes of one folder have two writers", () => {
    expect(
      foundIn("no-op", (plan) => {
        delete plan.output_changes;
        const { change } = resource(plan, "nomad_csi_volume_registration.electrs-data");
        change.actions = ["update"];
        change.after = {
          ...change.after,
          context: { server: "192.168.68.50", share: "/mnt/homelab-general/./x/../albyhub-data/" },
        };
      }),
    ).toContain("second-writer-on-funds nomad_job.electrs");
  });
});

describe("an acknowledgement", () => {
  const allow = (finding: keyof typeof FINDINGS, resource: string) => [
    { finding, resource, reason: "measured for a month" },
  ];

  test("accepts its finding and shows the reason", () => {
    for (const resource of ["nomad_job.bitcoin", "bitcoin"]) {
      const review = reviewOf("memory-cut", { allowances: allow("memory-lowered", resource) });
      expect([review.exit, review.verdict]).toEqual([0, "safe"]);
      expect(printed(review)).toContain("accepted: «measured for a month»");
    }
  });

  test("of one accepted breach accepts no other", () => {
    const text = changed("acknowledged", (plan) => {
      const output = plan.output_changes as { homelab: { after: { acknowledgements: object[] } } };
      output.homelab.after.acknowledgements.push({ path: "homelab/electrs", rule: "non-root", reason: "I must" });
    });
    const accept = (resource: string) =>
      reviewPlan(readPlan(text), { allowances: allow("rule-acknowledged", resource) }).findings.map(({ allowed }) =>
        Boolean(allowed),
      );
    expect(accept("homelab/electrs:non-root")).toEqual([true, false]);
    expect(accept("homelab/electrs")).toEqual([false, false]);
    expect(accept("stack")).toEqual([false, false]);
  });

  test("of another finding or another resource accepts nothing, and that is said", () => {
    for (const [finding, resource] of [
      ["cpu-lowered", "nomad_job.bitcoin"],
      ["memory-lowered", "nomad_job.electrs"],
    ] as const) {
      const review = reviewOf("memory-cut", { allowances: allow(finding, resource) });
      expect(review.exit).toBe(2);
      expect(printed(review)).toContain(`The acknowledgement of ${finding} ${resource} accepts nothing`);
    }
  });

  test.each([
    ["volume-deregistered", "data-lost", "nomad_csi_volume_registration.albyhub-data"],
    ["volume-deleted", "data-lost", "nomad_csi_volume.bitcoin-data"],
    ["one-way-downgrade", "one-way-downgrade", "nomad_job.electrs"],
    ["namespace", "second-writer-on-funds", "nomad_job.albyhub"],
  ] as const)("of %s cannot accept %s", (plan, finding, resource) => {
    const review = reviewOf(plan, { allowances: allow(finding, resource) });
    expect(review.exit).toBe(3);
    expect(printed(review)).toContain("this cannot be accepted");
  });

  test("can accept exactly what the table says", () => {
    const refused = Object.entries(FINDINGS).filter(([, { acceptedBy }]) => acceptedBy === "nobody");
    expect(refused.map(([name]) => name)).toEqual([
      "data-lost",
      "second-writer-on-funds",
      "one-way-downgrade",
      "not-now",
      "state-lost",
      "plan-failed",
    ]);
    expect(refused.every(([, { exit }]) => exit === 3)).toBe(true);
  });
});

describe("bad input", () => {
  test.each([
    ["nothing", "", /the plan is empty; write it with terraform show -json/],
    [
      "Terraform's own plan file",
      "PK\u0003\u0004rest",
      /the plan is Terraform's own file; write it with terraform show -json/,
    ],
    ["a plan that is cut off", fixture("no-op").slice(0, 5000), /the plan is not JSON, or cut off/],
    ["a JSON that is no plan", '{"version": 4}', /this is no plan: it lacks format_version/],
    ["null", "null", /this is no plan/],
    [
      "a plan that somebody else wrote",
      '{"format_version": "1.2", "resource_changes": [{"address": "nomad_job.x"}]}',
      /this is no plan as Terraform writes it: resource_changes\[0\]\.mode is not there/,
    ],
    [
      "a plan of another form",
      '{"format_version": "1.2", "resource_changes": [], "output_changes": {"homelab": 5}}',
      /output_changes\.homelab is not an object/,
    ],
    ["a state", fixture("state"), /this is no plan but a state/],
    [
      "a plan of a later format",
      '{"format_version": "2.0", "resource_changes": []}',
      /format_version 2\.0, and this program reads 1\.x; update it/,
    ],
  ])("%s is an error that says what to do", (_, text, message) => {
    expect(() => readPlan(text)).toThrow(message);
  });

  test("an empty plan is safe", () => {
    const review = reviewPlan(
      readPlan('{"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": []}'),
    );
    expect(review).toMatchObject({ exit: 0, verdict: "safe", findings: [], services: [] });
  });

  test.each([
    ["no JSON", "not json", "says json = true and is no JSON"],
    ["no object", "[]", "has no ID"],
    ["no ID", '{"TaskGroups": []}', "has no ID"],
    ["null", "null", "has no ID"],
  ])("a job that is %s is a finding", (_, jobspec, problem) => {
    const plan = changed("create", ({ resource_changes }) => {
      for (const { address, change } of resource_changes) {
        if (address === "nomad_job.bitcoin" && change.after) change.after.jobspec = jobspec;
      }
    });
    const review = reviewPlan(readPlan(plan));
    expect(findingsOf(review)).toContain("spec-unreadable nomad_job.bitcoin");
    expect(printed(review)).toContain(problem);
  });

  test.each([
    ["in another case", (text: string) => text.replace('"Count":1', '"count":3'), "count is another spelling of Count"],
    ["with a long s", (text: string) => text.replace('"Tasks"', '"Taſks"'), "Taſks is another spelling of Tasks"],
    [
      "in a volume with the name of a map",
      (text: string) => text.replace('"Volumes":{', '"Volumes":{"Env":{"source":"x"},'),
      "source is another",
    ],
    ["twice", (text: string) => text.replace('"Count":1', '"Count":3,"Count":1'), "a key stands twice"],
  ])("a key that Nomad reads otherwise is a finding: %s", (_, edit, problem) => {
    const plan = changed("create", ({ resource_changes }) => {
      const { change } = resource_changes.find(({ address }) => address === "nomad_job.albyhub") ?? {};
      if (!change?.after) throw new Error("no job");
      const text = JSON.stringify(JSON.parse(String(change.after.jobspec)));
      change.after.jobspec = edit(text);
      expect(change.after.jobspec).not.toBe(text);
    });
    const review = reviewPlan(readPlan(plan));
    const found = review.findings.find(({ finding }) => finding === "spec-unreadable");
    expect(found).toMatchObject({ resource: "nomad_job.albyhub", acceptedBy: "owner" });
    expect(found?.problem).toContain(problem);
    expect(found?.problem).not.toContain("the apply will fail");
  });

  test("a job of nulls and without groups is read", () => {
    const plan = changed("create", ({ resource_changes }) => {
      for (const { address, change } of resource_changes) {
        const jobspec = '{"Job": {"ID": "x", "TaskGroups": null, "Meta": null, "Datacenters": null}}';
        if (address === "nomad_job.albyhub" && change.after) change.after.jobspec = jobspec;
      }
    });
    expect(reviewPlan(readPlan(plan)).services.map(({ job }) => job)).toContain("x");
  });
});
