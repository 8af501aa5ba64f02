import { BitcoinNode } from "../../../constructs";
import { Duration } from "../../../nomad/duration";
import { Memory } from "../../../nomad/memory";
import { testCluster } from "../../cluster-fixture";
import { buildHomelab, type Changes, synthesize, templateOf } from "../../homelab-fixture";

const synth = (changes: Changes = {}) => synthesize(buildHomelab(changes).stack);
const confOf = (changes: Changes = {}) => templateOf(synth(changes).jobs.bitcoin, "secrets/bitcoin.conf");

describe("BitcoinNode with default props", () => {
  const { jobs, config, output } = synth();
  const job = jobs.bitcoin;
  const group = job?.TaskGroups[0];
  const task = group?.Tasks[0];

  test("matches its snapshot", () => expect(job).toMatchSnapshot());

  test("is one hardened container that never pulls twice", () => {
    expect(task).toMatchObject({
      User: "3001:3001",
      Config: {
        image: "bitcoin/bitcoin:31.1",
        entrypoint: ["bitcoind"],
        args: ["-datadir=/data", "-conf=/secrets/bitcoin.conf"],
        cap_drop: ["all"],
        security_opt: ["no-new-privileges"],
        readonly_rootfs: true,
      },
      Resources: { CPU: 2500, MemoryMB: 4096, MemoryMaxMB: 6144 },
    });
    expect(task?.Config).not.toHaveProperty("force_pull");
  });

  test("keeps the stop chain: 15 minutes to stop, 10 to get healthy, 30 for both, 35 for Terraform", () => {
    expect(task?.KillTimeout).toBe(Duration.minutes(15).toNanoseconds());
    expect(group?.Update).toMatchObject({
      HealthyDeadline: Duration.minutes(10).toNanoseconds(),
      ProgressDeadline: Duration.minutes(30).toNanoseconds(),
      AutoRevert: false,
      Canary: 0,
    });
    expect(config.resource.nomad_job.bitcoin.timeouts).toEqual({ create: "2100s", update: "2100s" });
  });

  test("is fenced, alone, and restarted for ever but by no health check", () => {
    expect(group).toMatchObject({
      Count: 1,
      Disconnect: { LostAfter: Duration.hours(2160).toNanoseconds(), Replace: false, Reconcile: "keep_original" },
      RestartPolicy: { Mode: "delay" },
    });
    expect(JSON.stringify(job)).not.toContain("CheckRestart");
  });

  test("opens RPC and P2P at their usual ports, the indexer port at one that Nomad chooses", () => {
    expect(group?.Networks).toEqual([
      {
        Mode: "bridge",
        ReservedPorts: [
          { Label: "rpc", Value: 8332, To: 8332 },
          { Label: "p2p", Value: 8333, To: 8333 },
        ],
        DynamicPorts: [{ Label: "indexer", To: 8335 }],
      },
    ]);
    expect(group?.Services?.map(({ Name, PortLabel, Checks }) => [Name, PortLabel, Checks?.[0]?.Type])).toEqual([
      ["bitcoin-rpc", "rpc", "tcp"],
      ["bitcoin-p2p", "p2p", "tcp"],
      ["bitcoin-indexer", "indexer", "tcp"],
    ]);
  });

  test("renders its configuration privately, with one hash and one whitelist per consumer", () => {
    const conf = templateOf(job, "secrets/bitcoin.conf");
    const lines = conf.split("\n");
    expect(task?.Templates?.[0]).toMatchObject({ Perms: "0400", Uid: 3001, ChangeMode: "noop" });
    expect(lines).toEqual(
      expect.arrayContaining(["chain=main", "txindex=1", "dbcache=1024", "persistmempool=0", "disablewallet=1"]),
    );
    expect(lines.filter((line) => line.startsWith("rpcwhitelist="))).toEqual([
      "rpcwhitelist=electrs:getblockchaininfo,getnetworkinfo,getmempoolinfo,getrawmempool,getmempoolentry,getrawtransaction,getblock,estimatesmartfee,sendrawtransaction,submitpackage",
    ]);
    expect(lines).toContain("rpcwhitelistdefault=0");
    expect(lines).toContainEqual(
      '{{ with (index (nomadVar "nomad/jobs/bitcoin/bitcoin/bitcoind") "rpcauth_electrs").Value }}rpcauth=electrs:{{ . }}{{ else }}the Nomad variable nomad/jobs/bitcoin/bitcoin/bitcoind has no value under the key rpcauth_electrs{{ end }}',
    );
    expect(conf).not.toContain("[main]");
    expect(conf).not.toMatch(/^rest=/m);
  });

  test("binds RPC in its own network and allows the LAN and Nomad's bridge, never everybody", () => {
    const lines = templateOf(job, "secrets/bitcoin.conf").split("\n");
    expect(lines).toContain("rpcbind=0.0.0.0");
    expect(lines.filter((line) => line.startsWith("rpcallowip="))).toEqual([
      "rpcallowip=127.0.0.0/24",
      "rpcallowip=172.26.64.0/20",
    ]);
    expect(lines).toContain("whitebind=noban,download@0.0.0.0:8335");
  });

  test("survives the removal of its construct", () => {
    expect(config.resource.nomad_job.bitcoin).toMatchObject({
      json: true,
      detach: false,
      deregister_on_destroy: false,
      deregister_on_id_change: false,
      lifecycle: { prevent_destroy: true },
    });
    expect(output.jobs["nomad_job.bitcoin"]).toEqual({
      path: "homelab/bitcoin",
      retained: true,
      program: "Bitcoin Core",
    });
  });

  test("comes after its volume, the namespace and the scheduler's settings", () => {
    expect(config.resource.nomad_job.bitcoin.depends_on).toEqual([
      "nomad_namespace.namespace",
      "nomad_scheduler_config.scheduler",
      "nomad_csi_volume_registration.bitcoin-data",
    ]);
  });
});

