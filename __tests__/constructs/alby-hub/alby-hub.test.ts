import { AlbyHub, CsiVolume } from "../../../constructs";
import { Duration } from "../../../nomad/duration";
import { RULES } from "../../../rules";
import { BUSYBOX, buildHomelab, type Changes, synthesize, templateOf } from "../../homelab-fixture";

const synth = (changes: Changes = {}) => synthesize(buildHomelab(changes).stack);

describe("AlbyHub with default props", () => {
  const { jobs, config, output } = synth();
  const job = jobs.albyhub;
  const group = job?.TaskGroups[0];
  const task = group?.Tasks[0];

  test("matches its snapshot", () => expect(job).toMatchSnapshot());

  test("has no public chain source, and tells nobody what it does", () => {
    expect(task?.Env).toMatchObject({
      LDK_ESPLORA_SERVER: "http://127.0.0.1:9",
      LDK_VSS_URL: "",
      LDK_LSPS2_ADDRESSES: "none",
      BOLTZ_API: "http://127.0.0.1:9",
      MEMPOOL_API: "http://127.0.0.1:9",
      SEND_EVENTS_TO_ALBY: "false",
      AUTO_LINK_ALBY_ACCOUNT: "false",
    });
    const empty = Object.entries(task?.Env ?? {}).filter(([, value]) => value === "");
    expect(empty).toEqual([["LDK_VSS_URL", ""]]);
  });

  test("gets the chain source and its secrets from the start script, which refuses when one is empty", () => {
    const entry = templateOf(job, "local/entry");
    expect(entry).toContain('export LDK_ELECTRUM_SERVER="$electrs"');
    expect(entry).toContain(
      'export DATABASE_URI="postgresql://$DATABASE_USER:$password@$DATABASE?sslmode=$DATABASE_TLS"',
    );
    expect(entry).toContain("\nDATABASE='127.0.0.1:5432/nwc'\nDATABASE_USER='albyhub'\nDATABASE_TLS='prefer'\n");
    expect(entry).toContain('if [ "$AUTO_UNLOCK" = true ]; then export AUTO_UNLOCK_PASSWORD="$unlock"; fi');
    expect(entry).toContain("\nAUTO_UNLOCK='true'\n");
    expect(entry).toContain("\nexec /bin/main\n");
    expect(task?.Config).toMatchObject({ entrypoint: ["/alloc/bin/busybox", "sh", "/local/entry"] });
  });

  test("its health check belongs to its task and restarts it alone", () => {
    expect(group?.Services).toBeUndefined();
    expect(task?.Services).toEqual([
      expect.objectContaining({
        Name: "albyhub",
        Checks: [
          expect.objectContaining({
            PortLabel: "probe",
            CheckRestart: { Limit: 3, Grace: Duration.minutes(1).toNanoseconds() },
          }),
        ],
      }),
    ]);
    expect(task?.Services?.[0]?.Checks?.[0]).not.toHaveProperty("OnUpdate");
  });

  test("guards its channels: fence, six minutes to stop, one instance, a volume that stays", () => {
    expect(group).toMatchObject({ Count: 1, Disconnect: { Replace: false } });
    expect(task?.KillTimeout).toBe(Duration.minutes(6).toNanoseconds());
    expect(config.resource.nomad_csi_volume_registration["albyhub-data"]).toMatchObject({
      deregister_on_destroy: false,
      lifecycle: { prevent_destroy: true },
      capability: [{ access_mode: "multi-node-single-writer", attachment_mode: "file-system" }],
    });
  });

  test("refuses an empty volume, and tells of the open set-up", () => {
    const entry = templateOf(job, "local/entry");
    expect(entry).toContain('refuse "the volume $VOLUME_ID is empty');
    expect(entry).toContain("\nVOLUME_ID='albyhub-data'\nFIRST_START='false'\n");
    expect(output.notices).toEqual([
      { path: "homelab/albyhub", text: expect.stringContaining("whoever reaches port 8080 first owns the hub") },
    ]);
  });

  test("asks for the database's password from its owner, and makes the one that unlocks", () => {
    expect(
      output.secrets.filter(({ path }) => path.includes("albyhub")).map(({ key, source }) => [key, source]),
    ).toEqual([
      ["database_password", "owner"],
      ["auto_unlock_password", "random"],
    ]);
  });
});

