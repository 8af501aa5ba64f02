import { HUB_TABLES, Postgres } from "./postgres";
import { channelBackup, raftSnapshot, Sandbox } from "./sandbox";

test("first", async () => {
  const postgres = await Postgres.start();
  const box = await Sandbox.start(postgres);
  try {
    postgres.sql(HUB_TABLES, "nwc", "albyhub");
    box.put("data/albyhub/ldk/static_channel_backups/2026-11-26T10-00-00.json", channelBackup(2));
    box.put("data/albyhub/ldk/storage/ldk_node_data.sqlite", "LIVE");
    box.put("data/albyhub/.homelab-volume", "albyhub-data\n");
    box.put("snapshots/pinode2-20261126T100000Z.snap", raftSnapshot());
    console.log(JSON.stringify(await box.run("backup"), null, 1).replaceAll("\\n", "\n"));
    console.log(box.variables, box.paths());
    console.log(JSON.stringify(await box.run("backup-check"), null, 1).replaceAll("\\n", "\n"));
    console.log(JSON.stringify(await box.run("backup-drill"), null, 1).replaceAll("\\n", "\n"));
    postgres.sql("create database scratch owner albyhub");
    console.log(
      JSON.stringify(
        await box.run("backup-restore", { meta: { set: "albyhub", snapshot: "latest", database: "scratch" } }),
        null,
        1,
      ).replaceAll("\\n", "\n"),
    );
    console.log(
      JSON.stringify(await box.run("backup-copy", { meta: { job: "albyhub" } }), null, 1).replaceAll("\\n", "\n"),
    );
    console.log(box.variables);
  } finally {
    box.stop();
    postgres.stop();
  }
});