describe("BitcoinNode with custom props", () => {
  const { jobs } = synth({
    bitcoin: {
      image: `bitcoin/bitcoin:31.1@sha256:${"0".repeat(64)}`,
      metaVersion: 7,
      chain: "regtest",
      initialSync: true,
      rpcPort: 28443,
      p2pPort: 28444,
      forcePull: true,
      extraConfig: { maxmempool: 300, addnode: ["a.example", "b.example"] },
    },
  });
  const job = jobs.bitcoin;

  test("matches its snapshot", () => expect(job).toMatchSnapshot());

  test("puts what is bound to a network into the section of the chain, its own options last", () => {
    const conf = templateOf(job, "secrets/bitcoin.conf");
    const [head, section] = conf.split("[regtest]\n");
    expect(head).toContain("chain=regtest\n");
    expect(section?.trimEnd().split("\n")).toEqual([
      "rpcbind=0.0.0.0",
      "rpcport=18443",
      "rpcallowip=127.0.0.0/24",
      "rpcallowip=172.26.64.0/20",
      "bind=0.0.0.0:18444",
      "whitebind=noban,download@0.0.0.0:8335",
      "maxmempool=300",
      "addnode=a.example",
      "addnode=b.example",
    ]);
  });

  test("has the first sync's cache with the memory for it, the owner's ports and version", () => {
    expect(templateOf(job, "secrets/bitcoin.conf")).toContain("dbcache=3072\n");
    expect(job?.TaskGroups[0]?.Tasks[0]?.Resources).toMatchObject({ MemoryMB: 6144, MemoryMaxMB: 7168 });
    expect(job?.TaskGroups[0]?.Networks?.[0]?.ReservedPorts).toEqual([
      { Label: "rpc", Value: 28443, To: 18443 },
      { Label: "p2p", Value: 28444, To: 18444 },
    ]);
    expect(job?.Meta).toEqual({ version: "7" });
    expect(job?.TaskGroups[0]?.Tasks[0]?.Config.force_pull).toBe(true);
  });
});

