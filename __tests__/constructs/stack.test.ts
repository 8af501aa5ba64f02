import { Testing } from "cdktf";
import { AlbyHub, BitcoinNode, CsiVolume, HomelabStack, NfsCsiPlugin } from "../../constructs";
import type { IVolume } from "../../constructs/storage/volume";
import { Duration } from "../../nomad/duration";
import { RULES } from "../../rules";
import { testCluster } from "../cluster-fixture";
import { addBackup, BUSYBOX, buildHomelab, synthesize } from "../homelab-fixture";

describe("HomelabStack", () => {
  const { stack } = buildHomelab();
  const { config, output, jobs } = synthesize(stack);

  test("matches the snapshot of the whole stack", () => {
    const { terraform, ...rest } = JSON.parse(Testing.synth(buildHomelab().stack, true));
    expect({ ...rest, terraform: { ...terraform, backend: Object.keys(terraform.backend) } }).toMatchSnapshot();
  });

  test("asks for the exact provider, at the inventory's address", () => {
    expect(config.terraform.required_providers.nomad).toEqual({ source: "nomad", version: "2.6.1" });
    expect(config.provider.nomad).toEqual([{ address: "http://127.0.0.1:4646" }]);
  });

  test("spreads, lends memory, and writes all four preemption keys, so that a plan settles", () => {
    expect(config.resource.nomad_scheduler_config.scheduler).toMatchObject({
      scheduler_algorithm: "spread",
      memory_oversubscription_enabled: true,
      preemption_config: {
        batch_scheduler_enabled: false,
        service_scheduler_enabled: false,
        sysbatch_scheduler_enabled: false,
        system_scheduler_enabled: true,
      },
    });
  });

  test("makes a namespace for Docker in bridge mode alone, which stays", () => {
    expect(config.resource.nomad_namespace.namespace).toMatchObject({
      name: "bitcoin",
      capabilities: { enabled_task_drivers: ["docker"], enabled_network_modes: ["bridge"] },
      lifecycle: { prevent_destroy: true },
    });
    expect(Object.values(jobs).map(({ ID, Namespace }) => [ID, Namespace])).toEqual([
      ["albyhub", "bitcoin"],
      ["bitcoin", "bitcoin"],
      ["csi-nfs-controller", "default"],
      ["csi-nfs-node", "default"],
      ["electrs", "bitcoin"],
    ]);
  });

  test("bounds the processes of every task, and gives each that writes a database enough files", () => {
    const { jobs } = synthesize(addBackup(buildHomelab({ backup: {} })).stack);
    const tasks = Object.values(jobs).flatMap(({ TaskGroups }) => TaskGroups.flatMap(({ Tasks }) => Tasks));
    expect(tasks.length).toBeGreaterThan(15);
    expect(tasks.filter(({ Config }) => Config.pids_limit !== 1024).map(({ Name }) => Name)).toEqual([]);
    expect(tasks.filter(({ Config }) => Config.ulimit).map(({ Name, Config }) => [Name, Config.ulimit])).toEqual([
      ["albyhub", [{ nofile: "65536:65536" }]],
      ["bitcoind", [{ nofile: "65536:65536" }]],
      ["electrs", [{ nofile: "65536:65536" }]],
    ]);
  });

  test("tells in its output what job specs cannot say", () => {
    expect(output.cluster).toMatchObject({ maxKillTimeout: "15m", drainDeadline: "15m", memoryOversubscription: true });
    expect(output.cluster.clients).toContainEqual({ name: "pinode1", memory: 7424, cpu: 7200 });
    expect(output.volumes.map(({ id, holds, accessMode, retained }) => [id, holds, accessMode, retained])).toEqual([
      ["bitcoin-data", "chain", "multi-node-single-writer", true],
      ["electrs-data", "index", "multi-node-single-writer", true],
      ["albyhub-data", "funds", "multi-node-single-writer", true],
    ]);
    expect(output.dependencies).toEqual([
      { from: "electrs", on: "bitcoin" },
      { from: "albyhub", on: "electrs" },
    ]);
    expect(Object.keys(output.jobs)).toHaveLength(5);
  });

  test("lets everything go with removalPolicy destroy, once its owner has said why the channels may", () => {
    const { stack: throwAway } = buildHomelab({ stack: { removalPolicy: "destroy" } });
    expect(() => synthesize(throwAway)).toThrow("homelab/albyhub-data: removalPolicy = destroy");
    const { config: gone } = synthesize(throwAway.acknowledge("funds", "a stack of the tests"));
    for (const job of Object.values<Record<string, unknown>>(gone.resource.nomad_job)) {
      expect(job).toMatchObject({ deregister_on_destroy: true, lifecycle: { prevent_destroy: false } });
    }
    expect(gone.resource.nomad_csi_volume_registration["albyhub-data"]).toMatchObject({ deregister_on_destroy: true });
    expect(gone.resource.nomad_namespace.namespace.lifecycle).toEqual({ prevent_destroy: false });
  });

  test("reports every breach of every rule at once, each with its construct", () => {
    const { stack: wrong, bitcoin, electrs } = buildHomelab({ bitcoin: { image: "bitcoin/bitcoin:latest" } });
    const [group] = bitcoin.job.TaskGroups;
    if (group?.Tasks[0]) group.Tasks[0].KillTimeout = Duration.minutes(20).toNanoseconds();
    if (electrs.job.TaskGroups[0]) electrs.job.TaskGroups[0].Count = 2;
    const told = () => synthesize(wrong);
    expect(told).toThrow("homelab/bitcoin: TaskGroups[bitcoin].Tasks[bitcoind].Config.image = bitcoin/bitcoin:latest");
    expect(told).toThrow("homelab/bitcoin: TaskGroups[bitcoin].Tasks[bitcoind].KillTimeout = 20m");
    expect(told).toThrow("homelab/electrs: TaskGroups[electrs].Count = 2");
  });

  test("lets an acknowledged breach pass, and carries its reason", () => {
    const { stack: accepted, bitcoin } = buildHomelab({ bitcoin: { image: "bitcoin/bitcoin:master-31" } });
    expect(() => synthesize(accepted)).toThrow("pinned-image");
    bitcoin.acknowledge("pinned-image", "a test of the next release, ${not} a token");
    const { output: said } = synthesize(accepted);
    expect(said.acknowledgements).toContainEqual({
      path: "homelab/bitcoin",
      rule: "pinned-image",
      reason: "a test of the next release, $${not} a token",
    });
  });

  test("refuses to take over the namespace that the plugin runs in", () => {
    expect(() => buildHomelab({ stack: { namespace: "default" } })).toThrow('namespace = "default"');
  });

  test("is where every construct stands", () => {
    const app = Testing.app();
    expect(() => new CsiVolume(app, "alone", {} as never)).toThrow("alone: stands outside of a HomelabStack");
  });
});

