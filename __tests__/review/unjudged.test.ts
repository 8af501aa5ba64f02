import { grantsOf } from "../../review/acl-grants";
import { readPlan } from "../../review/plan";
import { reviewPlan } from "../../review/review";
import { changed, findingsOf, type JobEdit, printed, reviewOfChange } from "./plans";

const NOMAD = "registry.terraform.io/hashicorp/nomad";

interface Added {
  readonly address: string;
  readonly actions: string[];
  readonly before?: object | null;
  readonly after?: object | null;
  readonly provider?: string;
}

/** The review of a plan of no changes to which resources, and parts of the plan itself, are added. */
function withResources(added: readonly Added[], rest: object = {}) {
  const text = changed("no-op", (plan) => {
    Object.assign(plan, rest);
    for (const { address, actions, before = null, after = null, provider = NOMAD } of added) {
      const [type = "", name = ""] = address.split(".");
      plan.resource_changes.push({
        address,
        mode: "managed",
        type,
        name,
        provider_name: provider,
        change: { actions, before, after, after_unknown: {}, before_sensitive: {}, after_sensitive: {} } as never,
      });
    }
  });
  return reviewPlan(readPlan(text));
}

const create = (address: string, after: object, provider = NOMAD): Added => ({
  address,
  actions: ["create"],
  after,
  provider,
});

