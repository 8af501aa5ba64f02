import { execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import fc from "fast-check";
import { buildHomelab } from "../homelab-fixture";
import { describeWith } from "../tools";
import { HUB_TABLES, Postgres } from "./postgres";
import { channelBackup, RESTIC_PASSWORD, raftSnapshot, Sandbox, tree } from "./sandbox";

const CHANNELS = "data/albyhub/ldk/static_channel_backups";
const isRoot = process.getuid?.() === 0;

describeWith(["restic", "postgres", "busybox"], "a backup in trouble", () => {
  let postgres: Postgres;
  let box: Sandbox;

  beforeAll(async () => {
    postgres = await Postgres.start();
    postgres.sql(HUB_TABLES, "nwc", "albyhub");
  });
  beforeEach(async () => {
    box = await Sandbox.start(postgres);
    box.put("data/albyhub/.homelab-volume", "albyhub-data\n");
    box.put(`${CHANNELS}/2026-11-26T11-00-00.json`, channelBackup(2));
    box.put("snapshots/pinode2-20261126T100000Z.snap", raftSnapshot());
  });
  afterEach(() => box.stop());
  afterAll(() => postgres?.stop());

  const locks = () => {
    const folder = box.path("backup/restic/locks");
    // A lock that is being written has another name.
    return existsSync(folder) ? readdirSync(folder).filter((name) => /^[0-9a-f]{64}$/.test(name)) : [];
  };

  /** Kills everything of a task as soon as restic holds its lock. */
  const killed = () =>
    box.run("backup", {
      started: (task, child) => {
        if (task !== "restic") return;
        const timer = setInterval(() => {
          if (locks().length === 0) return;
          clearInterval(timer);
          if (child.pid) process.kill(-child.pid, "SIGKILL");
        }, 1);
        child.once("close", () => clearInterval(timer));
      },
    });

  test("that was killed half-way leaves a lock, which the next run gets rid of", async () => {
    await box.run("backup");
    const { code } = await killed();
    expect([code, box.told("backup/failed")]).toMatchObject([1, { message: "was stopped before it finished" }]);
    expect(locks()).toHaveLength(1);
    // To restic a lock of its machine is stale when its process has gone, and to the kernel it goes when init has seen it.
    const { pid } = JSON.parse(box.restic("--no-lock", "cat", "lock", locks()[0] ?? ""));
    for (const end = Date.now() + 120_000; existsSync(`/proc/${pid}`) && Date.now() < end; ) {
      await new Promise((done) => setTimeout(done, 100));
    }
    const { code: next, logs } = await box.run("backup");
    expect([next, next === 0 ? "" : logs]).toEqual([0, ""]);
    expect(logs.restic).toContain("successfully removed 1 locks");
    expect(locks()).toEqual([]);
    expect((await box.run("backup-check")).code).toBe(0);
  });

  (isRoot ? test : test.skip)(
    "goes on beside a fresh lock of another machine, and leaves the retention to a later run",
    async () => {
      for (let turn = 0; turn < 2; turn++) await box.run("backup");
      // A backup on another machine that was cut off a moment ago.
      const environment = {
        ...process.env,
        RESTIC_REPOSITORY: box.path("backup/restic"),
        RESTIC_PASSWORD,
        HOME: box.root,
      };
      const elsewhere = spawn(
        "unshare",
        [
          "--uts",
          "sh",
          "-c",
          `hostname elsewhere; exec ${box.path("bin/restic")} --no-cache backup --stdin --stdin-filename slow`,
        ],
        {
          ...{ env: environment, detached: true, stdio: ["pipe", "ignore", "ignore"] },
        },
      );
      for (const end = Date.now() + 60_000; locks().length === 0 && Date.now() < end; )
        await new Promise((done) => setTimeout(done, 20));
      elsewhere.kill("SIGKILL");
      box.own();
      expect(locks()).toHaveLength(1);
      const { code, logs } = await box.run("backup");
      expect([code, logs.restic]).toEqual([0, expect.stringMatching(/older snapshots stay for now: .*elsewhere/)]);
      expect(box.told("backup/done").sets).toMatch(/^albyhub snapshot=/m);
      const { code: check } = await box.run("backup-check");
      expect([check, box.told("backup-check/failed").message]).toEqual([1, expect.stringMatching(/locked.*elsewhere/)]);
    },
  );

  test("runs well beside another one, and the repository is whole", async () => {
    await box.run("backup");
    const runs = await Promise.all([box.run("backup"), box.run("backup", { allocation: "two" })]);
    expect(runs.map(({ code, logs }) => (code === 0 ? code : logs))).toEqual([0, 0]);
    expect((await box.run("backup-check")).code).toBe(0);
    expect((await box.run("backup-drill")).code).toBe(0);
  });

  (isRoot ? test : test.skip)("says that the disk is full, and is well again when there is room", async () => {
    const disk = box.path("backup");
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=400k,mode=777", "tmpfs", disk]);
    try {
      box.put(
        "snapshots/pinode2-20261126T110000Z.snap",
        raftSnapshot(Array.from({ length: 60_000 }, () => Math.random()).join("")),
      );
      const { code } = await box.run("backup");
      expect([code, box.told("backup/failed")]).toMatchObject([
        1,
        { task: "restic", message: expect.stringContaining("no space left on device") },
      ]);
      execFileSync("mount", ["-o", "remount,size=64m", disk]);
      const { code: next, logs } = await box.run("backup");
      expect([next, next === 0 ? "" : logs]).toEqual([0, ""]);
      expect((await box.run("backup-check")).code).toBe(0);
      expect((await box.run("backup-drill")).code).toBe(0);
    } finally {
      execFileSync("umount", [disk]);
    }
  });

  test("does not begin a new repository where there was one, until its owner says so", async () => {
    await box.run("backup");
    rmSync(box.path("backup/restic"), { recursive: true });
    const { code } = await box.run("backup");
    expect([code, box.told("backup/failed").message]).toEqual([
      1,
      expect.stringMatching(/the repository .*\/backup\/restic is gone, .*nomad var purge homelab\/backup\/snapshots$/),
    ]);
    expect(existsSync(box.path("backup/restic"))).toBe(false);
    // Nor when Nomad cannot tell whether there was one.
    const { list } = box.told("snapshots");
    box.nomadStatus = 403;
    const { code: unknown, logs } = await box.run("backup");
    box.nomadStatus = 200;
    expect([unknown, logs.restic]).toEqual([
      1,
      expect.stringContaining("cannot say whether there was one, so none is created"),
    ]);
    expect([existsSync(box.path("backup/restic")), box.told("snapshots").list]).toEqual([false, list]);
    delete box.variables["homelab/backup/snapshots"];
    expect((await box.run("backup")).code).toBe(0);
  });

  test("does not begin without a key of its repository's place, and gives every one to restic as it is", async () => {
    const elsewhere = await Sandbox.start(postgres, { repositoryKeys: ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] });
    try {
      elsewhere.put("data/albyhub/.homelab-volume", "albyhub-data\n");
      elsewhere.put("snapshots/pinode2-20261126T100000Z.snap", raftSnapshot());
      const restic = elsewhere.path("bin/restic");
      const real = realpathSync(restic);
      rmSync(restic);
      const line = `echo "$AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY" >> ${elsewhere.path("seen")}`;
      writeFileSync(restic, `#!/bin/sh\n${line}\nexec ${real} "$@"\n`, { mode: 0o755 });
      elsewhere.put("seen", "");
      const secrets = { AWS_ACCESS_KEY_ID: "me", AWS_SECRET_ACCESS_KEY: `a b'c"$PATH` };
      const { code } = await elsewhere.run("backup", { secrets: { AWS_ACCESS_KEY_ID: "me" } });
      expect([code, elsewhere.told("backup/failed"), readFileSync(elsewhere.path("seen"), "utf8")]).toMatchObject([
        1,
        { task: "restic", message: expect.stringMatching(/under the key AWS_SECRET_ACCESS_KEY: homelab secrets init/) },
        "",
      ]);
      expect((await elsewhere.run("backup", { secrets })).code).toBe(0);
      const seen = readFileSync(elsewhere.path("seen"), "utf8").trim().split("\n");
      expect([seen.length > 3, [...new Set(seen)]]).toEqual([true, [`me a b'c"$PATH`]]);
    } finally {
      elsewhere.stop();
    }
  });

  test("ends soon when it is stopped, and leaves no lock", async () => {
    await box.run("backup");
    const before = Date.now();
    const { logs } = await box.run("backup", {
      started: (task, child) => {
        if (task !== "restic") return;
        const timer = setInterval(() => {
          if (locks().length === 0) return;
          clearInterval(timer);
          child.kill("SIGTERM");
        }, 1);
        child.once("close", () => clearInterval(timer));
      },
    });
    expect(logs.restic).toContain("stopped");
    expect(locks()).toEqual([]);
    expect(Date.now() - before).toBeLessThan(60_000);
  });
});