describe("CsiVolume", () => {
  test("registers a folder of the NAS, mounted hard with NFS 4.1", () => {
    const { config } = synthesize(buildHomelab().stack);
    expect(config.resource.nomad_csi_volume_registration["bitcoin-data"]).toMatchObject({
      volume_id: "bitcoin-data",
      external_id: "bitcoin-data",
      plugin_id: "nfs",
      namespace: "${nomad_namespace.namespace.name}",
      context: { server: "127.0.0.1", share: "/mnt/homelab-general/bitcoin-data" },
      mount_options: { fs_type: "nfs", mount_flags: ["nfsvers=4.1", "hard", "noatime"] },
      depends_on: ["nomad_job.csi-nfs_controller_0B5D", "nomad_job.csi-nfs_node_0B5D"].map(() =>
        expect.stringMatching(/^nomad_job\.csi-nfs_/),
      ),
    });
  });

  test("that lives already is used without being managed", () => {
    const stack = new HomelabStack(Testing.app(), "homelab", { cluster: testCluster() });
    const data = CsiVolume.fromVolumeId(stack, "bitcoin-data", { volumeId: "bitcoin-data", holds: "chain" });
    new BitcoinNode(stack, "bitcoin", { image: "bitcoin/bitcoin:31.1", metaVersion: 1, data });
    const { config, jobs, output } = synthesize(stack);
    expect(config.resource.nomad_csi_volume_registration).toBeUndefined();
    expect(jobs.bitcoin?.TaskGroups[0]?.Volumes?.data).toMatchObject({ Source: "bitcoin-data", ReadOnly: false });
    expect(output.volumes).toEqual([expect.objectContaining({ id: "bitcoin-data", managed: false, retained: true })]);
  });

  test("that lives already is mounted after the plugin, when that is of this stack", () => {
    const { stack, plugin } = buildHomelab();
    const data = CsiVolume.fromVolumeId(stack, "old", { volumeId: "old-data", holds: "chain", plugin });
    expect(data.dependables).toHaveLength(2);
  });

  test("asks for a reader's claim when only read", () => {
    const { albyHubData } = buildHomelab();
    expect(albyHubData.readOnly().request).toEqual({ ...albyHubData.request, ReadOnly: true });
  });

  test("refuses a share that is no absolute path", () => {
    expect(() => buildHomelab({ bitcoinData: { share: "mnt/x" } })).toThrow('share = "mnt/x" must be an absolute path');
  });

  test.each(["Bitcoin", "a_b", "-a", "a/b", ""])('refuses the volume id "%s"', (volumeId) => {
    expect(() => buildHomelab({ bitcoinData: { volumeId } })).toThrow("lower-case letters, digits and dashes");
  });
});

