import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describeWith } from "../tools";
import { AS_NOBODY, HUB_TABLES, Postgres, postgresFolder } from "./postgres";
import { channelBackup, raftSnapshot, Sandbox, tree } from "./sandbox";

const CHANNELS = "data/albyhub/ldk/static_channel_backups";
const RAFT = "snapshots/pinode2-20261126T100000Z.snap";

/** A homelab with something of everything in it. */
function fill(box: Sandbox): void {
  box.put(`${CHANNELS}/2026-11-26T10-00-00.json`, channelBackup(1));
  box.put(`${CHANNELS}/2026-11-26T11-00-00.json`, channelBackup(2));
  box.put("data/albyhub/.homelab-volume", "albyhub-data\n");
  box.put("data/albyhub/ldk/storage/ldk_node_data.sqlite", "LIVE STATE");
  box.put("data/albyhub/log/nwc.log", "log");
  box.put(RAFT, raftSnapshot());
  box.put("snapshots/pinode2-20261126T090000Z.snap", raftSnapshot("older"));
  box.put("snapshots/pinode9-20261125T100000Z.snap", raftSnapshot("of another server"));
  box.put("snapshots/.pinode2-20261126T110000Z.snap.part", "half");
}

describeWith(["restic", "postgres", "busybox"], "a backup with real restic and PostgreSQL", () => {
  let postgres: Postgres;
  let box: Sandbox;

  beforeAll(async () => {
    postgres = await Postgres.start();
    postgres.sql(HUB_TABLES, "nwc", "albyhub");
    box = await Sandbox.start(postgres);
    fill(box);
  });
  afterAll(() => {
    box?.stop();
    postgres?.stop();
  });

  /** ID of the newest snapshot of that name. */
  const newest = (tag: string): string =>
    JSON.parse(box.restic("snapshots", "--json", "--tag", tag, "--latest", "1")).at(-1)?.short_id ?? "";

  test("takes each set, and tells Nomad what it holds", async () => {
    const { code, logs } = await box.run("backup");
    expect([code, logs.restic]).toEqual([0, expect.stringContaining("creates a new repository")]);
    const { at = "", seconds, sets = "" } = box.told("backup/done");
    expect(Math.abs(Date.now() - Date.parse(at))).toBeLessThan(60_000);
    expect(at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(Number(seconds)).toBeGreaterThan(0);
    expect(sets.split("\n")).toEqual([
      expect.stringMatching(/^albyhub snapshot=[0-9a-f]{8} files=6 bytes=\d+ rows=511 channels=2$/),
      expect.stringMatching(
        /^cluster snapshot=[0-9a-f]{8} files=4 bytes=\d+ raft=pinode9-20261125T100000Z.snap raft=pinode2-20261126T100000Z.snap$/,
      ),
    ]);
    expect(sets.split("\n")).toEqual([box.told("backup/sets/albyhub").set, box.told("backup/sets/cluster").set]);
    // By their names: they may be of one second.
    const [hub, cluster] = (box.told("snapshots").list ?? "")
      .trim()
      .split("\n")
      .sort((one, other) => (one.split(" ")[2] ?? "").localeCompare(other.split(" ")[2] ?? ""));
    const [, id, bytes] = /snapshot=(\w+) files=6 bytes=(\d+)/.exec(sets) ?? [];
    expect(hub).toMatch(new RegExp(`^${id} \\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ albyhub ${bytes}$`));
    expect(cluster).toMatch(/^[0-9a-f]{8} \S+Z cluster \d+$/);
    expect(box.told("backup/failed")).toEqual({});
    expect(existsSync(box.path("allocations/one"))).toBe(false);
  });

  test("is restored as it was, by checksum and by count of rows", async () => {
    postgres.sql("create database restored owner albyhub");
    const { code, logs } = await box.run("backup-restore", {
      meta: { set: "albyhub", snapshot: "latest", database: "restored" },
    });
    expect([code, code === 0 ? "" : logs]).toEqual([0, ""]);
    const [, folder = ""] = /folder=(\S+) database=restored/.exec(box.told("backup-restore/done").sets ?? "") ?? [];
    expect(folder).toMatch(/^restored\/albyhub-[0-9a-f]{8}$/);
    const files = tree(box.path("backup", folder));
    expect(Object.keys(files).sort()).toEqual([
      "ROWS",
      "SHA256SUMS",
      "database.dump",
      "files/.homelab-volume",
      "files/ldk/static_channel_backups/2026-11-26T10-00-00.json",
      "files/ldk/static_channel_backups/2026-11-26T11-00-00.json",
    ]);
    for (const [path, content] of Object.entries(files).filter(([name]) => name.startsWith("files/"))) {
      expect(content).toBe(readFileSync(box.path("data/albyhub", path.slice(6)), "latin1"));
      const sum = createHash("sha256").update(content, "latin1").digest("hex");
      expect(files.SHA256SUMS).toContain(`${sum}  ${path}\n`);
    }
    expect(files.ROWS).toBe(
      'public.Odd "name with blanks 2\npublic.apps 7\npublic.transactions 500\npublic.user_configs 2\n',
    );
    for (const text of [
      "select md5(string_agg(t::text, ',' order by id)) from transactions t",
      "select value from user_configs order by id",
    ]) {
      expect(postgres.sql(text, "restored")).toBe(postgres.sql(text, "nwc"));
    }
    expect(postgres.sql("select distinct tableowner from pg_tables where schemaname = 'public'", "restored")).toBe(
      "albyhub",
    );
  });

  test.each([
    [
      "a folder that holds something",
      { set: "albyhub", snapshot: "latest" },
      /restored\/albyhub-\w{8} on the backup volume is not empty: move its contents away first/,
    ],
    [
      "a set that is none",
      { set: "../etc", snapshot: "latest" },
      /set = \.\.\/etc is not one of albyhub, albyhub-part, cluster/,
    ],
    ["a snapshot that is none", { set: "albyhub", snapshot: "$(id)" }, /must be latest or an ID of restic/],
    [
      "a snapshot that is not there",
      { set: "albyhub", snapshot: "00000000" },
      /there is no snapshot 00000000 of albyhub/,
    ],
    [
      "a database that a shell would read",
      { set: "cluster", snapshot: "latest", database: "a b;c" },
      /database = a b;c must be letters/,
    ],
  ])("is not restored into %s", async (_, meta, message) => {
    const { code } = await box.run("backup-restore", { meta });
    expect([code, box.told("backup-restore/failed").message]).toEqual([1, expect.stringMatching(message)]);
  });

  test("is not loaded into a database that holds anything, such as the live one, nor where there is none", async () => {
    rmSync(box.path("backup/restored"), { recursive: true, force: true });
    const live = postgres.sql("select count(*) from transactions", "nwc");
    const into = (database: string) => {
      rmSync(box.path("backup/restored"), { recursive: true, force: true });
      return box.run("backup-restore", { meta: { set: "albyhub", snapshot: "latest", database } });
    };
    expect((await into("nwc")).code).toBe(1);
    expect(box.told("backup-restore/failed")).toMatchObject({
      task: "database",
      message: expect.stringMatching(
        /the database nwc at 127\.0\.0\.1 holds \d+ tables, views or sequences: a restore needs an empty one/,
      ),
    });
    expect(postgres.sql("select count(*) from transactions", "nwc")).toBe(live);
    expect((await into("nowhere")).code).toBe(1);
    expect(box.told("backup-restore/failed").message).toMatch(/cannot reach the database nowhere .*does not exist/);
    rmSync(box.path("backup/restored"), { recursive: true, force: true });
    await box.run("backup-restore", { meta: { set: "cluster", snapshot: "latest", database: "restored" } });
    expect(box.told("backup-restore/failed").message).toMatch(/the set cluster has no database/);
    const restored = tree(box.path("backup/restored"));
    expect(
      Object.keys(restored)
        .map((path) => path.split("/").slice(1).join("/"))
        .sort(),
    ).toEqual(["SHA256SUMS", "VARIABLES", "raft/pinode2-20261126T100000Z.snap", "raft/pinode9-20261125T100000Z.snap"]);
    const variables = Object.entries(restored).find(([path]) => path.endsWith("VARIABLES"))?.[1];
    expect(variables).toBe("bitcoin nomad/jobs/albyhub/albyhub/albyhub\ndefault homelab/pause\n");
  });

  test("agrees with its manifest though rows are written all the while", async () => {
    const [insert, env] = [
      "insert into transactions (amount) select n from generate_series(1, 50) n; insert into apps (name) values ('x')",
      postgres.environment(),
    ];
    // Writes until it is killed, in transactions of their own.
    const writer = spawn("sh", ["-c", `while :; do psql -X -q -U albyhub -d nwc -c "$INSERT"; done`], {
      ...{ env: { ...env, INSERT: insert }, detached: true, stdio: "ignore", ...AS_NOBODY },
    });
    try {
      const before = Number(postgres.sql("select count(*) from transactions", "nwc"));
      let rows = "";
      for (let turn = 0; turn < 3; turn++) {
        const { code } = await box.run("backup", {
          after: (task, allocation) => {
            if (task === "database") rows = readFileSync(join(allocation, "alloc/data/stage/albyhub/ROWS"), "utf8");
          },
        });
        expect(code).toBe(0);
      }
      const [, counted] = /public\.transactions (\d+)/.exec(rows) ?? [];
      expect(Number(counted)).toBeGreaterThan(before);
      expect(Number(postgres.sql("select count(*) from transactions", "nwc"))).toBeGreaterThan(Number(counted));
    } finally {
      if (writer.pid) process.kill(-writer.pid, "SIGKILL");
    }
    // The drill loads the dump, and finds each count that the manifest has.
    const { code, logs } = await box.run("backup-drill");
    expect([code, logs.database]).toEqual([0, expect.stringMatching(/albyhub database 4 tables \d+ rows equal/)]);
  });

  test("is refused with the wrong password of the repository, and says what to do", async () => {
    const { code } = await box.run("backup", { secrets: { restic_password: "wrong" } });
    expect([code, box.told("backup/failed")]).toMatchObject([
      1,
      {
        task: "restic",
        message: expect.stringMatching(/restic_password does not open the repository .*homelab secrets set/),
      },
    ]);
  });

  test("is refused without a secret, and with the wrong password of the database", async () => {
    expect((await box.run("backup", { secrets: { restic_password: "" } })).code).toBe(1);
    expect(box.told("backup/failed").message).toContain("the secret restic_password is empty");
    const { code } = await box.run("backup", { secrets: { albyhub_database_password: "wrong" } });
    expect(code).toBe(1);
    expect(box.told("backup/failed")).toMatchObject({
      task: "database",
      message: expect.stringMatching(/^albyhub: cannot reach the database nwc .*password authentication failed/),
    });
  });

  test("takes the cluster and the channel backups while the database cannot be dumped, and calls no set well that is not", async () => {
    await box.run("backup");
    const before = [newest("albyhub"), newest("cluster")];
    box.variables = {};
    const { code, logs } = await box.run("backup", { secrets: { albyhub_database_password: "wrong" } });
    expect([code, logs.restic]).toEqual([1, expect.stringMatching(/^albyhub-part snapshot=.* channels=2, degraded$/m)]);
    expect(newest("albyhub")).toBe(before[0]);
    expect(newest("cluster")).not.toBe(before[1]);
    expect([box.told("backup/sets/albyhub"), box.told("backup/done")]).toEqual([{}, {}]);
    expect(box.told("backup/sets/cluster").set).toContain(`cluster snapshot=${newest("cluster")}`);
    const restored = await box.run("backup-restore", { meta: { set: "albyhub-part", snapshot: "latest" } });
    expect(restored.code).toBe(0);
    const files = Object.keys(tree(box.path("backup/restored", `albyhub-part-${newest("albyhub-part")}`)));
    expect(files.filter((path) => path.endsWith(".json"))).toHaveLength(2);
    expect(files.filter((path) => /database|ROWS/.test(path))).toEqual([]);
  });

  test("does not take an emptied database for a good backup, nor load one", async () => {
    const before = newest("albyhub");
    postgres.sql("alter database nwc rename to nwc_kept");
    postgres.sql("create database nwc owner albyhub");
    const { code } = await box.run("backup");
    expect([code, newest("albyhub"), box.told("backup/failed")]).toEqual([
      1,
      before,
      expect.objectContaining({
        task: "database",
        message: expect.stringMatching(
          /^albyhub: the database nwc holds no tables: .*an empty database is not a backup/,
        ),
      }),
    ]);
    // As an older version of the job made it.
    const stage = "allocations/one/alloc/data/stage/albyhub";
    mkdirSync(box.path(stage), { recursive: true });
    execFileSync("pg_dump", ["--format=custom", "-U", "albyhub", "-d", "nwc", "-f", box.path(stage, "database.dump")], {
      env: postgres.environment(),
    });
    box.put(`${stage}/ROWS`, "");
    const sum = (path: string) =>
      createHash("sha256")
        .update(readFileSync(box.path(stage, path)))
        .digest("hex");
    box.put(`${stage}/SHA256SUMS`, ["ROWS", "database.dump"].map((path) => `${sum(path)}  ${path}\n`).join(""));
    box.restic("backup", "--host", "homelab", "--tag", "albyhub", box.path(stage));
    const empty = newest("albyhub");
    expect(empty).not.toBe(before);
    rmSync(box.path("allocations/one"), { recursive: true });
    const meta = { set: "albyhub", snapshot: empty, database: "nwc" };
    expect((await box.run("backup-restore", { meta })).code).toBe(1);
    expect(box.told("backup-restore/failed").message).toMatch(
      /the database in this snapshot of albyhub holds no tables: choose an older snapshot .*--snapshot/,
    );
    box.restic("forget", empty);
    postgres.sql("drop database nwc");
    postgres.sql("alter database nwc_kept rename to nwc");
  });

  test.each([
    ["is empty", () => rmSync(box.path("data/albyhub"), { recursive: true })],
    ["is that of another volume", () => box.put("data/albyhub/.homelab-volume", "other-data\n")],
  ])("is not content with a folder of the hub that %s, and takes its database all the same", async (_, change) => {
    const before = newest("albyhub");
    change();
    mkdirSync(box.path("data/albyhub"), { recursive: true });
    const { code, logs } = await box.run("backup");
    fill(box);
    expect([code, newest("albyhub"), box.told("backup/failed").message]).toEqual([
      1,
      before,
      expect.stringMatching(/^albyhub: its folder has no \.homelab-volume that names the volume albyhub-data/),
    ]);
    expect(logs.restic).toMatch(/^albyhub-part snapshot=\w+ files=3 .* rows=\d+ channels=0, degraded$/m);
  });

  test("tells when the second place lacks a channel backup for minutes, or has one that the hub has no more", async () => {
    const [old, at] = ["2026-11-26T10-00-00.json", new Date(Date.now() - 600_000)];
    utimesSync(box.path(CHANNELS, old), at, at);
    const failing = async () => {
      const { code } = await box.run("backup");
      return [code, box.told("backup/failed").message];
    };
    expect(await failing()).toEqual([
      1,
      expect.stringMatching(/^albyhub: the second place, channels\/albyhub of .* lacks 1 of 2 channel backups/),
    ]);
    box.put(`backup/channels/albyhub/${old}`, channelBackup(7));
    expect((await failing())[0]).toBe(1);
    box.put(`backup/channels/albyhub/${old.replace(".json", "_0a1b2c3d.json")}`, channelBackup(1));
    expect((await failing())[0]).toBe(0);
    box.put("backup/channels/albyhub/2026-11-25T10-00-00.json", channelBackup(1));
    expect(await failing()).toEqual([
      1,
      expect.stringMatching(/^albyhub: 1 channel backups are gone from the hub, but still in the second place/),
    ]);
    // What is there was taken all the same.
    expect(JSON.parse(box.restic("snapshots", "--json", "--tag", "albyhub", "--latest", "1"))).toHaveLength(1);
    rmSync(box.path("backup/channels"), { recursive: true });
    const now = new Date();
    utimesSync(box.path(CHANNELS, old), now, now);
  });

  test("is refused by a server of another major version than the image", async () => {
    const fake = box.path("other");
    mkdirSync(fake, { recursive: true });
    writeFileSync(join(fake, "pg_dump"), "#!/bin/sh\necho 'pg_dump (PostgreSQL) 12.7 (Debian 12.7-1)'\n", {
      mode: 0o755,
    });
    const { code } = await box.run("backup", {
      env: { PATH: `${fake}:${postgresFolder()}:/usr/bin:/bin:${box.path("bin")}` },
    });
    expect([code, box.told("backup/failed").message]).toEqual([
      1,
      expect.stringMatching(
        /is PostgreSQL \d+, and this image has 12: set postgresImage to one of PostgreSQL \d+, such as postgres:\d+/,
      ),
    ]);
  });

  test("is refused when the repository cannot be reached", async () => {
    const { code } = await box.run("backup", { env: { RESTIC_REPOSITORY: "rest:http://127.0.0.1:9/" } });
    expect([code, box.told("backup/failed").message]).toEqual([
      1,
      expect.stringMatching(/^cannot open the repository rest:http:\/\/127\.0\.0\.1:9\/ within 10 s: /),
    ]);
  });

  test("goes on with the other sets when one fails, and says which", async () => {
    const snapshot = readFileSync(box.path(RAFT));
    rmSync(box.path("snapshots"), { recursive: true });
    mkdirSync(box.path("snapshots"));
    const before = [newest("albyhub"), newest("cluster")];
    const { code } = await box.run("backup");
    box.put(RAFT, snapshot);
    expect([code, box.told("backup/failed").message]).toEqual([
      1,
      expect.stringMatching(/^cluster: there is no raft snapshot/),
    ]);
    expect(newest("albyhub")).not.toBe(before[0]);
    expect(newest("cluster")).toBe(before[1]);
    expect(box.told("snapshots").list).toContain(`${newest("albyhub")} `);
    expect(box.told("backup/sets/albyhub").set).toContain(`albyhub snapshot=${newest("albyhub")} `);
  });

  test("says so when Nomad does not let it list the variables, or tell its result", async () => {
    box.nomadStatus = 403;
    const { code, logs } = await box.run("backup");
    box.nomadStatus = 200;
    expect(code).toBe(1);
    expect(logs.restic).toMatch(/cannot list Nomad's variables at .*needs a policy of its own/);
    expect(logs.report).toContain("the job needs an ACL policy of its own for that");
  });

  test("leaves out a channel backup that is only half written, says so, and is not well while it is the newest", async () => {
    const file = `${CHANNELS}/2026-11-26T12-00-00.json`;
    box.put(file, channelBackup(3).slice(0, 200));
    const { code, logs } = await box.run("backup");
    expect([code, logs.restic]).toEqual([
      1,
      expect.stringContaining("skips ldk/static_channel_backups/2026-11-26T12-00-00.json, which is incomplete"),
    ]);
    expect(logs.restic).toMatch(/^albyhub snapshot=\w+ files=6 .* incomplete=1 channels=2, degraded$/m);
    expect(box.told("backup/failed").message).toMatch(
      /2026-11-26T12-00-00\.json, the newest of its kind, is incomplete/,
    );
    const later = `${CHANNELS}/2026-11-26T13-00-00.json`;
    box.put(later, channelBackup(4));
    expect((await box.run("backup")).code).toBe(0);
    expect(box.told("backup/done").sets).toMatch(/^albyhub .* files=7 .* incomplete=1 channels=3$/m);
    rmSync(box.path(later));
    box.put(file, channelBackup(3));
    expect((await box.run("backup")).code).toBe(0);
    expect(box.told("backup/done").sets).toMatch(/^albyhub .* files=7 .* rows=\d+ channels=3$/m);
  });

  test("copies the work directory of a stopped hub with its checksums, and not that of one that runs", async () => {
    const aside = {
      ".before-restore-20261126T230000Z/ldk/storage/x": "an old state",
      ".restore.part/x": "half a copy",
    };
    const whole = tree(box.path("data/albyhub"));
    for (const [path, text] of Object.entries(aside)) box.put(`data/albyhub/${path}`, text);
    // Of the folder, not of its data.
    box.put("data/albyhub/.homelab-identity", "00000001-1111-4222-8333-444444444444\n");
    box.put("data/albyhub/.homelab-lock", "");
    box.put("backup/before-upgrade/albyhub/.20261126T230000Z.part/x", "of one that was killed");
    const { code } = await box.run("backup-copy", { meta: { job: "albyhub", snapshot: "ab12cd34" } });
    for (const path of Object.keys(aside))
      rmSync(box.path("data/albyhub", path.split("/")[0] ?? ""), { recursive: true });
    const [, time = ""] =
      /^albyhub time=(\d{8}T\d{6}Z) files=\d+ bytes=\d+ snapshot=ab12cd34$/.exec(
        box.told("backup-copy/done").sets ?? "",
      ) ?? [];
    expect([code, time]).toEqual([0, expect.stringMatching(/Z$/)]);
    const { SHA256SUMS, ...copy } = tree(box.path("backup/before-upgrade/albyhub", time));
    expect(copy).toEqual(whole);
    expect(SHA256SUMS?.trim().split("\n")).toHaveLength(Object.keys(copy).length);

    // Long enough for a write between the copy and its check; a copy has its second for its name.
    box.put("data/albyhub/log/large", Buffer.alloc(64 * 1024 * 1024));
    await new Promise((done) => setTimeout(done, 1100));
    let writer: NodeJS.Timeout | undefined;
    const { code: running } = await box.run("backup-copy", {
      meta: { job: "albyhub" },
      started: (task) => {
        const write = () =>
          writeFileSync(box.path("data/albyhub/ldk/storage/ldk_node_data.sqlite"), String(Math.random()));
        if (task === "copy") writer = setInterval(write, 1);
      },
    });
    clearInterval(writer);
    rmSync(box.path("data/albyhub/log/large"));
    expect([running, box.told("backup-copy/failed").message]).toEqual([
      1,
      expect.stringContaining("changed while it was copied; is albyhub stopped?"),
    ]);
    // Nothing of the live state stays but in a whole copy.
    expect(readdirSync(box.path("backup/before-upgrade/albyhub"))).toEqual([time]);
    const lock = openSync(box.path("data/albyhub/.homelab-lock"), "a");
    execFileSync("flock", ["-n", "3"], { stdio: ["ignore", "ignore", "ignore", lock] });
    expect((await box.run("backup-copy", { meta: { job: "albyhub" } })).code).toBe(1);
    closeSync(lock);
    expect(box.told("backup-copy/failed").message).toContain(
      "albyhub is in use: another hub, or a restore, holds the lock",
    );
    box.put("data/albyhub/.homelab-restore", "20261126T230000Z\n");
    expect((await box.run("backup-copy", { meta: { job: "albyhub" } })).code).toBe(1);
    rmSync(box.path("data/albyhub/.homelab-restore"));
    expect(box.told("backup-copy/failed").message).toContain(
      "a restore into the work directory of albyhub is incomplete",
    );
    expect((await box.run("backup-copy", { meta: { job: "bitcoin" } })).code).toBe(1);
    expect(box.told("backup-copy/failed").message).toBe("job = bitcoin is not one of albyhub");
  });

  test("gives up by itself when its task was killed three times, so that Nomad hears of it", async () => {
    const { code } = await box.run("backup", {
      started: (task, _, allocation) => {
        if (task === "database") writeFileSync(join(allocation, "alloc/data/restic.tries"), "3\n");
      },
    });
    expect([code, box.told("backup/failed")]).toMatchObject([
      1,
      { task: "restic", message: expect.stringContaining("was killed 3 times") },
    ]);
  });

  test("follows no link out of what it takes", async () => {
    symlinkSync(box.path("data/albyhub/ldk/storage/ldk_node_data.sqlite"), box.path(CHANNELS, "link.json"));
    const { logs } = await box.run("backup");
    rmSync(box.path(CHANNELS, "link.json"));
    expect(logs.restic).toContain("skips ldk/static_channel_backups/link.json, which is not a plain file");
    expect(box.paths().filter((path) => path.endsWith("link.json"))).toEqual([]);
  });

  test("keeps all of two days, and of older ones as many as it is told", async () => {
    const all = (): { short_id: string; time: string }[] =>
      JSON.parse(box.restic("snapshots", "--json", "--tag", "albyhub"));
    const young = all();
    expect(young.length).toBeGreaterThan(3);
    // restic keeps the oldest of all as long as there are fewer months than wanted.
    for (const minute of ["07", "20", "40"]) {
      const time = `2026-01-05 10:${minute}:00`;
      box.restic(
        "backup",
        "--host",
        "homelab",
        "--tag",
        "albyhub",
        "--time",
        time,
        box.path("data/albyhub/.homelab-volume"),
      );
    }
    expect((await box.run("backup")).code).toBe(0);
    expect(all().map(({ short_id }) => short_id)).toEqual(
      expect.arrayContaining(young.map(({ short_id }) => short_id)),
    );
    expect(
      all()
        .filter(({ time }) => time.startsWith("2026-01-05"))
        .map(({ time }) => time.slice(11, 16)),
    ).toEqual(["10:07", "10:40"]);
  });

  test("finds a damaged pack by the weekly check, and is content with a good repository", async () => {
    expect((await box.run("backup-check", { env: {} })).code).toBe(0);
    expect(box.told("backup-check/done").checks).toBe("checked, 10% of it read\npruned");
    const data = box.path("backup/restic/data");
    for (const pack of readdirSync(data, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())) {
      const path = join(pack.parentPath, pack.name);
      const content = readFileSync(path);
      // Whichever snapshot a part of it belongs to.
      for (let at = 0; at < content.length; at += 64) content[at] = (content[at] ?? 0) ^ 0xff;
      rmSync(path);
      box.put(path.slice(box.root.length + 1), content);
    }
    const { code, logs } = await box.run("backup-check");
    expect([code, box.told("backup-check/failed").message]).toEqual([
      1,
      expect.stringMatching(/^the repository is damaged or unreadable, so nothing is freed: ./),
    ]);
    expect(logs.restic).not.toMatch(/prune|to delete/);
    const drill = await box.run("backup-drill");
    expect([drill.code, box.told("backup-drill/failed").message]).toEqual([
      1,
      expect.stringMatching(/snapshot \w{8} cannot be restored/),
    ]);
  });
});
