import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { channelBackupsScript } from "../../../constructs/alby-hub/scripts";
import { describeWith } from "../../tools";

const FROM = "data/ldk/static_channel_backups";
const TO = "second/channels/albyhub";

/** A channel backup, as short as one can be. */
const BACKUP = (node: string) => `{"node_id":"${node}"}`;

describeWith(["busybox"], "the sidecar that copies channel backups to a second place", () => {
  let root: string;
  let running: ChildProcess | undefined;
  let log: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "second-"));
    for (const folder of [FROM, "second", "local", "alloc/data", "bin"])
      mkdirSync(join(root, folder), { recursive: true });
    log = "";
  });
  afterEach(async () => {
    await stop();
    rmSync(root, { recursive: true });
  });

  const at = (path: string) => join(root, path);
  const put = (path: string, text: string) => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text);
  };
  const has = (path: string, text: string) => existsSync(at(path)) && readFileSync(at(path), "utf8") === text;

  /** The script as it is, its folders below the temporary one, and turns of a fifth of a second. */
  const start = () => {
    const busybox = execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim();
    const script = channelBackupsScript("albyhub")
      .replaceAll(/(^|[\s"'=<>])\/(alloc|data|local|second)\b/gm, `$1${root}/$2`)
      .replace("sleep 10 &", "sleep 0.2 &");
    writeFileSync(at("script"), script);
    // As in the container, where every applet is busybox's.
    execFileSync(busybox, ["--install", "-s", at("bin")]);
    running = spawn(busybox, ["sh", at("script")], { env: { PATH: at("bin") }, stdio: ["ignore", "ignore", "pipe"] });
    running.stderr?.on("data", (text) => {
      log += text;
    });
  };
  const stop = async () => {
    if (!running || running.exitCode !== null) return;
    const ended = new Promise((done) => running?.once("exit", done));
    running.kill("SIGTERM");
    await ended;
  };
  const until = async (condition: () => boolean) => {
    for (const end = Date.now() + 30_000; !condition(); ) {
      if (Date.now() > end) throw new Error(`it never came true; the log: ${log}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  };
  const turns = (count: number) => new Promise((done) => setTimeout(done, count * 300));

  test("copies what is there and what comes, says so, and ends at once when it is stopped", async () => {
    put(`${FROM}/1.json`, BACKUP("first"));
    start();
    await until(() => has(`${TO}/1.json`, BACKUP("first")));
    put(`${FROM}/2.json`, BACKUP("second"));
    await until(() => has(`${TO}/2.json`, BACKUP("second")));
    expect(log).toContain("channel-backups: copied 1.json, 19 bytes");
    // It says so after it has done it.
    await until(() => log.includes("channel-backups: copied 2.json, 20 bytes"));
    const before = Date.now();
    await stop();
    expect(running?.exitCode).toBe(0);
    expect(Date.now() - before).toBeLessThan(8000);
  });

  test("waits for a file that is being written, and leaves no other file there", async () => {
    put(`${FROM}/1.json`, '{"node_id":"02","channels":[{"peer_id":"03"}');
    start();
    await turns(4);
    expect(existsSync(at(TO))).toBe(false);
    put(`${FROM}/1.json`, BACKUP("first"));
    await until(() => has(`${TO}/1.json`, BACKUP("first")));
    expect(readdirSync(at(TO))).toEqual(["1.json"]);
  });

  test.each(["", '{"node_id":"02', BACKUP("first").slice(1)])(
    "keeps what it has copied when the source is damaged to %j, and says so",
    async (damaged) => {
      put(`${FROM}/1.json`, BACKUP("first"));
      start();
      await until(() => has(`${TO}/1.json`, BACKUP("first")));
      put(`${FROM}/1.json`, damaged);
      const old = Math.floor(Date.now() / 1000) - 60;
      utimesSync(at(`${FROM}/1.json`), old, old);
      await until(() => log.includes("1.json is incomplete and is not copied; an earlier copy of it stays"));
      expect(has(`${TO}/1.json`, BACKUP("first"))).toBe(true);
      expect(readdirSync(at(TO))).toEqual(["1.json"]);
    },
  );

  test("puts a whole file in the place of a damaged copy", async () => {
    put(`${TO}/1.json`, '{"node_id":');
    put(`${FROM}/1.json`, BACKUP("first"));
    start();
    await until(() => has(`${TO}/1.json`, BACKUP("first")));
    expect(readdirSync(at(TO))).toEqual(["1.json"]);
  });

  test("keeps both of two whole files of one name, size and second, the later one sorted last", async () => {
    const now = Math.floor(Date.now() / 1000);
    put(`${FROM}/1.json`, BACKUP("aaaa"));
    utimesSync(at(`${FROM}/1.json`), now, now);
    start();
    await until(() => has(`${TO}/1.json`, BACKUP("aaaa")));
    await turns(2);
    put(`${FROM}/1.json`, BACKUP("bbbb"));
    utimesSync(at(`${FROM}/1.json`), now, now);
    await until(() => readdirSync(at(TO)).filter((name) => name.endsWith(".json")).length === 2);
    await turns(3);
    const [first = "", second = "", ...more] = readdirSync(at(TO)).sort();
    expect([first, second, more]).toEqual(["1.json", expect.stringMatching(/^1_[0-9a-f]{8}\.json$/), []]);
    expect([has(`${TO}/${first}`, BACKUP("aaaa")), has(`${TO}/${second}`, BACKUP("bbbb"))]).toEqual([true, true]);
    expect(log.match(/copied 1_/g)).toHaveLength(1);
  });

  test("goes on with the others when one cannot be copied, names it, and does not blame the second place", async () => {
    // A folder of that name is in the way.
    put(`${TO}/1.json/x`, "");
    put(`${FROM}/1.json`, BACKUP("first"));
    put(`${FROM}/2.json`, BACKUP("second"));
    start();
    await until(() => has(`${TO}/2.json`, BACKUP("second")));
    await until(() => log.includes("cannot copy 1.json, continuing with the others: "));
    expect(log).not.toContain("is away");
  });

  test("keeps trying while the second place is away, and brings what was written meanwhile when it is back", async () => {
    start();
    renameSync(at("second"), at("away"));
    // A file where the folder was: writing fails as on a mount that gave up.
    put("second", "");
    put(`${FROM}/1.json`, BACKUP("written while away"));
    await until(() => log.includes("the second place is away, trying again"));
    await turns(7);
    expect(log.match(/is away/g)?.length).toBeLessThan(4);
    rmSync(at("second"));
    renameSync(at("away"), at("second"));
    await until(() => has(`${TO}/1.json`, BACKUP("written while away")));
    await until(() => log.includes("the second place is back, everything is copied"));
  });

  test("brings all again to a second place that came back empty", async () => {
    put(`${FROM}/1.json`, BACKUP("first"));
    start();
    await until(() => has(`${TO}/1.json`, BACKUP("first")));
    rmSync(at(TO), { recursive: true });
    await until(() => has(`${TO}/1.json`, BACKUP("first")));
  });

  test("never deletes a copy, whatever becomes of the original or what else is there", async () => {
    put(`${TO}/older.json`, "older");
    put(`${FROM}/1.json`, BACKUP("first"));
    start();
    await until(() => has(`${TO}/1.json`, BACKUP("first")));
    rmSync(at(FROM), { recursive: true });
    await turns(4);
    expect(readdirSync(at(TO)).sort()).toEqual(["1.json", "older.json"]);
  });

  test("copies nothing else of the work directory, and follows no link", async () => {
    put("data/ldk/storage/ldk_node_data.sqlite", "live");
    put(`${FROM}/deeper/ldk_node_data.sqlite`, "live");
    put(`${FROM}/notes.txt`, "x");
    execFileSync("ln", ["-s", at("data/ldk/storage/ldk_node_data.sqlite"), at(`${FROM}/link.json`)]);
    put(`${FROM}/1.json`, BACKUP("first"));
    start();
    await until(() => has(`${TO}/1.json`, BACKUP("first")));
    await turns(3);
    expect(readdirSync(at("second"), { recursive: true }).sort()).toEqual([
      "channels",
      "channels/albyhub",
      "channels/albyhub/1.json",
    ]);
  });

  test("removes a copy of the work directory as soon as the node has run since, and not before", async () => {
    const old = "second/before-upgrade/albyhub";
    const copied = Date.UTC(2026, 10, 26, 23, 0, 0) / 1000;
    put(`${old}/20261126T230000Z/ldk/storage/ldk_node_data.sqlite`, "stale");
    put(`${old}/20261127T230000Z/SHA256SUMS`, "later");
    put("second/before-upgrade/other/20261126T230000Z/SHA256SUMS", "of another");
    start();
    await turns(3);
    expect(readdirSync(at(old))).toHaveLength(2);
    put("alloc/data/albyhub-seen", `${copied}\n`);
    await turns(3);
    expect(readdirSync(at(old))).toHaveLength(2);
    put("alloc/data/albyhub-seen", `${copied + 1}\n`);
    await until(() => !existsSync(at(`${old}/20261126T230000Z`)));
    // It says so after it has done it.
    await until(() =>
      log.includes(
        "removed the copy of the work directory of 20261126T230000Z: the node has run since, so it is stale",
      ),
    );
    expect(readdirSync(at(old))).toEqual(["20261127T230000Z"]);
    expect(existsSync(at("second/before-upgrade/other/20261126T230000Z"))).toBe(true);
  });
});
