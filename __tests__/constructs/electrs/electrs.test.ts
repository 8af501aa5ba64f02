import { buildHomelab, type Changes, synthesize, templateOf } from "../../homelab-fixture";

const synth = (changes: Changes = {}) => synthesize(buildHomelab(changes).stack);

describe("Electrs with default props", () => {
  const { jobs, config, output } = synth();
  const job = jobs.electrs;
  const group = job?.TaskGroups[0];

  test("matches its snapshot", () => expect(job).toMatchSnapshot());

  test("reads a private TOML, and the addresses of each instance of bitcoind as one line", () => {
    expect(templateOf(job, "secrets/electrs.toml").split("\n")).toEqual([
      'network = "bitcoin"',
      'db_dir = "/data"',
      'electrum_rpc_addr = "0.0.0.0:50001"',
      'log_filters = "INFO"',
      expect.stringContaining('auth = "electrs:{{ . }}"'),
      "",
    ]);
    expect(templateOf(job, "local/bitcoind")).toBe(
      '{{ range nomadService "bitcoin-rpc" }}{{ if eq .JobID "bitcoin" }}{{ $rpc := . }}{{ $rpc.Address }}:{{ $rpc.Port }}' +
        '{{ range nomadService "bitcoin-indexer" }}{{ if eq .AllocID $rpc.AllocID }} {{ .Address }}:{{ .Port }}{{ end }}{{ end }}' +
        "\n{{ end }}{{ end }}",
    );
  });

  test("starts through a script that waits for bitcoind, on a busybox it is given", () => {
    expect(group?.Tasks.map(({ Name, Lifecycle }) => [Name, Lifecycle?.Hook, Lifecycle?.Sidecar])).toEqual([
      ["electrs", undefined, undefined],
      ["busybox", "prestart", false],
      ["probe", "prestart", true],
    ]);
    expect(group?.Tasks[0]?.Config).toMatchObject({ entrypoint: ["/alloc/bin/busybox", "sh", "/local/entry"] });
    expect(templateOf(job, "local/entry")).toContain("\nCONFIG='/secrets/electrs.toml'\n");
    expect(templateOf(job, "local/entry")).toContain("\nP2P_OPTION='--daemon-p2p-addr'\n");
  });

  test("no template ever restarts it", () => {
    const templates = group?.Tasks.flatMap(({ Templates }) => Templates ?? []) ?? [];
    expect(templates.map(({ ChangeMode }) => ChangeMode)).toEqual(templates.map(() => "noop"));
  });

  test("its health is server.ping, which says nothing about a deployment; what restarts it is silence after an answer", () => {
    expect(group?.Services).toBeUndefined();
    expect(group?.Tasks[0]?.Services).toEqual([
      expect.objectContaining({
        Name: "electrs",
        PortLabel: "electrum",
        Checks: [
          expect.objectContaining({ Type: "http", Path: "/cgi-bin/health", PortLabel: "probe", OnUpdate: "ignore" }),
          expect.objectContaining({ Path: "/cgi-bin/silence", CheckRestart: { Limit: 3, Grace: 60_000_000_000 } }),
        ],
      }),
    ]);
    expect(templateOf(job, "local/www/cgi-bin/health", 2)).toContain('"method":"server.ping"');
  });

  test("comes after bitcoin, and says that it depends on it", () => {
    expect(config.resource.nomad_job.electrs.depends_on).toContain("nomad_job.bitcoin");
    expect(output.dependencies).toContainEqual({ from: "electrs", on: "bitcoin" });
  });

  test("has its own secret, the other half of bitcoind's", () => {
    expect(
      output.secrets.filter(({ rpcUser }) => rpcUser === "electrs").map(({ path, key, source }) => [path, key, source]),
    ).toEqual([
      ["nomad/jobs/bitcoin/bitcoin/bitcoind", "rpcauth_electrs", "rpc-hash"],
      ["nomad/jobs/electrs/electrs/electrs", "bitcoin_rpc_password", "rpc-password"],
    ]);
  });
});

describe("Electrs with custom props", () => {
  const { jobs } = synth({
    bitcoin: { chain: "signet" },
    electrs: { port: 60001, dbDir: "/data/db", metaVersion: 3, jobId: "electrs-signet" },
  });
  const job = jobs["electrs-signet"];

  test("matches its snapshot", () => expect(job).toMatchSnapshot());

  test("follows the chain of its node, and its owner's choices", () => {
    const toml = templateOf(job, "secrets/electrs.toml");
    expect(toml).toContain('network = "signet"\ndb_dir = "/data/db"\n');
    expect(toml).toContain('auth = "electrs-signet:{{ . }}"');
    expect(job?.TaskGroups[0]?.Networks?.[0]?.ReservedPorts).toEqual([{ Label: "electrum", Value: 60001, To: 50001 }]);
  });
});

describe("Electrs", () => {
  test("refuses a node without a mempool, and an image whose version it cannot read", () => {
    expect(() => synth({ bitcoin: { extraConfig: { blocksonly: 1 } } })).toThrow("has blocksonly in its extraConfig");
    expect(() => synth({ electrs: { image: "getumbrel/electrs:release-0.12.0" } })).toThrow(
      "its tag must begin with the version",
    );
  });
});

describe("Electrs 0.12", () => {
  const { jobs } = synth({ electrs: { image: "getumbrel/electrs:v0.12.0" } });

  test("reads blocks over REST, which bitcoind opens for it", () => {
    expect(templateOf(jobs.bitcoin, "secrets/bitcoin.conf")).toContain("\nrest=1\n");
    expect(JSON.stringify(jobs.electrs)).not.toMatch(/daemon.p2p.addr|bitcoin-indexer/);
    expect(templateOf(jobs.electrs, "local/entry")).toContain("--daemon-rpc-addr");
  });
});
