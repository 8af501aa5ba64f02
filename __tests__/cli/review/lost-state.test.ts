import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Job } from "../../../.gen/nomad/job";
import { run } from "../../../cli/homelab";
import { fixture } from "../../review/plans";
import { job, project, stackFile, synthesized, task } from "../project";
import { listening, told } from "../told";

interface RawPlan {
  resource_changes: { address: string; type: string; change: { after: Record<string, unknown> } }[];
}

/** A Nomad that has some jobs, volumes and namespaces, and plans nothing. */
class LivingNomad {
  readonly jobs = new Map<string, Job & { readonly Stop?: boolean }>();
  readonly volumes = new Map<string, object>();
  readonly namespaces = new Set<string>();
  /** Its only server's release, and that of its only client. */
  releases: readonly [server: string, client: string] = ["2.0.5", "2.0.5"];
  /** What it says of its ACLs. */
  acl: object | undefined = { Type: "management" };
  private readonly server: Server = createServer((request, response) => {
    request.resume();
    const [, , kind, ...rest] = new URL(request.url ?? "", "http://x").pathname.split("/").map(decodeURIComponent);
    const answer = (body: unknown) =>
      body === undefined
        ? response.writeHead(404).end(kind === "var" ? "variable not found" : "not found")
        : response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (kind === "job" && rest.at(-1) === "plan") return answer({ Diff: { Type: "None" } });
    if (kind === "job" && rest.at(-1) === "allocations") return answer([]);
    if (kind === "job") return answer(this.jobs.get(rest[0] ?? ""));
    if (kind === "volume") return answer(this.volumes.get(rest[1] ?? ""));
    if (kind === "namespace") return answer(this.namespaces.has(rest[0] ?? "") ? { Name: rest[0] } : undefined);
    if (kind === "agent" && rest[0] === "members") {
      return answer({ Members: [{ Name: "pinode2", Status: "alive", Tags: { build: this.releases[0] } }] });
    }
    if (kind === "nodes") return answer([{ ID: "n", Name: "pinode1", Status: "ready", Version: this.releases[1] }]);
    if (kind === "acl") return answer(this.acl);
    if (["allocations", "jobs", "namespaces", "volumes"].includes(kind ?? "")) return answer([]);
    return answer(undefined);
  });

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.close();
  }
}

const created = () => JSON.parse(fixture("create")) as RawPlan;
const jobsOf = (plan: RawPlan): Job[] =>
  plan.resource_changes
    .filter(({ type }) => type === "nomad_job")
    .map(({ change }) => JSON.parse(`${change.after.jobspec}`));

async function review(folder: string, nomad: LivingNomad | undefined, ...args: string[]) {
  const { program, printed } = listening();
  const [before, address] = [process.cwd(), process.env.NOMAD_ADDR];
  process.chdir(folder);
  if (nomad) process.env.NOMAD_ADDR = nomad.address;
  else delete process.env.NOMAD_ADDR;
  try {
    const code = await run(
      ["review", "--plan", "plan.json", "--json", ...(nomad ? ["--nomad"] : []), ...args],
      program,
    );
    const stacks = printed.out ? JSON.parse(printed.out).stacks : [];
    const found: string[] = (stacks[0]?.findings ?? []).map(
      (one: Record<string, string>) => `${one.finding} ${one.resource}`,
    );
    return { code, found, ...printed };
  } finally {
    process.chdir(before);
    if (address === undefined) delete process.env.NOMAD_ADDR;
    else process.env.NOMAD_ADDR = address;
  }
}