/** What marks the content of everything that must stay out. */
const LIVE = "SQLite format 3\0 LIVE STATE";

/** Folders in which no backup has any business, and some that look like those of channel backups. */
const FOLDERS = [
  "blocks",
  "chainstate",
  "indexes/txindex",
  "bitcoin",
  "db/bitcoin",
  "ldk/storage",
  "ldk",
  "ldk/logs",
  "ldk/static_channel_backups/storage",
  "ldk/static_channel_backups.old",
  "ldk/static_channel_backups",
  "log",
  ".",
];
const NAMES = [
  "blk00000.dat",
  "000123.ldb",
  "CURRENT",
  "MANIFEST-000001",
  "000042.sst",
  "ldk_node_data.sqlite",
  "ldk_node_data.sqlite-wal",
  "ldk_node_data.sqlite-shm",
  "nwc.db",
  "keys.json",
  "state.json",
  ".homelab-volume.lightning",
  ".hidden.json",
  "2026-11-26T11-00-00.json.part",
  "a name with blanks.json",
  "a\nline.json",
  "-rf.json",
  "*.json",
];

describeWith(["restic", "postgres", "busybox"], "whatever lies in the work directory", () => {
  test("nothing of a chain, of an index or of the live state of channels is ever in a backup", async () => {
    const postgres = await Postgres.start();
    const { albyHub } = buildHomelab({ backup: {} });
    const { service, files } = albyHub.backupSet;
    const file = fc.record({ folder: fc.constantFrom(...FOLDERS), name: fc.constantFrom(...NAMES) });
    const link = fc.record({
      at: fc.constantFrom(
        "ldk/static_channel_backups/link.json",
        "ldk/static_channel_backups",
        ".homelab-volume",
        "ldk",
      ),
      to: fc.constantFrom("ldk/storage", "ldk/storage/ldk_node_data.sqlite", "blocks", "elsewhere"),
    });
    const box = await Sandbox.start(postgres, { sets: files ? [{ service, files }] : [] });
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.array(file, { maxLength: 40 }),
          fc.array(link, { maxLength: 2 }),
          fc.boolean(),
          async (tangle, links, whole) => {
            rmSync(box.path("data/albyhub"), { recursive: true, force: true });
            mkdirSync(box.path("data/albyhub"), { recursive: true });
            const marked = !links.some(({ at }) => at === ".homelab-volume");
            if (marked) box.put("data/albyhub/.homelab-volume", "albyhub-data\n");
            box.put("data/albyhub/elsewhere/2026-01-01T00-00-00.json", LIVE);
            for (const { at, to } of links) {
              try {
                if (lstatSync(box.path("data/albyhub", at), { throwIfNoEntry: false })) continue;
                mkdirSync(box.path("data/albyhub", at, ".."), { recursive: true });
                symlinkSync(box.path("data/albyhub", to), box.path("data/albyhub", at));
              } catch {
                // The link before leads into itself.
              }
            }
            for (const { folder, name } of tangle) {
              try {
                box.put(`data/albyhub/${folder}/${name}`, LIVE);
              } catch {
                // A file or a dead link is in the way.
              }
            }
            const linked = links.some(({ at }) => at === "ldk/static_channel_backups" || at === "ldk");
            if (whole && !linked) box.put(`${CHANNELS}/2026-11-26T11-00-00.json`, channelBackup(1));
            box.put("snapshots/pinode2-20261126T100000Z.snap", raftSnapshot());
            const ids = () =>
              JSON.parse(box.restic("snapshots", "--json", "--tag", "albyhub")).map(({ id }: { id: string }) => id);
            const before = existsSync(box.path("backup/restic")) ? ids() : [];
            const { code } = await box.run("backup");
            if (!marked) {
              // A folder that does not say whose it is: nothing of it at all.
              expect([code, ids()]).toEqual([1, before]);
              return;
            }
            // Not well, if the newest that is called like a channel backup is none.
            if (code !== 0) expect(box.told("backup/failed").message).toMatch(/^albyhub: .* is incomplete, .*$/);
            box.restic("restore", "latest", "--tag", "albyhub", "--target", box.path("restored-by-test"));
            const restored = Object.entries(tree(box.path("restored-by-test")));
            rmSync(box.path("restored-by-test"), { recursive: true });
            const paths = restored.map(([path]) => path.replace(/^.*\/stage\/albyhub\//, ""));
            const allowed = [
              "SHA256SUMS",
              "files/.homelab-volume",
              ...(whole && !linked ? ["files/ldk/static_channel_backups/2026-11-26T11-00-00.json"] : []),
            ];
            expect(paths.sort()).toEqual(allowed);
            expect(restored.filter(([, content]) => content.includes("LIVE STATE"))).toEqual([]);
          },
        ),
        { numRuns: 8 },
      );
    } finally {
      box.stop();
      postgres.stop();
    }
  }, 400_000);
});