describe("what the review does not know is never safe:", () => {
  test.each<[string, Added, string]>([
    ["a management token", create("nomad_acl_token.x", { type: "management" }), "access-widened"],
    ["a client token", create("nomad_acl_token.x", { type: "client", policies: ["reader"] }), "access-widened"],
    ["a role", create("nomad_acl_role.x", { name: "x" }), "access-widened"],
    ["a binding rule", create("nomad_acl_binding_rule.x", { bind_type: "management" }), "access-widened"],
    ["a policy", create("nomad_acl_policy.x", { name: "x", rules_hcl: 'node { policy = "write" }' }), "access-widened"],
    ["a policy that cannot be read", create("nomad_acl_policy.x", { rules_hcl: "namespace {{" }), "resource-unjudged"],
    [
      "a variable",
      create("nomad_variable.x", { path: "nomad/jobs/albyhub", items: { a: "Hunter2!" } }),
      "variable-written",
    ],
    [
      "a variable that goes",
      { address: "nomad_variable.x", actions: ["delete"], before: { path: "x" } },
      "variable-written",
    ],
    ["a host volume", create("nomad_dynamic_host_volume.x", { name: "x" }), "host-volume"],
    ["a registered host volume", create("nomad_dynamic_host_volume_registration.x", { name: "x" }), "host-volume"],
    [
      "a program",
      create("terraform_data.x", { input: "curl evil | sh" }, "terraform.io/builtin/terraform"),
      "runs-program",
    ],
    ["a null resource", create("null_resource.x", {}, "registry.terraform.io/hashicorp/null"), "runs-program"],
    [
      "a database that goes",
      { address: "postgresql_database.hub", actions: ["delete"], before: { name: "nwc" } },
      "resource-unjudged",
    ],
    ["a file", create("local_file.x", { filename: "/etc/passwd" }), "resource-unjudged"],
    ["another resource of Nomad", create("nomad_node_pool.x", { name: "x" }), "resource-unjudged"],
    ["a resource of tomorrow", create("nomad_something_new.x", {}), "resource-unjudged"],
    ["one that is only forgotten", { address: "aws_instance.x", actions: ["forget"], before: {} }, "resource-unjudged"],
  ])("%s", (_, added, finding) => {
    const review = withResources([added]);
    expect(findingsOf(review)).toEqual([`${finding} ${added.address}`]);
    expect(review.exit).toBe(2);
    expect(review.findings[0]?.acceptedBy).toBe("owner");
    expect(printed(review)).not.toMatch(/Hunter2|curl evil/);
  });

  const configuration = (root_module: object, provider_config: object = {}) => ({
    configuration: { provider_config, root_module },
  });
  const local = [{ type: "local-exec", expressions: {} }];

  test.each<[string, readonly Added[], object, readonly string[]]>([
    [
      "a program as a data source",
      [],
      configuration({ resources: [{ address: "data.external.x", mode: "data", type: "external" }] }),
      ["runs-program data.external.x"],
    ],
    [
      "a program of a module",
      [],
      configuration({
        module_calls: {
          deep: { module: { resources: [{ address: "data.external.x", mode: "data", type: "external" }] } },
        },
      }),
      ["runs-program module.deep.data.external.x"],
    ],
    [
      "a data source that reads secrets",
      [],
      configuration({ resources: [{ address: "data.nomad_variable.x", mode: "data", type: "nomad_variable" }] }),
      ["resource-unjudged data.nomad_variable.x"],
    ],
    [
      "a provisioner of what is created",
      [create("nomad_job.x", { jobspec: "{}", json: false })],
      configuration({
        resources: [{ address: "nomad_job.x", mode: "managed", type: "nomad_job", provisioners: local }],
      }),
      ["runs-program nomad_job.x", "spec-unreadable nomad_job.x"],
    ],
    [
      "another provider",
      [],
      configuration({}, { evil: { name: "nomad", full_name: "registry.terraform.io/evil/nomad" } }),
      ["resource-unjudged provider:registry.terraform.io/evil/nomad"],
    ],
    [
      "an action",
      [],
      { action_invocations: [{ address: "action.local_command.x", type: "local_command" }] },
      ["runs-program action.local_command.x"],
    ],
    [
      "a provisioner under a key with a quote",
      [{ ...create('nomad_namespace.x["a\\"b"]', { name: "x" }) }],
      configuration({
        resources: [{ address: "nomad_namespace.x", mode: "managed", type: "nomad_namespace", provisioners: local }],
      }),
      ["runs-program nomad_namespace.x"],
    ],
    [
      "a provider that stands beside a resource alone",
      [create("nomad_namespace.x", { name: "x" }, "registry.terraform.io/evil/nomad")],
      {},
      ["resource-unjudged provider:registry.terraform.io/evil/nomad"],
    ],
    [
      "what is put off",
      [],
      { deferred_changes: [{ reason: "unknown", resource_change: { address: "nomad_job.y" } }] },
      ["resource-unjudged nomad_job.y"],
    ],
  ])("%s", (_, added, rest, findings) => {
    const review = withResources(added, rest);
    expect(findingsOf(review)).toEqual(findings);
    expect(review.exit).toBe(2);
  });

  test("but a provisioner of what stays as it is does not run, and reading jobs is harmless", () => {
    const resources = [
      { address: "nomad_job.bitcoin", mode: "managed", type: "nomad_job", provisioners: local },
      { address: "data.nomad_namespaces.x", mode: "data", type: "nomad_namespaces" },
    ];
    expect(withResources([], configuration({ resources })).exit).toBe(0);
  });

  test("a namespace that takes on drivers, and a scheduler that changes", () => {
    const text = changed("no-op", (plan) => {
      for (const { address, change } of plan.resource_changes) {
        if (address === "nomad_namespace.namespace") {
          change.actions = ["update"];
          const capabilities = [{ enabled_task_drivers: ["docker", "raw_exec"], enabled_network_modes: ["bridge"] }];
          change.after = { ...change.after, capabilities };
        }
        if (address.startsWith("nomad_scheduler_config.")) {
          change.actions = ["update"];
          change.after = { ...change.after, memory_oversubscription_enabled: false };
        }
      }
    });
    const review = reviewPlan(readPlan(text));
    expect(findingsOf(review)).toEqual([
      "access-widened nomad_namespace.namespace",
      "scheduler-changed nomad_scheduler_config.scheduler",
    ]);
    expect(review.findings.map(({ problem }) => problem)).toEqual([
      expect.stringContaining("enabled_task_drivers takes in raw_exec"),
      expect.stringContaining("memory_oversubscription_enabled = false"),
    ]);
  });
});

test("a sensitive value that changes beside a plain one is told", () => {
  const text = changed("no-op", (plan) => {
    const volume = plan.resource_changes.find(
      ({ address }) => address === "nomad_csi_volume_registration.albyhub-data",
    );
    if (!volume) throw new Error("no volume");
    const { change } = volume;
    change.actions = ["update"];
    change.before = { ...change.before, secrets: { a: "1" }, deregister_on_destroy: true };
    change.after = { ...change.after, secrets: { a: "2" }, deregister_on_destroy: false };
    change.before_sensitive = { secrets: true };
    change.after_sensitive = { secrets: true };
  });
  const [finding] = reviewPlan(readPlan(text)).findings;
  expect(finding?.problem).toContain("a value that Terraform marks as sensitive");
});

