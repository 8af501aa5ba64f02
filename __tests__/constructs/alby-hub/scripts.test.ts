import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { albyHubEntry, albyHubHealth } from "../../../constructs/alby-hub/scripts";
import { Duration } from "../../../nomad/duration";
import { describeWith } from "../../tools";

const FOLDERS = ["alloc/bin", "alloc/data", "secrets", "local", "data"];

/** Stands the container's folders below a temporary one; a script finds them there. */
function sandbox() {
  const root = mkdtempSync(join(tmpdir(), "hub-"));
  for (const folder of FOLDERS) mkdirSync(join(root, folder), { recursive: true });
  const busybox = execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim();
  const put = (path: string, text: string) => {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const here = (script: string) =>
    script
      .replaceAll("/alloc/bin/busybox", busybox)
      .replace(/(^|[\s"'=(])\/(alloc|secrets|local|data)\b/gm, `$1${root}/$2`)
      .replace("exec /bin/main", `exec env`);
  put("secrets/database_password", "url-safe_1.~");
  put("secrets/auto_unlock_password", "unlock");
  put("local/electrs", "");
  return {
    root,
    put,
    here,
    read: (path: string) => readFileSync(join(root, path), "utf8"),
    has: (path: string) => existsSync(join(root, path)),
  };
}

/** Ends a script and the `sleep` it may be in, which would keep its output open. */
function kill(script: ChildProcess | undefined): void {
  try {
    if (script?.pid) process.kill(-script.pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

async function untilTrue(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 15_000; !condition(); ) {
    if (Date.now() > end) throw new Error("it never came true");
    await new Promise((done) => setTimeout(done, 100));
  }
}

/** A container has no proxy settings. */
const ENVIRONMENT = { PATH: process.env.PATH };

const ENTRY = {
  volumeId: "albyhub-data",
  firstStart: false,
  secrets: "nomad/jobs/a/a/a",
  autoUnlock: true,
  database: { location: "h/d", user: "u", tls: "prefer" },
};

describeWith(["busybox"], "the start script of Alby Hub", () => {
  let box: ReturnType<typeof sandbox>;
  let running: ChildProcess | undefined;
  beforeEach(() => {
    box = sandbox();
  });
  afterEach(() => {
    kill(running);
    rmSync(box.root, { recursive: true });
  });

  /** Runs the script until it ends, or until it says that it waits. */
  const start = (props: Partial<typeof ENTRY> = {}) =>
    new Promise<{ printed: string; status: number | null | "waiting" }>((done) => {
      box.put("local/entry", box.here(albyHubEntry({ ...ENTRY, ...props }).EmbeddedTmpl ?? ""));
      running = spawn("busybox", ["sh", join(box.root, "local/entry")], { env: ENVIRONMENT, detached: true });
      let printed = "";
      const read = (text: Buffer) => {
        printed += text;
        if (printed.includes("waiting for a complete index")) done({ printed, status: "waiting" });
      };
      running.stdout?.on("data", read);
      running.stderr?.on("data", read);
      running.on("close", (status) => done({ printed, status }));
    });

  test("refuses an empty volume, and says why", async () => {
    const { printed, status } = await start();
    expect(status).toBe(1);
    expect(printed).toContain("refuses to start: the volume albyhub-data is empty");
    expect(box.has("data/.homelab-volume")).toBe(false);
  });

  test("marks an empty volume at the first start, and then needs no permission", async () => {
    expect(await start({ firstStart: true })).toMatchObject({ status: "waiting" });
    expect(box.read("data/.homelab-volume")).toBe("albyhub-data\n");
    kill(running);
    expect(await start()).toMatchObject({ status: "waiting" });
  });

  test("takes a folder with nothing but lost+found and logs for empty", async () => {
    mkdirSync(join(box.root, "data/lost+found"));
    mkdirSync(join(box.root, "data/log"));
    expect((await start()).printed).toContain("is empty");
  });

  test("adopts the data of a hub that has no marker yet", async () => {
    box.put("data/ldk/storage/ldk_node_data.sqlite", "x");
    const { printed, status } = await start();
    expect(status).toBe("waiting");
    expect(printed).toContain("adopts the data found on the volume albyhub-data");
    expect(box.read("data/.homelab-volume")).toBe("albyhub-data\n");
  });

  test.each([
    ["no state at all", "data/ldk/log"],
    ["an empty state", "data/ldk/storage/ldk_node_data.sqlite"],
  ])("does not adopt a folder of a hub with %s", async (_, path) => {
    box.put(path, "");
    const { printed, status } = await start();
    expect(status).toBe(1);
    expect(printed).toContain("has the folder ldk of a hub, but not its channels");
    expect(box.has("data/.homelab-volume")).toBe(false);
  });

  test.each([true, false])("refuses another hub's volume, first start or not (%p)", async (firstStart) => {
    box.put("data/.homelab-volume", "other-data\n");
    const { printed, status } = await start({ firstStart });
    expect(status).toBe(1);
    expect(printed).toContain("the volume albyhub-data holds the data of other-data");
  });

  test.each([true, false])(
    "refuses a volume with something else on it, first start or not (%p)",
    async (firstStart) => {
      box.put("data/blocks/blk00000.dat", "x");
      const { printed, status } = await start({ firstStart });
      expect(status).toBe(1);
      expect(printed).toContain("holds something other than the data of an Alby Hub: blocks");
    },
  );

  test("refuses to adopt a hub whose accounts are in SQLite", async () => {
    box.put("data/ldk/storage/ldk_node_data.sqlite", "x");
    box.put("data/nwc.db", "x");
    const { printed, status } = await start();
    expect(status).toBe(1);
    expect(printed).toContain("belongs to a hub with a SQLite database, nwc.db");
  });

  test("refuses when the Lightning state has gone that the hub made after its first start", async () => {
    await start({ firstStart: true });
    box.put("data/ldk/storage/ldk_node_data.sqlite", "x");
    await untilTrue(() => box.has("data/.homelab-volume.lightning"));
    kill(running);
    rmSync(join(box.root, "data/ldk"), { recursive: true });
    const { printed, status } = await start({ firstStart: true });
    expect(status).toBe(1);
    expect(printed).toContain("the Lightning state is gone from the volume albyhub-data");
  }, 30_000);

  test.each([
    [
      "the Nomad variable nomad/jobs/a/a/a has no value under the key database_password",
      "has no value under the key database_password",
    ],
    ["p@ss/word", "must have a value under the key database_password that uses only A-Z"],
    ["", "must have a value under the key database_password"],
  ])("refuses the password file %j, without printing a password", async (password, message) => {
    box.put("secrets/database_password", password);
    const { printed, status } = await start({ firstStart: true });
    expect(status).toBe(1);
    expect(printed).toContain(message);
    expect(printed).not.toContain("p@ss/word");
  });

  test("makes the work directory private", async () => {
    chmodSync(join(box.root, "data"), 0o755);
    await start({ firstStart: true });
    expect(execFileSync("stat", ["-c", "%a", join(box.root, "data")], { encoding: "utf8" })).toBe("700\n");
  });

  test("ends at once when it is stopped while it waits", async () => {
    await start({ firstStart: true });
    const ended = new Promise((done) => running?.on("exit", done));
    const before = Date.now();
    running?.kill("SIGTERM");
    expect(await ended).toBe(0);
    expect(Date.now() - before).toBeLessThan(3000);
  });

  /** Runs it with an electrs that answers, to its end. */
  const startAll = async (props: Partial<typeof ENTRY> = {}) => {
    const electrs = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", () => socket.write('{"id":1,"jsonrpc":"2.0","result":null}\n'));
    }).listen(0, "127.0.0.1");
    await new Promise((done) => electrs.on("listening", done));
    const address = `127.0.0.1:${(electrs.address() as AddressInfo).port}`;
    box.put("local/electrs", address);
    const ended = await start(props);
    electrs.close();
    return { ...ended, address };
  };

  test("starts the hub when electrs answers, with the address it answered at", async () => {
    const { printed, status, address } = await startAll({ firstStart: true });
    expect(status).toBe(0);
    expect(printed).toContain(`LDK_ELECTRUM_SERVER=${address}\n`);
    expect(printed).toContain("DATABASE_URI=postgresql://u:url-safe_1.~@h/d?sslmode=prefer\n");
    expect(printed).toContain("AUTO_UNLOCK_PASSWORD=unlock\n");
    expect(box.read("alloc/data/albyhub")).toMatch(new RegExp(`^started \\d+ ${address}\n$`));
  }, 20_000);

  test("leaves the password that unlocks to its owner when he unlocks by hand, and asks for no secret with it", async () => {
    rmSync(join(box.root, "secrets/auto_unlock_password"));
    const { printed, status } = await startAll({ firstStart: true, autoUnlock: false });
    expect([status, printed]).toEqual([0, expect.stringContaining("DATABASE_URI=")]);
    expect(printed).not.toContain("AUTO_UNLOCK_PASSWORD");
  }, 20_000);

  test("leaves other words in the volume at each start, before the hub is there, and none while it waits", async () => {
    await start({ firstStart: true });
    expect(box.has("data/.homelab-volume.started")).toBe(false);
    kill(running);
    const words: string[] = [];
    for (const _ of [1, 2]) {
      expect((await startAll()).status).toBe(0);
      kill(running);
      words.push(box.read("data/.homelab-volume.started"));
    }
    expect(words[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ [0-9a-f-]{36}\n$/);
    expect(words[1]).not.toBe(words[0]);
    // A folder of that name is in the way.
    mkdirSync(join(box.root, "data/.homelab-volume.started.part"));
    const { printed, status } = await startAll();
    expect([status, printed]).toEqual([
      1,
      expect.stringMatching(/refuses to start: cannot record its start in .*data/),
    ]);
    expect(printed).not.toContain("DATABASE_URI");
  }, 40_000);

  test.each([true, false])(
    "refuses a volume into which a copy is half put back, whatever is in it (marker: %p)",
    async (marked) => {
      box.put("data/ldk/storage/ldk_node_data.sqlite", "half of a copy");
      if (marked) box.put("data/.homelab-volume", "albyhub-data\n");
      box.put("data/.homelab-restore", "20261126T230000Z\n");
      const { printed, status } = await start();
      expect([status, printed]).toEqual([
        1,
        expect.stringContaining("a restore of the work directory into the volume albyhub-data is incomplete"),
      ]);
    },
  );

  test("removes what a restore has set aside once the node has run, and not before", async () => {
    box.put("data/ldk/storage/ldk_node_data.sqlite", "x");
    box.put("data/.homelab-volume", "albyhub-data\n");
    box.put("data/.before-restore-20261126T230000Z/ldk/storage/ldk_node_data.sqlite", "old");
    let printed = "";
    await start();
    running?.stderr?.on("data", (text) => {
      printed += text;
    });
    await new Promise((done) => setTimeout(done, 6000));
    expect(box.has("data/.before-restore-20261126T230000Z/ldk/storage/ldk_node_data.sqlite")).toBe(true);
    box.put("alloc/data/albyhub-seen", "1\n");
    await untilTrue(() => !box.has("data/.before-restore-20261126T230000Z"));
    await untilTrue(() => printed.includes("removed what a restore had set aside"));
    expect(box.read("data/ldk/storage/ldk_node_data.sqlite")).toBe("x");
  }, 30_000);
});

describeWith(["busybox"], "the probe of Alby Hub", () => {
  let box: ReturnType<typeof sandbox>;
  beforeEach(() => {
    box = sandbox();
  });
  afterEach(() => {
    rmSync(box.root, { recursive: true });
  });

  const GRACE = Duration.minutes(10);
  const ago = (seconds: number) => Math.floor(Date.now() / 1000) - seconds;
  const probe = async (info: object | undefined, autoUnlock = true) => {
    const hub = createServer((_, response) => response.end(JSON.stringify(info))).listen(0, "127.0.0.1");
    await new Promise((done) => hub.on("listening", done));
    const { port } = hub.address() as AddressInfo;
    box.put(
      "local/health",
      box.here(albyHubHealth(info ? port : 1, GRACE, autoUnlock)).replaceAll(/\b(cat|wget|date|tr) /g, "busybox $1 "),
    );
    return new Promise<string>((done) => {
      const shell = spawn("busybox", ["sh", join(box.root, "local/health")], { env: ENVIRONMENT });
      let printed = "";
      shell.stdout.on("data", (text) => {
        printed += text;
      });
      shell.on("close", () => {
        hub.close();
        const [, status, reason] =
          /^Status: (\d+) [A-Za-z ]+\r\nContent-Type: text\/plain\r\n\r\n(.*)\n$/.exec(printed) ?? [];
        done(`${status} ${reason}`);
      });
    });
  };
  const state = (text: string) => box.put("alloc/data/albyhub", `${text}\n`);

  test("is content before the start script has run, and while it waits", async () => {
    expect(await probe(undefined)).toBe("200 waiting for electrs");
    state("waiting");
    expect(await probe({ running: false })).toBe("200 waiting for electrs");
  });

  test.each([
    ["a running node", { setupCompleted: true, running: true }, 5000, true, "200 the Lightning node is running"],
    [
      "a hub that is not set up",
      { setupCompleted: false, running: false },
      5000,
      true,
      "200 set-up is open to whoever comes first",
    ],
    [
      "a node that is starting",
      { setupCompleted: true, running: false },
      590,
      true,
      "200 the Lightning node is not running yet, or stopped a moment ago",
    ],
    [
      "a node that has not started in time",
      { setupCompleted: true, running: false },
      601,
      true,
      "503 the Lightning node is not running",
    ],
    [
      "a hub that answers nothing, in time",
      undefined,
      590,
      true,
      "200 the Lightning node is not running yet, or stopped a moment ago",
    ],
    ["a hub that answers nothing, too late", undefined, 601, true, "503 the Lightning node is not running"],
    [
      "a hub locked by hand",
      { setupCompleted: true, running: false },
      5000,
      false,
      "200 locked: its owner unlocks it by hand",
    ],
  ])("says of %s", async (_, info, seconds, autoUnlock, answer) => {
    state(`started ${ago(seconds)} 127.0.0.1:50001`);
    box.put("local/electrs", "127.0.0.1:50001");
    expect(await probe(info, autoUnlock)).toBe(answer);
  });

  test("gives a node that ran the same time to come back, whatever keeps it from answering", async () => {
    state(`started ${ago(5000)} 127.0.0.1:50001`);
    expect(await probe({ setupCompleted: true, running: true })).toBe("200 the Lightning node is running");
    expect(await probe(undefined)).toBe("200 the Lightning node is not running yet, or stopped a moment ago");
    box.put("alloc/data/albyhub-seen", `${ago(601)}\n`);
    expect(await probe(undefined)).toBe("503 the Lightning node is not running");
  });

  test("counts from the start when the node was last seen before it", async () => {
    state(`started ${ago(5)} 127.0.0.1:50001`);
    box.put("alloc/data/albyhub-seen", `${ago(601)}\n`);
    expect(await probe(undefined)).toBe("200 the Lightning node is not running yet, or stopped a moment ago");
  });

  test("calls for a restart when electrs has another address, not when it has none", async () => {
    state(`started ${ago(5)} 127.0.0.1:50001`);
    box.put("local/electrs", "127.0.0.2:50001");
    expect(await probe({ running: true })).toBe("503 electrs moved from 127.0.0.1:50001 to 127.0.0.2:50001");
    box.put("local/electrs", "");
    expect(await probe({ running: true })).toBe("200 the Lightning node is running");
  });

  test.each([
    ["set up", { setupCompleted: false }, true],
    ["unlocked by hand", { setupCompleted: true, running: false }, false],
  ])("calls for no restart while the hub waits to be %s, wherever electrs is", async (_, info, autoUnlock) => {
    state(`started ${ago(5000)} 127.0.0.1:50001`);
    box.put("local/electrs", "127.0.0.2:50001");
    expect(await probe(info, autoUnlock)).toMatch(/^200/);
  });
});
