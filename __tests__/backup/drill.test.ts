import { createHash } from "node:crypto";
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildHomelab } from "../homelab-fixture";
import { describeWith } from "../tools";
import { HUB_TABLES, Postgres } from "./postgres";
import { channelBackup, raftSnapshot, Sandbox, tree } from "./sandbox";

const CHANNELS = "data/albyhub/ldk/static_channel_backups";
const NEWEST = "2026-11-26T11-00-00.json";

describeWith(["restic", "postgres", "busybox"], "a drill of the newest backup", () => {
  let postgres: Postgres;
  let box: Sandbox;

  beforeAll(async () => {
    postgres = await Postgres.start();
    postgres.sql(HUB_TABLES, "nwc", "albyhub");
    postgres.sql(
      `create database terraform; create role terraform login password '${postgres.password}'`.split(";")[0] ?? "",
    );
    postgres.sql(`create role terraform login password '${postgres.password}'`);
    postgres.sql("alter database terraform owner to terraform");
    postgres.sql(
      `create schema terraform_homelab; create table terraform_homelab.states (id serial primary key, name text, data text);
       create table public.other (x int); insert into public.other values (1);
       insert into terraform_homelab.states (name, data) values ('default', '{"version": 4, "terraform_version": "1.11.4", "serial": 7}')`,
      "terraform",
      "terraform",
    );
    box = await Sandbox.start(postgres, { terraformState: {} });
    box.put(`${CHANNELS}/2026-11-26T10-00-00.json`, channelBackup(1));
    box.put(`${CHANNELS}/${NEWEST}`, channelBackup(2));
    box.put("data/albyhub/.homelab-volume", "albyhub-data\n");
    box.put("snapshots/pinode2-20261126T100000Z.snap", raftSnapshot());
    const { code, logs } = await box.run("backup");
    expect([code, code === 0 ? "" : logs]).toEqual([0, ""]);
  });
  afterAll(() => {
    box?.stop();
    postgres?.stop();
  });

  const good = async () => {
    const { code, logs } = await box.run("backup-drill");
    expect([code, code === 0 ? "" : logs]).toEqual([0, ""]);
    return box
      .told("backup-drill/done")
      .checks?.replaceAll(/snapshot [0-9a-f]{8} of \S+/g, "snapshot")
      .split("\n");
  };

  test("is green on a good one, and says what it has proved", async () => {
    expect(await good()).toEqual([
      "albyhub snapshot restored, 5 checksums equal",
      "albyhub 3 files equal to their source",
      "terraform snapshot restored, 2 checksums equal",
      "cluster snapshot restored, 2 checksums equal",
      "albyhub database 4 tables 511 rows equal",
      "albyhub 2 channel backups parse, of one node",
      "cluster raft snapshot opens, at index 42",
      "terraform database 1 tables 1 rows equal",
      "terraform 1 states of Terraform parse",
    ]);
  });

  test("is green when a file has gone from its source since, and says so", async () => {
    const path = box.path(CHANNELS, "2026-11-26T10-00-00.json");
    rmSync(path);
    expect(await good()).toContain("albyhub 2 files equal to their source, 1 no longer there");
    box.put(`${CHANNELS}/2026-11-26T10-00-00.json`, channelBackup(1));
  });

  /** Puts a changed copy of the newest snapshot of a set into the repository, with its checksums made anew or not. */
  const tamper = async (set: string, change: (folder: string) => void, sums: boolean) => {
    const stage = box.path("allocations/one/alloc/data/stage", set);
    const restored = box.path("restored-by-test");
    box.restic("restore", "latest", "--tag", set, "--target", restored);
    mkdirSync(join(stage, ".."), { recursive: true });
    cpSync(join(restored, stage), stage, { recursive: true });
    change(stage);
    if (sums) {
      const { SHA256SUMS: _, ...files } = tree(stage);
      const lines = Object.entries(files).map(
        ([path, content]) => `${createHash("sha256").update(content, "latin1").digest("hex")}  ${path}\n`,
      );
      writeFileSync(join(stage, "SHA256SUMS"), lines.join(""));
    }
    box.own();
    const [, id = ""] =
      /^snapshot (\w+) saved$/m.exec(box.restic("backup", "--host", "homelab", "--tag", set, stage)) ?? [];
    for (const folder of [restored, box.path("allocations/one")]) rmSync(folder, { recursive: true });
    try {
      const { code } = await box.run("backup-drill");
      const { message, task } = box.told("backup-drill/failed");
      return { code, message, task };
    } finally {
      box.restic("forget", id);
    }
  };
  const edit = (file: string, change: (text: string) => string | Buffer) => (folder: string) =>
    writeFileSync(join(folder, file), change(tree(folder)[file] ?? ""), "latin1");
  const flip = (text: string) => {
    const bytes = Buffer.from(text, "latin1");
    const at = Math.floor(bytes.length / 2);
    bytes[at] = (bytes[at] ?? 0) ^ 0xff;
    return bytes;
  };
  const raft = "raft/pinode2-20261126T100000Z.snap";
  const channel = `files/ldk/static_channel_backups/${NEWEST}`;

  test.each([
    ["a dump that was changed", "albyhub", edit("database.dump", flip), false, "database.dump: FAILED"],
    [
      "a dump that was cut off, with checksums to match",
      "albyhub",
      edit("database.dump", (text) => text.slice(0, -2000)),
      true,
      "the dump does not load",
    ],
    [
      "a manifest that says more rows",
      "albyhub",
      edit("ROWS", (text) => text.replace("transactions 500", "transactions 501")),
      true,
      "the rows of the dump do not match its manifest",
    ],
    [
      "a manifest without a table",
      "albyhub",
      edit("ROWS", (text) => text.replace(/^public.apps.*\n/m, "")),
      true,
      "the rows of the dump do not match its manifest",
    ],
    ["a channel backup that was changed", "albyhub", edit(channel, flip), false, `${channel}: FAILED`],
    [
      "a channel backup that is another than its source, with checksums to match",
      "albyhub",
      edit(channel, () => channelBackup(3)),
      true,
      "differs from its source",
    ],
    ["a raft snapshot that was changed", "cluster", edit(raft, flip), false, `${raft}: FAILED`],
    [
      "a raft snapshot that was cut off, with checksums to match",
      "cluster",
      edit(raft, (text) => Buffer.from(text.slice(0, -40), "latin1")),
      true,
      "the raft snapshot pinode2-20261126T100000Z.snap does not open",
    ],
    [
      "a raft snapshot whose state is not what its own checksums say",
      "cluster",
      edit(raft, () => raftSnapshot("tampered", `${"0".repeat(64)}  state.bin\n`)),
      true,
      "pinode2-20261126T100000Z.snap is damaged",
    ],
    [
      "files that nothing names",
      "albyhub",
      (folder: string) => writeFileSync(join(folder, "files/ldk/ldk_node_data.sqlite"), "x"),
      false,
      "holds files that SHA256SUMS does not list",
    ],
    [
      "a state of Terraform that is none",
      "terraform",
      (folder: string) => rmSync(join(folder, "ROWS")),
      true,
      "the rows of the dump do not match its manifest",
    ],
  ])("is red on %s", async (_, set, change, sums, message) => {
    expect(await tamper(set, change, sums)).toMatchObject({ code: 1, message: expect.stringContaining(message) });
  });

  test("is red on a channel backup that is no JSON at its source either", async () => {
    const source = `${CHANNELS}/2026-11-26T12-00-00.json`;
    // It ends like one, so the backup takes it.
    box.put(source, '{"node_id":"02", channels: }');
    await box.run("backup");
    const { code } = await box.run("backup-drill");
    rmSync(box.path(source));
    await box.run("backup");
    expect([code, box.told("backup-drill/failed")]).toMatchObject([
      1,
      { task: "database", message: expect.stringMatching(/2026-11-26T12-00-00.json is not JSON/) },
    ]);
  });

  test("is red on a channel backup of another node, and on one of none", async () => {
    const source = `${CHANNELS}/2026-11-26T12-00-00.json`;
    for (const [content, message] of [
      [channelBackup(1, `03${"ee".repeat(32)}`), /is of node 03ee.*others are of 02ab/],
      [JSON.stringify({ channels: [] }), /has no node_id/],
    ] as const) {
      box.put(source, content);
      await box.run("backup");
      const { code } = await box.run("backup-drill");
      expect([code, box.told("backup-drill/failed").message]).toEqual([1, expect.stringMatching(message)]);
    }
    rmSync(box.path(source));
    await box.run("backup");
  });

  test("is green for two hubs, each a node of its own", async () => {
    const { albyHub } = buildHomelab({ backup: {} });
    const { files } = albyHub.backupSet;
    const two = await Sandbox.start(postgres, {
      sets: files ? ["albyhub", "other"].map((service) => ({ service, files })) : [],
    });
    try {
      for (const [hub, node] of [
        ["albyhub", "02"],
        ["other", "03"],
      ]) {
        two.put(`data/${hub}/.homelab-volume`, "albyhub-data\n");
        two.put(`data/${hub}/ldk/static_channel_backups/${NEWEST}`, channelBackup(1, `${node}${"ee".repeat(32)}`));
      }
      two.put("snapshots/pinode2-20261126T100000Z.snap", raftSnapshot());
      expect((await two.run("backup")).code).toBe(0);
      const { code } = await two.run("backup-drill");
      expect([code, two.told("backup-drill/done").checks]).toEqual([
        0,
        expect.stringMatching(/albyhub 1 channel backups parse[\s\S]*other 1 channel backups parse/),
      ]);
    } finally {
      two.stop();
    }
  });

  test("is green again after all that", async () => {
    expect(await good()).toContain("albyhub 2 channel backups parse, of one node");
  });
});