describe("a plan that creates what Nomad has", () => {
  let nomad: LivingNomad;
  beforeEach(async () => {
    nomad = await new LivingNomad().start();
  });
  afterEach(() => nomad.stop());

  test("is refused for every job, volume and namespace, and compared with what lives", async () => {
    const plan = created();
    for (const one of jobsOf(plan)) {
      const image = one.TaskGroups[0]?.Tasks.find(({ Lifecycle }) => !Lifecycle)?.Config;
      if (one.ID === "albyhub" && image) image.image = "ghcr.io/getalby/hub:v1.99.0";
      nomad.jobs.set(one.ID, one);
    }
    nomad.namespaces.add("bitcoin");
    nomad.volumes.set("bitcoin-data", {
      ID: "bitcoin-data",
      PluginID: "nfs",
      Context: { server: "192.0.2.9", share: "/else" },
    });
    const folder = project({ "plan.json": JSON.stringify(plan) });
    const { code, found, err } = await review(folder, nomad);
    expect(err).toBe("");
    expect(code).toBe(3);
    expect(found).toEqual(
      expect.arrayContaining([
        "one-way-downgrade nomad_job.albyhub",
        "state-lost nomad_job.albyhub",
        "state-lost nomad_job.bitcoin",
        "state-lost nomad_job.electrs",
        "state-lost nomad_csi_volume_registration.bitcoin-data",
        "state-lost nomad_namespace.namespace",
        "volume-parameters nomad_csi_volume_registration.bitcoin-data",
      ]),
    );
    expect(found).not.toContain("state-lost nomad_csi_volume_registration.electrs-data");
  });

  test.each<[readonly [string, string], string]>([
    [["2.0.4", "2.0.5"], "Nomad 2.0.4 (server pinode2) is older than 2.0.5"],
    [["2.0.5", "2.0.5-rc.1"], "Nomad 2.0.5-rc.1 (client pinode1) is older than 2.0.5"],
    [["2.0.5", ""], "Nomad unknown (client pinode1) is no release"],
  ])("must wait for a newer Nomad, as the guard says, with %p", async (releases, problem) => {
    nomad.releases = releases;
    const { found, out } = await review(project({ "plan.json": fixture("create") }), nomad);
    expect(found).toContain("nomad-outdated stack");
    expect(out).toContain(`must wait: ${problem}`);
  });

  test("is told what could not be compared, on standard error", async () => {
    nomad.acl = undefined;
    const { err } = await review(project({ "plan.json": fixture("create") }), nomad);
    expect(err).toMatch(/^warning: the token may not see every namespace/);
  });

  test("passes when Nomad has nothing of it, whatever lies about here", async () => {
    const folder = project({ "plan.json": fixture("create"), "terraform.old.tfstate": STATE });
    const { found } = await review(folder, nomad);
    expect(found.filter((one) => /^(?:state|nomad-outdated)/.test(one))).toEqual([]);
  });

  test("may start a stopped job anew, but by no older version", async () => {
    const hub = jobsOf(created()).find(({ ID }) => ID === "albyhub") as Job;
    const main = hub.TaskGroups[0]?.Tasks.find(({ Lifecycle }) => !Lifecycle)?.Config;
    if (main) main.image = "ghcr.io/getalby/hub:v1.99.0";
    nomad.jobs.set("albyhub", { ...hub, Stop: true });
    const { found } = await review(project({ "plan.json": fixture("create") }), nomad);
    expect(found.filter((one) => /^(?:state|one-way)/.test(one))).toEqual(["one-way-downgrade nomad_job.albyhub"]);
  });
});

const STATE = JSON.stringify({ version: 4, resources: [{ mode: "managed", type: "nomad_job", name: "bitcoin" }] });

