import { readSynthesized } from "../../../cli/shared/synthesized";
import { job, jobResource, project, stackFile, synthesized, task } from "../project";

const node = job("bitcoin", [task("bitcoind", "bitcoin/bitcoin:31.1", [2500, 4096, 6144])]);
const read = (folder: string, environment: NodeJS.ProcessEnv = {}) => readSynthesized(folder, environment);
const withJob = (resource: object) => synthesized({ homelab: { resource: { nomad_job: { bitcoin: resource } } } });

describe("what synthesis wrote", () => {
  test("is read as typed jobs together with what the output tells of them", () => {
    const [stack] = read(
      synthesized({ homelab: stackFile([node], { notices: [{ path: "homelab", text: "mind this" }] }) }),
    );
    expect(stack).toMatchObject({ stack: "homelab", nomadAddress: "http://pinode2.local:4646", described: true });
    expect(stack?.homelab.jobs).toEqual([{ path: "homelab/bitcoin", retained: true, job: node }]);
    expect(stack?.homelab.notices).toEqual([{ path: "homelab", text: "mind this" }]);
    expect(stack?.homelab.cluster.clients.map(({ name }) => name)).toEqual(["pinode1", "pinode3", "pinode4"]);
  });

  test("comes back as Terraform evaluates it, in jobs and in the output alike", () => {
    const text = "${attr.kernel.name} %{if} $${kept}";
    const [stack] = read(
      synthesized({
        homelab: stackFile([{ ...node, Meta: { text } }], { notices: [{ path: "homelab", text }] }),
      }),
    );
    expect(stack?.homelab.jobs[0]?.job.Meta?.text).toBe(text);
    expect(stack?.homelab.notices[0]?.text).toBe(text);
  });

  test("may hold a job that the output does not know: its path and protection come from the resource", () => {
    const file = stackFile([node], {});
    const stray = {
      ...jobResource({ ...node, ID: "stray" }),
      "//": { metadata: { path: "homelab/stray/Default/Default" } },
      lifecycle: { prevent_destroy: true },
      deregister_on_destroy: false,
    };
    const [stack] = read(
      synthesized({ homelab: { ...file, resource: { nomad_job: { ...file.resource.nomad_job, stray } } } }),
    );
    expect(stack?.homelab.jobs[1]).toMatchObject({ path: "homelab/stray", retained: true, job: { ID: "stray" } });
  });

  test("is one entry for each stack with jobs; others are left out", () => {
    const folder = synthesized({ dns: { resource: {} }, one: stackFile([node], {}), two: stackFile([node], {}) });
    expect(read(folder).map(({ stack }) => stack)).toEqual(["one", "two"]);
  });

  test("is looked for in CDKTF_OUTDIR, then in the output folder of cdktf.json, then in cdktf.out", () => {
    const folder = project({ "cdktf.json": { output: "elsewhere" } });
    expect(() => read(folder)).toThrow("elsewhere/manifest.json is not there");
    expect(() => read(folder, { CDKTF_OUTDIR: "there" })).toThrow("there/manifest.json is not there");
    expect(() => read(project({ "cdktf.json": {} }))).toThrow("cdktf.out/manifest.json is not there");
    const outdir = `${synthesized({ homelab: stackFile([node], {}) })}/cdktf.out`;
    expect(read(folder, { CDKTF_OUTDIR: outdir })).toHaveLength(1);
  });
});