describe("NfsCsiPlugin", () => {
  test.each([0, 1.5, -1])("refuses %p controllers", (controllers) => {
    expect(() => buildHomelab({ plugin: { controllers } })).toThrow("must be a whole number from 1");
  });

  const { jobs } = synthesize(buildHomelab().stack);

  test("matches its snapshot", () => expect([jobs["csi-nfs-controller"], jobs["csi-nfs-node"]]).toMatchSnapshot());

  test("runs two controllers on distinct hosts and a node plugin everywhere, in the host's network", () => {
    expect(jobs["csi-nfs-controller"]).toMatchObject({
      Type: "service",
      Constraints: expect.arrayContaining([{ Operand: "distinct_hosts", RTarget: "true" }]),
      TaskGroups: [{ Count: 2, Networks: [{ Mode: "host" }] }],
    });
    expect(jobs["csi-nfs-node"]).toMatchObject({ Type: "system", Priority: 90 });
    for (const job of [jobs["csi-nfs-controller"], jobs["csi-nfs-node"]]) {
      expect(job?.TaskGroups[0]?.Tasks[0]).toMatchObject({
        Config: {
          privileged: true,
          network_mode: "host",
          args: expect.arrayContaining(["--nodeid=${attr.unique.hostname}"]),
        },
        CSIPluginConfig: { ID: "nfs", MountDir: "/csi" },
      });
    }
  });
});

describe("two stacks of one app", () => {
  /** The fixture homelab, and a hub in a namespace of its own. */
  const withLab = (data: (lab: HomelabStack, plugin: NfsCsiPlugin) => IVolume, databaseName?: string) => {
    const { stack, electrs } = buildHomelab();
    const lab = new HomelabStack(stack.node.root, "lab", { cluster: testCluster(), namespace: "lab" });
    const plugin = new NfsCsiPlugin(lab, "csi-nfs", {
      image: "registry.k8s.io/sig-storage/nfsplugin:v4.13.4",
      metaVersion: 1,
      pluginId: "nfs-lab",
    });
    new AlbyHub(lab, "albyhub", {
      image: "ghcr.io/getalby/hub:v1.24.0",
      metaVersion: 1,
      electrs,
      data: data(lab, plugin),
      busybox: BUSYBOX,
      port: 18080,
      ...(databaseName && { databaseName }),
    }).acknowledge("second-place", "the NAS is the only server so far; losing it means losing the channels");
    return RULES.filter(({ name }) => name.endsWith("-identity")).flatMap((rule) =>
      rule.check(lab.homelab()).map(({ path }) => `${rule.name} ${path}`),
    );
  };

  test("on one folder of funds and one database are refused at the later one", () => {
    const found = withLab(
      (lab, plugin) => new CsiVolume(lab, "data", { volumeId: "albyhub-data", holds: "funds", plugin }),
    );
    expect(found).toEqual(["volume-identity lab/data", "database-identity lab/albyhub"]);
  });

  test("that refer to the volume of the other are refused, unless they tell of another folder", () => {
    const refer = (more: { share?: string }) => (lab: HomelabStack) =>
      CsiVolume.fromVolumeId(lab, "data", { volumeId: "albyhub-data", holds: "funds", ...more });
    expect(withLab(refer({}), "lab")).toEqual(["volume-identity lab/data"]);
    expect(withLab(refer({ share: "/mnt/homelab-general/../homelab-general/albyhub-data/" }), "lab")).toEqual([
      "volume-identity lab/data",
    ]);
    expect(withLab(refer({ share: "/mnt/lab/albyhub-data" }), "lab")).toEqual([]);
  });

  test("make the synthesis fail, with what is wrong in either", () => {
    const { stack, bitcoin } = buildHomelab();
    delete bitcoin.job.TaskGroups[0]?.Tasks[0]?.Resources;
    const lab = new HomelabStack(stack.node.root, "lab", { cluster: testCluster(), namespace: "lab" });
    CsiVolume.fromVolumeId(lab, "again", { volumeId: "albyhub-data", holds: "funds" });
    expect(() => synthesize(stack)).toThrow(
      /in stack homelab and lab\n[\s\S]*\(rule resources\)[\s\S]*lab\/again: share = [\s\S]*may be the folder of homelab\/albyhub-data/,
    );
  });
});