describe("BitcoinNode", () => {
  test("narrows the RPC allow list to the clients when the inventory knows all their addresses", () => {
    const { clients } = testCluster();
    const cluster = testCluster({
      clients: clients.map((client, i) => ({ ...client, lanAddress: `127.0.0.${i + 1}` })),
    });
    expect(confOf({ stack: { cluster } }).match(/^rpcallowip=.*$/gm)).toEqual([
      "rpcallowip=127.0.0.1",
      "rpcallowip=127.0.0.2",
      "rpcallowip=127.0.0.3",
      "rpcallowip=172.26.64.0/20",
    ]);
  });

  test("asks for a secret per RPC user, and gives each user one line of methods", () => {
    const { stack, bitcoin } = buildHomelab();
    bitcoin.rpcUser("my-laptop", ["getblockchaininfo", "getblockchaininfo", "uptime"]);
    const { jobs, output } = synthesize(stack);
    expect(templateOf(jobs.bitcoin, "secrets/bitcoin.conf")).toContain(
      "\nrpcwhitelist=my-laptop:getblockchaininfo,uptime\n",
    );
    expect(
      output.secrets.filter(({ source }) => source === "rpc-hash").map(({ key, rpcUser }) => [key, rpcUser]),
    ).toEqual([
      ["rpcauth_electrs", "electrs"],
      ["rpcauth_my_laptop", "my-laptop"],
    ]);
  });

  test.each([
    ["electrs", ["uptime"], "is declared twice"],
    ["Laptop", ["uptime"], "lower-case letters, digits and dashes"],
    ["a:b", ["uptime"], "lower-case letters, digits and dashes"],
    ["laptop", [], "may call nothing"],
  ] as const)("refuses the RPC user %s", (name, methods, message) => {
    expect(() => buildHomelab().bitcoin.rpcUser(name, methods)).toThrow(message);
  });

  test.each([
    [{ reindex: 1 }, "would start from block 0 at every restart"],
    [{ "-reindex-chainstate": 1 }, "would start from block 0"],
    [{ rpcauth: "x" }, "is set by `rpcUser(name, methods)`"],
    [{ nolisten: 1 }, "is set by the construct"],
    [{ "-rpcallowip": "0.0.0.0/0" }, "is set by the inventory's networks"],
    [{ noreindex: 0 }, "would start from block 0"],
    [{ daemonwait: 1 }, "is set by the construct"],
    [{ includeconf: "more.conf" }, "is set by the construct"],
    [{ noblocksonly: 0 }, "negates blocksonly; write blocksonly = 0"],
    [{ maxmempool: 300, nomaxmempool: 1 }, "negates maxmempool"],
    [{ asmap: ["a", "b"] }, "is given several times"],
    [{ "-maxmempool": 300 }, "write its plain name in small letters"],
    [{ MaxMempool: 300 }, "write its plain name in small letters"],
    [{ maxmempool: [300, 400] }, "is given several times"],
    [{ proxy: "a\nrpcallowip=0.0.0.0/0" }, "must be one line"],
    [{ uacomment: "" }, "must be one line, not empty"],
    [{ torpassword: "hunter2" }, "looks like a secret"],
    [{ "max mempool": 1 }, "is no option of bitcoin.conf"],
  ])("refuses the extra option %j", (extraConfig, message) => {
    expect(() => buildHomelab({ bitcoin: { extraConfig: extraConfig as never } })).toThrow(message);
  });

  test.each([
    "addnode",
    "connect",
    "debug",
    "debugexclude",
    "deprecatedrpc",
    "externalip",
    "loglevel",
    "onlynet",
    "seednode",
  ])("takes the option %s several times, as bitcoind does", (option) => {
    expect(confOf({ bitcoin: { extraConfig: { [option]: ["one", "two"] } } })).toContain(
      `${option}=one\n${option}=two\n`,
    );
  });

  test("needs a volume for a chain, lest it begin a new one beside other data", () => {
    const { stack, electrsData } = buildHomelab();
    const props = { image: "bitcoin/bitcoin:31.1", metaVersion: 1, data: electrsData } as const;
    expect(() => new BitcoinNode(stack, "second", props)).toThrow(
      'data = volume "electrs-data" holds "index", and this service needs one that holds "chain"',
    );
  });

  test("does not undo an edit of its configuration when a consumer comes later", () => {
    for (const edit of [
      (template: { EmbeddedTmpl?: string }) => ({ ...template, Perms: "0440" }),
      (template: { EmbeddedTmpl?: string }) => Object.assign(template, { EmbeddedTmpl: `${template.EmbeddedTmpl}#` }),
    ]) {
      const { bitcoin } = buildHomelab();
      const [task] = bitcoin.job.TaskGroups[0]?.Tasks ?? [];
      if (task) task.Templates = task.Templates?.map((template) => edit(template) as typeof template) ?? [];
      expect(() => bitcoin.rpcUser("laptop", ["uptime"])).toThrow(
        'rpcUser("laptop", …) comes after bitcoin.conf was edited through `job`',
      );
    }
  });

  test("does not print the value of a secret it refuses", () => {
    expect(() => buildHomelab({ bitcoin: { extraConfig: { torpassword: "hunter2" } } })).not.toThrow("hunter2");
  });

  test("prunes at 550 MiB or more, without the transaction index", () => {
    const { stack } = buildHomelab({ electrs: {} });
    expect(stack).toBeDefined();
    expect(() => buildHomelab({ bitcoin: { prune: Memory.mebibytes(549) } })).toThrow("at least 550 MiB");
    expect(() => buildHomelab({ bitcoin: { prune: Memory.mebibytes(550), txindex: true } })).toThrow(
      "leave one of them out",
    );
    expect(() => buildHomelab({ bitcoin: { prune: Memory.mebibytes(550) } })).toThrow(
      "is pruned, and electrs needs every block",
    );
  });

  test("takes the options of others that only look like secrets", () => {
    expect(() => buildHomelab({ bitcoin: { extraConfig: { privatebroadcast: 1 } } })).not.toThrow();
  });

  test("keeps room for more than the database cache", () => {
    expect(() => buildHomelab({ bitcoin: { dbcache: Memory.mebibytes(3584) } })).not.toThrow();
    expect(() => buildHomelab({ bitcoin: { dbcache: Memory.mebibytes(3585) } })).toThrow("leaves less than 2560 MiB");
  });

  test("cannot write a volume it is only given to read", () => {
    const { stack, bitcoinData } = buildHomelab();
    const props = { image: "bitcoin/bitcoin:31.1", metaVersion: 1, data: bitcoinData.readOnly() } as const;
    expect(() => new BitcoinNode(stack, "second", props)).toThrow('volume "bitcoin-data" is read-only');
  });

  test.each(["", "My node", "a/b", "1st"])('refuses the job id "%s"', (jobId) => {
    expect(() => buildHomelab({ bitcoin: { jobId } })).toThrow(`jobId = "${jobId}" must be lower-case letters`);
  });

  test.each([0, -1, 1.5, Number.NaN])("refuses metaVersion %p", (metaVersion) => {
    expect(() => buildHomelab({ bitcoin: { metaVersion } })).toThrow(
      `metaVersion = ${metaVersion} must be a positive whole number`,
    );
  });

  test("refuses an acknowledgement without a reason", () => {
    expect(() => buildHomelab().bitcoin.acknowledge("pinned-image", " ")).toThrow(
      'acknowledge("pinned-image", "") lacks a reason',
    );
  });
});