describe("a plan from an empty state, where no cluster is asked,", () => {
  const stack = (backend: object) => ({ ...stackFile([job("bitcoin", [])]), terraform: { backend } });
  const folderWith = (
    files: Record<string, string>,
    backend: object = { local: { path: "../../../terraform.homelab.tfstate" } },
  ) => {
    const folder = synthesized({ homelab: stack(backend) });
    for (const [name, content] of Object.entries({ "plan.json": fixture("create"), ...files })) {
      mkdirSync(join(folder, name, ".."), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    return folder;
  };

  test.each<[string, Record<string, string>, RegExp]>([
    ["a state beside", { "terraform.homelab.tfstate": STATE }, /terraform\.homelab\.tfstate is a state with resources/],
    ["a backup of one", { "terraform.homelab.tfstate.backup": STATE }, /tfstate\.backup is a state/],
    ["the state of a stack of another name", { "terraform.lab.tfstate": STATE }, /terraform\.lab\.tfstate is a state/],
    ["a state that cannot be read", { "terraform.tfstate": "{" }, /terraform\.tfstate is a state/],
    [
      "another backend before",
      { "cdktf.out/stacks/homelab/.terraform/terraform.tfstate": '{"backend":{"type":"pg"}}' },
      /initialized for the backend pg, and now has local/,
    ],
    [
      "a cluster that was set up",
      { "ansible/.secrets/nomad-bootstrap-token": "x" },
      /secrets of a cluster that was set up/,
    ],
  ])("is told of %s", async (_, files, told) => {
    const { code, found, out } = await review(folderWith(files), undefined);
    expect(found).toContain("state-doubtful stack");
    expect(code).toBe(2);
    expect(out).toMatch(told);
  });

  test.each<[string, Record<string, string>]>([
    ["nothing", {}],
    ["an empty state", { "terraform.homelab.tfstate": "" }],
    ["a state of something else", { "terraform.tfstate": '{"resources":[{"type":"aws_instance"}]}' }],
    ["a cached Nomad", { "ansible/.secrets/nomad-2.0.5": "x" }],
  ])("is not disturbed by %s", async (_, files) => {
    const { found } = await review(folderWith(files), undefined);
    expect(found.filter((one) => one.startsWith("state"))).toEqual([]);
  });
});

describe("homelab guard", () => {
  let nomad: LivingNomad;
  beforeEach(async () => {
    nomad = await new LivingNomad().start();
  });
  afterEach(() => nomad.stop());

  const bitcoin = job("bitcoin", [task("bitcoind", "bitcoin/bitcoin:31.1", [1000, 1000])]);
  const lab = (terraform: object = { backend: { local: { path: "../../../terraform.homelab.tfstate" } } }) =>
    synthesized({
      homelab: { ...stackFile([bitcoin]), provider: { nomad: [{ address: nomad.address }] }, terraform },
    });

  test("refuses while Terraform's state does not know what Nomad has", async () => {
    const folder = lab();
    expect(await told(["guard"], folder)).toMatchObject({ code: 0, err: "" });
    nomad.jobs.set("bitcoin", bitcoin);
    const { code, out } = await told(["guard", "--json"], folder);
    expect(code).toBe(2);
    expect(JSON.parse(out).stacks[0].refusals).toEqual([
      expect.objectContaining({ reason: "state", problem: expect.stringContaining("Nomad has nomad_job.bitcoin") }),
    ]);
    writeFileSync(join(folder, "terraform.homelab.tfstate"), STATE);
    expect(await told(["guard"], folder)).toMatchObject({ code: 0, err: "" });
  });

  test("passes when the next deploy imports it", async () => {
    const folder = lab();
    nomad.jobs.set("bitcoin", bitcoin);
    writeFileSync(
      join(folder, "cdktf.out/stacks/homelab/imports.tf.json"),
      JSON.stringify({ import: [{ to: "nomad_job.bitcoin", id: "bitcoin@bitcoin" }] }),
    );
    expect(await told(["guard"], folder)).toMatchObject({ code: 0, err: "" });
  });

  test("refuses when the state cannot be read, since nobody knows what it holds", async () => {
    nomad.jobs.set("bitcoin", bitcoin);
    const { code, out } = await told(["guard"], lab({ backend: { nonsense: {} } }));
    expect([code, out]).toEqual([2, expect.stringContaining("Terraform's state cannot be read")]);
  });
});