describe("a project without the output", () => {
  const file = stackFile([], undefined, {
    nomad_namespace: { apps: { name: "apps" } },
    nomad_scheduler_config: { config: { memory_oversubscription_enabled: true } },
    nomad_job: {
      wiki: {
        "//": { metadata: { path: "apps/wiki/Default" } },
        json: true,
        jobspec: JSON.stringify({
          Job: { ID: "wiki", Datacenters: ["dc1"], TaskGroups: [{ Name: "wiki", Tasks: [] }] },
        }),
      },
    },
    nomad_csi_volume_registration: {
      data: {
        volume_id: "wiki-data",
        plugin_id: "nfs",
        namespace: "${nomad_namespace.apps.name}",
        capability: [{ access_mode: "multi-node-single-writer", attachment_mode: "file-system" }],
        context: { server: "192.0.2.1", share: "/wiki" },
        mount_options: { mount_flags: ["hard"] },
      },
    },
    nomad_csi_volume: {
      scratch: { volume_id: "scratch", plugin_id: "nfs", capability: { access_mode: "single-node-writer" } },
    },
  });
  const [stack] = read(synthesized({ apps: file }));

  test("gives the namespaces and scheduler settings it manages, as far as it sets them", () => {
    const [stack] = read(synthesized({ apps: file }));
    expect(stack?.namespaces).toEqual([{ address: "nomad_namespace.apps", name: "apps" }]);
    expect(stack?.scheduler).toEqual({ memoryOversubscription: true });
  });

  test("gives its jobs, with what Nomad fills in", () => {
    expect(stack?.described).toBe(false);
    expect(stack?.homelab.jobs).toMatchObject([
      { path: "apps/wiki", retained: false, job: { ID: "wiki", Name: "wiki", Namespace: "default", Type: "service" } },
    ]);
  });

  test("may write null for what is absent, as Go does", () => {
    const jobspec = JSON.stringify({
      ID: "wiki",
      Meta: null,
      TaskGroups: [{ Name: "wiki", Volumes: null, Tasks: [] }],
    });
    const [nulls] = read(withJob({ json: true, jobspec }));
    expect(nulls?.homelab.jobs[0]?.job).not.toHaveProperty("Meta");
    expect(nulls?.homelab.jobs[0]?.job.TaskGroups).toEqual([{ Name: "wiki", Tasks: [] }]);
  });

  test("gives its volumes from their resources, and where their data is", () => {
    expect(stack?.homelab.volumes).toMatchObject([
      {
        path: "apps/data",
        id: "wiki-data",
        namespace: "apps",
        accessMode: "multi-node-single-writer",
        mountFlags: ["hard"],
      },
      { path: "apps/scratch", id: "scratch", namespace: "default", accessMode: "single-node-writer", mountFlags: [] },
    ]);
    expect(
      stack?.volumes.map(({ address, pluginId, server, context }) => ({ address, pluginId, server, context })),
    ).toEqual([
      {
        address: "nomad_csi_volume_registration.data",
        pluginId: "nfs",
        server: "192.0.2.1",
        context: { server: "192.0.2.1", share: "/wiki" },
      },
      { address: "nomad_csi_volume.scratch", pluginId: "nfs" },
    ]);
  });

  test("has no secrets, dependencies or clients, and no figures that nobody tells", () => {
    expect(stack?.homelab).toMatchObject({ secrets: [], dependencies: [], acknowledgements: [], notices: [] });
    expect(stack?.homelab.cluster).toEqual({
      datacenter: "dc1",
      clients: [],
      memoryOversubscription: true,
    });
  });

  test("may have another output of the same name, and a provider without an address", () => {
    const foreign = { ...stackFile([node]), provider: { nomad: [{}] }, output: { homelab: { value: "hello" } } };
    const [other] = read(synthesized({ apps: foreign }));
    expect(other?.described).toBe(false);
    expect(other).not.toHaveProperty("nomadAddress");
  });
});

describe("what cannot be read is named with its file, its place and a remedy", () => {
  test.each([
    ["nothing synthesized", () => project({}), "cdktf.out/manifest.json is not there; run npm run synth first"],
    [
      "a manifest that is cut off",
      () => project({ "cdktf.out/manifest.json": '{"stacks":' }),
      /^cdktf\.out\/manifest\.json is not JSON \(.+\); run npm run synth again$/,
    ],
    ["a broken cdktf.json", () => project({ "cdktf.json": "{" }), /^cdktf\.json is not JSON \(.+\); correct it$/],
    [
      "a stack whose file is gone",
      () =>
        project({
          "cdktf.out/manifest.json": { stacks: { a: { name: "a", synthesizedStackPath: "stacks/a/cdk.tf.json" } } },
        }),
      "cdktf.out/stacks/a/cdk.tf.json is not there; run npm run synth first",
    ],
    [
      "a stack in HCL",
      () =>
        project({
          "cdktf.out/manifest.json": { stacks: { a: { name: "a", synthesizedStackPath: "stacks/a/cdk.tf" } } },
        }),
      "cdktf.out/stacks/a/cdk.tf: stack a was synthesized as HCL, which is not read here; synthesize without --hcl",
    ],
    [
      "no stack with a job",
      () => synthesized({ dns: {}, mail: { resource: {} } }),
      "cdktf.out/manifest.json: no stack holds a nomad_job (stacks: dns, mail); declare one in the app, then run npm run synth",
    ],
    [
      "a job in HCL",
      () => withJob({ jobspec: 'job "bitcoin" {}' }),
      "cdktf.out/stacks/homelab/cdk.tf.json: nomad_job.bitcoin: json = false: its jobspec is HCL, which is not read here; write it as JSON with json = true",
    ],
    [
      "a job that Terraform reads from a file",
      () => withJob({ json: true, jobspec: '${file("bitcoin.json")}' }),
      /cdk\.tf\.json: nomad_job\.bitcoin: jobspec is not JSON \(.+\); write the job's JSON itself, since an expression/,
    ],
    [
      "a job without groups",
      () => withJob({ json: true, jobspec: '{"ID":"bitcoin"}' }),
      "cdktf.out/stacks/homelab/cdk.tf.json: nomad_job.bitcoin: jobspec is no job of Nomad's API: it lacks ID, TaskGroups or their Tasks; add them",
    ],
    [
      "groups that are not a list",
      () => withJob({ json: true, jobspec: '{"ID":"a","TaskGroups":{}}' }),
      /lacks ID, TaskGroups/,
    ],
    [
      "a manifest of another shape",
      () => project({ "cdktf.out/manifest.json": "null" }),
      "cdktf.out/manifest.json holds no JSON object; run npm run synth again",
    ],
    ["a job that is null", () => withJob({ json: true, jobspec: "null" }), /jobspec is no job of Nomad's API/],
  ])("%s", (_, folder, message) => {
    expect(() => read(folder())).toThrow(message);
  });
});
