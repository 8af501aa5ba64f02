import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { copyBackScript } from "../../../cli/backup/copy-back-script";
import { albyHubEntry } from "../../../constructs/alby-hub/scripts";
import { describeWith } from "../../tools";
import { project } from "../project";

const TIME = "20261126T230000Z";
const STATE = "ldk/storage/ldk_node_data.sqlite";
const [FIRST, SECOND] = ["2026-11-26T22:00:00Z a-start\n", "2026-11-27T08:00:00Z another-start\n"];

describeWith(["busybox"], "the script that puts a copy back", () => {
  /** A hub's volume after a broken upgrade, and the copy of before it. */
  function volumes({ state = "broken", started = FIRST as string | null } = {}) {
    const copied = { [STATE]: "whole", ".homelab-volume": "albyhub-data\n", ".homelab-volume.started": FIRST };
    const live = { ...copied, [STATE]: state, ".homelab-volume.started": started };
    const at = (folder: string, files: Record<string, string | null>) =>
      Object.entries(files).flatMap(([name, text]) => (text === null ? [] : [[`${folder}/${name}`, text]]));
    const root = project(
      Object.fromEntries([...at("data/hub", live), ...at(`backup/before-upgrade/hub/${TIME}`, copied)]),
    );
    const copy = join(root, `backup/before-upgrade/hub/${TIME}`);
    writeFileSync(join(copy, "SHA256SUMS"), execFileSync("sha256sum", Object.keys(copied), { cwd: copy }));
    for (const folder of ["bin", "alloc/data", "secrets", "local"]) mkdirSync(join(root, folder), { recursive: true });
    execFileSync("busybox", ["--install", "-s", join(root, "bin")]);
    return { root, copy, hub: join(root, "data/hub") };
  }

  /** Runs it as in its container, where every program is busybox's, with a change. */
  function back(root: string, change = (script: string) => script) {
    const { status, stdout, stderr } = spawnSync(join(root, "bin/sh"), ["-c", change(copyBackScript("hub", TIME))], {
      encoding: "utf8",
      env: { PATH: join(root, "bin"), BACKUP: join(root, "backup"), DATA: join(root, "data") },
    });
    return { status, text: stdout + stderr };
  }

  /** What the hub's own entry says of the volume. */
  function entry(root: string): Promise<string> {
    const busybox = execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim();
    writeFileSync(join(root, "secrets/database_password"), "secret");
    writeFileSync(join(root, "local/electrs"), "");
    const script = albyHubEntry({
      job: "albyhub",
      volumeId: "albyhub-data",
      firstStart: false,
      secrets: "x",
      autoUnlock: false,
      database: { location: "x", user: "x", tls: "x" },
    })
      .EmbeddedTmpl?.replaceAll("/alloc/bin/busybox", busybox)
      .replaceAll(/(^|[\s"'=(])\/(alloc|secrets|local)\b/gm, `$1${root}/$2`)
      .replaceAll(/(^|[\s"'=(])\/data\b/gm, `$1${root}/data/hub`);
    writeFileSync(join(root, "local/entry"), script ?? "");
    // In a group of its own: what it leaves in the background ends with it.
    const child = spawn("busybox", ["sh", join(root, "local/entry")], { detached: true });
    return new Promise((done) => {
      let said = "";
      const end = () => {
        try {
          if (child.pid) process.kill(-child.pid, "SIGKILL");
        } catch {
          // It has ended by itself.
        }
        done(said);
      };
      child.stderr.on("data", (text) => {
        said += text;
        if (said.includes("waiting for")) end();
      });
      child.on("close", end);
    });
  }

  const read = (...path: string[]) => readFileSync(join(...path), "utf8");
  const asides = (hub: string) => readdirSync(hub).filter((name) => name.startsWith(".before-restore-"));
  const others = (hub: string) =>
    readdirSync(hub)
      .filter((name) => !name.startsWith(".before-restore-"))
      .sort();
  const WHOLE = [".homelab-lock", ".homelab-volume", ".homelab-volume.started", "ldk"];

  test("moves aside what is there, deletes nothing, and writes what the copy holds", () => {
    const { root, hub } = volumes();
    const { status, text } = back(root);
    expect([status, text]).toEqual([0, expect.stringMatching(/is back as it was at 20261126T230000Z, 3 files\n$/)]);
    expect([read(hub, STATE), others(hub)]).toEqual(["whole", WHOLE]);
    const [aside = "", ...more] = asides(hub);
    expect([more, read(hub, aside, STATE)]).toEqual([[], "broken"]);
  });

  test("touches nothing when the copy is damaged, or has gone because the node has run", () => {
    const { root, copy, hub } = volumes();
    writeFileSync(join(copy, STATE), "changed");
    expect(back(root)).toEqual({ status: 1, text: expect.stringContaining("the copy is damaged") });
    rmSync(copy, { recursive: true });
    expect(back(root)).toEqual({
      status: 1,
      text: expect.stringContaining("it is deleted once the Lightning node has run"),
    });
    expect([read(hub, STATE), readdirSync(hub).sort()]).toEqual(["broken", WHOLE]);
  });

  test.each([
    ["was started since and has another Lightning state", { started: SECOND }],
    ["has another Lightning state, and nobody knows whether it was started", { started: null }],
  ])("refuses, and touches nothing, when the hub %s", (_, live) => {
    const { root, hub } = volumes({ state: "newer", ...live });
    const { status, text } = back(root);
    expect([status, text]).toEqual([1, expect.stringMatching(/its Lightning state has changed: the copy is stale/)]);
    expect([read(hub, STATE), asides(hub), others(hub)]).toEqual([
      "newer",
      [],
      WHOLE.filter((name) => live.started || !name.endsWith("started")),
    ]);
  });

  test("refuses when a file has come to the Lightning state since a start, or all of it has gone", () => {
    const { root, hub } = volumes({ state: "whole", started: SECOND });
    writeFileSync(join(hub, `${STATE}-wal`), "more");
    expect(back(root)).toEqual({ status: 1, text: expect.stringContaining("its Lightning state has changed") });
    rmSync(join(hub, "ldk"), { recursive: true });
    expect(back(root)).toEqual({ status: 1, text: expect.stringContaining("its Lightning state has changed") });
  });

  test("goes on after a start that left the Lightning state as it was", () => {
    const { root, hub } = volumes({ state: "whole", started: SECOND });
    writeFileSync(join(hub, "hub.log"), "cannot migrate");
    const { status, text } = back(root);
    expect([status, text]).toEqual([0, expect.stringContaining("its node has written nothing")]);
    expect([read(hub, ".homelab-volume.started"), others(hub)]).toEqual([FIRST, WHOLE]);
  });

  test.each([
    ["cannot copy", 'cp -a "$entry" "$part"/', "false"],
    ["copies something else", "sync\ngood", `echo other > "$part/${STATE}"\ngood`],
  ])("leaves the work directory as it was when it %s", (_, line, instead) => {
    const { root, hub } = volumes();
    const { status, text } = back(root, (script) => script.replace(line, instead));
    expect([status, text]).toEqual([1, expect.stringContaining("the work directory of hub is unchanged")]);
    expect([read(hub, STATE), readdirSync(hub).sort()]).toEqual(["broken", WHOLE]);
  });

  test("writes nothing beneath a hub that holds the lock", () => {
    const { root, hub } = volumes();
    const lock = openSync(join(hub, ".homelab-lock"), "a");
    execFileSync("flock", ["-n", "3"], { stdio: ["ignore", "ignore", "ignore", lock] });
    const { status, text } = back(root);
    expect([status, text]).toEqual([
      1,
      expect.stringContaining("is in use: another hub, or a restore, holds the lock"),
    ]);
    expect([read(hub, STATE), readdirSync(hub).sort()]).toEqual(["broken", WHOLE]);
    closeSync(lock);
    expect(back(root).status).toBe(0);
  });

  test("leaves the folder its owner and its lock, also when the copy is one that version 0.1.0 made and has both", () => {
    const { root, copy, hub } = volumes();
    writeFileSync(join(hub, ".homelab-identity"), "this homelab\n");
    for (const name of [".homelab-identity", ".homelab-lock"]) {
      writeFileSync(join(copy, name), "of before\n");
      const sum = execFileSync("sha256sum", [name], { cwd: copy });
      appendFileSync(join(copy, "SHA256SUMS"), sum);
    }
    writeFileSync(join(hub, ".homelab-lock"), "");
    const { ino } = statSync(join(hub, ".homelab-lock"));
    const { status, text } = back(root);
    expect([status, text]).toEqual([0, expect.stringContaining("is back as it was")]);
    expect(read(hub, STATE)).toBe("whole");
    expect(read(hub, ".homelab-identity")).toBe("this homelab\n");
    expect([statSync(join(hub, ".homelab-lock")).ino, read(hub, ".homelab-lock")]).toEqual([ino, ""]);
    const [aside = ""] = asides(hub);
    expect(readdirSync(join(hub, aside))).not.toContain(".homelab-lock");
  });

  test("puts nothing back when the hub was started while it read the copy", () => {
    const { root, hub } = volumes();
    const marker = join(hub, ".homelab-volume.started");
    const { status, text } = back(root, (script) => script.replace("\nsync\n", () => `\necho again > ${marker}\n`));
    expect([status, text]).toEqual([1, expect.stringContaining("hub was started while its copy was read")]);
    expect([read(hub, STATE), asides(hub)]).toEqual(["broken", []]);
  });

  test("killed while it copies, it leaves a hub that starts as it was, and nothing of the copy", async () => {
    const { root, hub } = volumes();
    back(root, (script) => script.replace('"$part"/ ||', () => '"$part"/; kill -9 $$; : ||'));
    expect(existsSync(join(hub, ".restore.part"))).toBe(true);
    expect(await entry(root)).toContain("waiting for a complete index");
    expect([read(hub, STATE), existsSync(join(hub, ".restore.part"))]).toEqual(["broken", false]);
  });

  test.each([
    ["the first was moved aside", '"$aside"/ || broke_off'],
    ["the first is in its place", '"$live"/ || broke_off'],
  ])("killed after %s, it leaves a hub that refuses to start until it has run again", async (_, place) => {
    const { root, hub } = volumes();
    back(root, (script) => script.replace(place, () => place.replace(" ||", () => "; kill -9 $$; : ||")));
    expect(await entry(root)).toContain("a restore of the work directory into the volume albyhub-data is incomplete");
    // Its folder for what was there is named by the second.
    await new Promise((done) => setTimeout(done, 1100));
    const { status, text } = back(root);
    expect([status, text]).toEqual([0, expect.stringContaining("continues the restore that was interrupted")]);
    expect([read(hub, STATE), others(hub)]).toEqual(["whole", WHOLE]);
    const aside = asides(hub).find((name) => existsSync(join(hub, name, STATE)) && read(hub, name, STATE) === "broken");
    expect(aside).toBeDefined();
    expect(await entry(root)).toContain("waiting for a complete index");
  });

  test("finishes no other copy than the one that broke off", () => {
    const { root, hub } = volumes();
    writeFileSync(join(hub, ".homelab-restore"), "20260101T000000Z\n");
    expect(back(root)).toEqual({
      status: 1,
      text: expect.stringContaining("an earlier restore of the copy of 20260101T000000Z is incomplete"),
    });
    expect(read(hub, STATE)).toBe("broken");
  });

  test("says where everything is when it cannot move it", () => {
    const { root } = volumes();
    const { status, text } = back(root, (script) => script.replace('mv "$entry" "$live"/', "false"));
    expect([status, text]).toEqual([
      1,
      expect.stringMatching(/the previous data is in .*\.before-restore-.*: run this again/),
    ]);
  });
});