describe("AlbyHub with custom props", () => {
  const { jobs, output } = synth({
    bitcoin: { chain: "regtest" },
    albyHub: {
      firstStart: true,
      unlock: "by-hand",
      databaseAddress: "db.example",
      databaseTls: "require",
      port: 18080,
      relays: ["wss://relay.example"],
      mempoolApi: "http://mempool.example/api",
      startDeadline: Duration.minutes(20),
    },
  });
  const job = jobs.albyhub;

  test("matches its snapshot", () => expect(job).toMatchSnapshot());

  test("is unlocked by hand: no secret, no restart while it is locked", () => {
    expect(output.secrets.map(({ key }) => key)).not.toContain("auto_unlock_password");
    expect(templateOf(job, "local/entry")).toContain("\nAUTO_UNLOCK='false'\n");
    expect(templateOf(job, "local/www/cgi-bin/health", 2)).toContain("\nAUTO_UNLOCK='false'\n");
  });

  test("marks an empty volume at its first start, and the overview says so while the prop stands", () => {
    expect(templateOf(job, "local/entry")).toContain("\nVOLUME_ID='albyhub-data'\nFIRST_START='true'\n");
    expect(output.notices).toContainEqual({
      path: "homelab/albyhub",
      text: expect.stringContaining("firstStart = true"),
    });
  });

  test("follows its owner's choices", () => {
    expect(job?.TaskGroups[0]?.Tasks[0]?.Env).toMatchObject({
      NETWORK: "regtest",
      RELAY: "wss://relay.example",
      MEMPOOL_API: "http://mempool.example/api",
    });
    expect(templateOf(job, "local/entry")).toContain(
      "\nDATABASE='db.example:5432/nwc'\nDATABASE_USER='albyhub'\nDATABASE_TLS='require'\n",
    );
    expect(templateOf(job, "local/www/cgi-bin/health", 2)).toContain("\nGRACE='1200'\n");
  });
});

describe("AlbyHub", () => {
  test("refuses a volume that does not say it holds funds", () => {
    expect(() => buildHomelab({ albyHubData: { holds: "index" } })).toThrow(
      'holds "index", and this service needs one that holds "funds"',
    );
  });

  test("refuses the database of another hub, since two hubs with one seed can lose their channels", () => {
    const { stack, plugin, electrs } = buildHomelab();
    const data = new CsiVolume(stack, "second-data", { volumeId: "second-data", holds: "funds", plugin });
    const props = {
      image: "ghcr.io/getalby/hub:v1.24.0",
      metaVersion: 1,
      electrs,
      data,
      busybox: BUSYBOX,
      jobId: "second",
    } as const;
    const judged = () =>
      RULES.flatMap((rule) => rule.check(stack.homelab())).map(({ path, problem }) => ({ path, problem }));
    new AlbyHub(stack, "second", { ...props, databaseUser: "second", databaseTls: "require" });
    expect(judged()).toContainEqual({
      path: "homelab/second",
      problem: "is the database of homelab/albyhub already: two hubs with one seed can lose their channels",
    });
  });

  test.each(["al$by", "a b", "db:5432", "x/y"])('refuses "%s" as a part of the database\'s address', (text) => {
    for (const prop of ["databaseAddress", "databaseName", "databaseUser"]) {
      expect(() => buildHomelab({ albyHub: { [prop]: text } })).toThrow(`${prop} = "${text}" must be letters`);
    }
  });

  test("refuses a chain it does not know", () => {
    expect(() => buildHomelab({ bitcoin: { chain: "testnet4" } })).toThrow(
      'chain "testnet4", which Alby Hub does not know',
    );
  });
});