describe("a policy of Nomad's ACL", () => {
  const update = (before: string, after: string) =>
    withResources([
      {
        address: "nomad_acl_policy.x",
        actions: ["update"],
        before: { name: "x", rules_hcl: before },
        after: { name: "x", rules_hcl: after },
      },
    ]).findings.map(({ finding, problem }) => `${finding}: ${problem}`);
  const READ = 'namespace "bitcoin" { policy = "read" }';

  test("is told by what it grants more", () => {
    expect(update(READ, 'namespace "bitcoin" {\n  policy = "read"\n  capabilities = ["submit-job"]\n}')).toEqual([
      'access-widened: grants more: namespace "bitcoin": submit-job',
    ]);
    expect(update(READ, READ.replace("bitcoin", "*"))[0]).toContain('grants more: namespace "*": list-jobs');
    const variables = 'namespace "bitcoin" { policy = "read" variables { path "*" { capabilities = ["read"] } } }';
    expect(update(READ, variables)[0]).toContain('namespace "bitcoin", variables, path "*": read');
    expect(update('node { policy = "read" }', 'node { policy = "write" }')).toEqual([
      "access-widened: grants more: node: write",
    ]);
  });

  test("is told when it no longer denies, and when a narrower block no longer stands before a wider one", () => {
    const ALL = 'namespace "*" { policy = "write" }';
    const denial = 'namespace "bitcoin" { policy = "deny" }';
    expect(update(`${ALL}\n${denial}`, ALL)[0]).toContain('what namespace "bitcoin": deny kept back');
    expect(update(`${ALL}\n${READ}`, ALL)[0]).toContain("access-widened");
    expect(update(ALL, `${ALL}\n${denial}`)).toEqual([]);
  });

  test("that grants less, or the same in other words, is safe", () => {
    expect(update('namespace "bitcoin" { policy = "write" }', READ)).toEqual([]);
    expect(update(READ, `# as before\n${READ} /* and no more */`)).toEqual([]);
    expect(update(READ, 'namespace "bitcoin" { policy = "deny" }')).toEqual([]);
  });

  test.each(["namespace", "namespace {", 'x = "unclosed', "a = [", "a = [b]", "}", "= {}", "a /* b", "a = 1"])(
    "of the text %j nobody can tell",
    (text) => expect(grantsOf(text)).toBeUndefined(),
  );
});

describe("an image", () => {
  const A = `sha256:${"a".repeat(64)}`;
  const B = `sha256:${"b".repeat(64)}`;
  const image =
    (image: string): JobEdit =>
    (task) =>
      Object.assign(task.Config, { image });
  const found = (before: string, after: string, id: string) =>
    reviewOfChange(image(after), { id, before: image(before) }).findings.map(({ finding }) => finding);

  test.each([
    ["bitcoin", "bitcoin/bitcoin:31.1"],
    ["electrs", "getumbrel/electrs:v0.11.1"],
    ["albyhub", "ghcr.io/getalby/hub:v1.24.0"],
  ])("of %s under the same tag with another digest is never safe", (id, name) => {
    expect(found(`${name}@${A}`, `${name}@${B}`, id)).toEqual(["image-replaced"]);
    expect(found(`${name}@${A}`, name, id)).toEqual(["image-replaced"]);
    expect(found(`${name}@${A}`, `mirror.lan:5000/${name}@${A}`, id)).toEqual([]);
    expect(found(name, `${name}@${A}`, id)).toEqual([]);
    expect(found(`${name}@${A}`, `example.org/other:1.0@${A}`, id)).toContain("image-replaced");
  });

  test("from elsewhere is told beside what its version says, and another digest of no version too", () => {
    const hub = "ghcr.io/getalby/hub";
    expect(found(`${hub}:v1.24.0@${A}`, `example.org/getalby/hub:v1.24.1@${B}`, "albyhub")).toEqual(["image-replaced"]);
    expect(found(`${hub}:v1.24.0@${A}`, `example.org/getalby/hub:v1.23.0@${B}`, "albyhub")).toContain(
      "one-way-downgrade",
    );
    expect(found(`${hub}:latest@${A}`, `${hub}:latest@${B}`, "albyhub")).toContain("image-replaced");
  });

  test("of a program beside it, in a group that has a volume, counts as well", () => {
    const side =
      (digest: string): JobEdit =>
      (_, group) => {
        for (const task of group.Tasks) if (task.Lifecycle) task.Config.image = `busybox:1.37.0@${digest}`;
      };
    const review = reviewOfChange(side(B), { id: "albyhub", before: side(A) });
    expect(findingsOf(review)).toEqual(["image-replaced nomad_job.albyhub"]);
  });
});
