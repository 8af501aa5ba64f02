import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import { albyHubEntry, albyHubHealth } from "../../../constructs/alby-hub/scripts";
import { Duration } from "../../../nomad/duration";
import { describeWith } from "../../tools";
import { type Container, container, ENVIRONMENT, kill, untilTrue } from "../container";

const ENTRY = {
  job: "albyhub",
  volumeId: "albyhub-data",
  firstStart: false,
  secrets: "nomad/jobs/a/a/a",
  autoUnlock: true,
  database: { location: "h/d", user: "u", tls: "prefer" },
};

describeWith(["busybox"], "the start script of Alby Hub", () => {
  let box: Container;
  let running: ChildProcess | undefined;
  beforeEach(() => {
    box = container("hub");
    box.put("secrets/database_password", "url-safe_1.~");
    box.put("secrets/auto_unlock_password", "unlock");
    box.put("local/electrs", "");
  });
  afterEach(async () => {
    await kill(running);
    rmSync(box.root, { recursive: true });
  });

  /** Runs the script, with a change, until it ends, or until it says that it waits. */
  const start = (props: Partial<typeof ENTRY> = {}, change = (script: string) => script) =>
    new Promise<{ printed: string; status: number | null | "waiting" }>((done) => {
      const script = box.here(albyHubEntry({ ...ENTRY, ...props }).EmbeddedTmpl ?? "");
      box.put("local/entry", change(script.replace("sleep 10 &&", "sleep 1 &&").replace("exec /bin/main", "exec env")));
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
    expect(box.read("alloc/data/albyhub")).toMatch(/^refused \d+ the volume albyhub-data is empty: if this is a new/);
    expect(box.has("data/.homelab-volume")).toBe(false);
  });

  test("marks an empty volume at the first start, and then needs no permission", async () => {
    expect(await start({ firstStart: true })).toMatchObject({ status: "waiting" });
    expect(box.read("data/.homelab-volume")).toBe("albyhub-data\n");
    await kill(running);
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
    await kill(running);
    rmSync(join(box.root, "data/ldk"), { recursive: true });
    const { printed, status } = await start({ firstStart: true });
    expect(status).toBe(1);
    expect(printed).toContain("the Lightning state is gone from the volume albyhub-data");
    // SQLite takes it for a new database.
    box.put("data/ldk/storage/ldk_node_data.sqlite", "");
    expect(await start()).toMatchObject({ status: 1, printed: expect.stringContaining("Lightning state is gone") });
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
    expect(box.read("alloc/data/albyhub")).toMatch(/^refused \d+ the Nomad variable nomad\/jobs\/a\/a\/a /);
    expect(printed + box.read("alloc/data/albyhub")).not.toContain("p@ss/word");
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

  /** An electrs that answers, and its address where the script finds it. */
  const answeringElectrs = async (others = "") => {
    const server = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", () => socket.write('{"id":1,"jsonrpc":"2.0","result":null}\n'));
    }).listen(0, "127.0.0.1");
    await new Promise((done) => server.on("listening", done));
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    box.put("local/electrs", `${others}${address}\n`);
    return { address, close: () => server.close() };
  };

  /** Runs it with an electrs that answers, to its end. */
  const startAll = async (props: Partial<typeof ENTRY> = {}, others = "") => {
    const electrs = await answeringElectrs(others);
    const { address } = electrs;
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

  test("keeps the reason to refuse until all is checked again, and its time for as long as it refuses", async () => {
    const before = `refused 1700000000 the volume albyhub-data is empty`;
    box.put("alloc/data/albyhub", `${before}\n`);
    await start();
    expect(box.read("alloc/data/albyhub")).toMatch(/^refused 1700000000 the volume albyhub-data is empty: if/);
    await start({ firstStart: true });
    await untilTrue(() => box.read("alloc/data/albyhub").startsWith("waiting "));
    expect(box.read("alloc/data/albyhub")).toMatch(
      /^waiting \d+ a complete index of electrs at an address that Nomad does not know yet\n$/,
    );
  });

  test("tries the next electrs when the first does not answer", async () => {
    const { status, address } = await startAll({ firstStart: true }, "127.0.0.1:1\n");
    expect(status).toBe(0);
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
    await kill(running);
    const words: string[] = [];
    for (const _ of [1, 2]) {
      expect((await startAll()).status).toBe(0);
      await kill(running);
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

  describe("the homelab's identity", () => {
    const [OWN, OTHER, THIRD] = [1, 2, 3].map((n) => `0000000${n}-1111-4222-8333-444444444444`);
    const MARKER = "data/.homelab-identity";
    const adoptCommand = `homelab secrets adopt albyhub ${OTHER}`;
    /** The work directory as version 0.1.0 leaves it, of a hub that has run. */
    const oldHub = () => {
      box.put("data/.homelab-volume", "albyhub-data\n");
      box.put("data/.homelab-volume.lightning", "");
      box.put("data/ldk/storage/ldk_node_data.sqlite", "x");
    };
    const identities = (mine: string | undefined, marker?: string) => {
      box.put("local/identity", mine ?? "");
      if (marker !== undefined) box.put(MARKER, marker);
    };
    const again = async () => {
      await kill(running);
      return start();
    };

    test("is written into a folder that version 0.1.0 left, once, and the hub runs on", async () => {
      oldHub();
      identities(OWN);
      const { printed, status } = await start();
      expect([status, printed]).toEqual([
        "waiting",
        expect.stringContaining(`claimed the volume albyhub-data for the homelab ${OWN}\n`),
      ]);
      expect(box.read(MARKER)).toBe(`${OWN}\n`);
      const second = await again();
      expect([second.status, second.printed]).toEqual(["waiting", expect.not.stringContaining("claimed")]);
      // What version 0.1.0 reads, after a rollback, is as it was.
      expect(box.read("data/.homelab-volume")).toBe("albyhub-data\n");
      expect(box.has(`${MARKER}.part`)).toBe(false);
    });

    test("is written at the first start of a new hub, and into data that is adopted", async () => {
      identities(OWN);
      expect(await start({ firstStart: true })).toMatchObject({ status: "waiting" });
      expect(box.read(MARKER)).toBe(`${OWN}\n`);
      await kill(running);
      rmSync(join(box.root, "data"), { recursive: true });
      box.put("data/ldk/storage/ldk_node_data.sqlite", "x");
      expect(await start()).toMatchObject({ status: "waiting" });
      expect(box.read(MARKER)).toBe(`${OWN}\n`);
    });

    test.each([true, false])(
      "keeps a hub off a folder of another homelab, first start or not (%p)",
      async (firstStart) => {
        oldHub();
        identities(OWN, `${OTHER}\n`);
        const { printed, status } = await start({ firstStart });
        expect([status, printed]).toEqual([
          1,
          expect.stringMatching(
            `refuses to start: the volume albyhub-data belongs to the homelab ${OTHER}, and this is the homelab ${OWN}: .*${adoptCommand}`,
          ),
        ]);
        expect(box.read(MARKER)).toBe(`${OTHER}\n`);
      },
    );

    test("is not needed on a folder that nobody has claimed, and its absence is said", async () => {
      oldHub();
      identities(undefined);
      const { printed, status } = await start();
      expect([status, printed]).toEqual(["waiting", expect.stringContaining("is claimed by no homelab")]);
      expect(printed).toContain(
        "homelab secrets init makes this homelab's identity, and the next start claims the volume",
      );
      expect(box.has(MARKER)).toBe(false);
      identities(OWN);
      expect(await again()).toMatchObject({ status: "waiting" });
      expect(box.read(MARKER)).toBe(`${OWN}\n`);
    });

    test("is needed on a folder that somebody has claimed, as after a cluster was made anew", async () => {
      oldHub();
      identities(undefined, `${OTHER}\n`);
      const { printed, status } = await start();
      expect([status, printed]).toEqual([1, expect.stringContaining("and this cluster has no identity")]);
      expect(printed).toContain("restore Nomad's snapshot");
      expect(printed).toContain(adoptCommand);
      // The snapshot is restored.
      identities(OTHER);
      expect(await start()).toMatchObject({ status: "waiting" });
    });

    test("takes over the one folder that its owner said, and from then on keeps the other homelab off", async () => {
      oldHub();
      identities(`${OWN} adopts ${OTHER}`, `${OTHER}\n`);
      const { printed, status } = await start();
      expect([status, printed]).toEqual([
        "waiting",
        expect.stringContaining(
          `took the volume albyhub-data over from the homelab ${OTHER}, as its owner asked: it belongs to the homelab ${OWN} now`,
        ),
      ]);
      expect(box.read(MARKER)).toBe(`${OWN}\n`);
      expect(await again()).toMatchObject({ status: "waiting", printed: expect.not.stringContaining("took") });
      await kill(running);
      identities(OTHER);
      expect((await start()).printed).toContain(`belongs to the homelab ${OWN}, and this is the homelab ${OTHER}`);
      identities(`${OWN} adopts ${OTHER}`, `${THIRD}\n`);
      expect(await start()).toMatchObject({ status: 1, printed: expect.stringContaining(`adopt albyhub ${THIRD}`) });
    });

    test("goes back to a homelab that has lost it only when its owner removes a file as well", async () => {
      oldHub();
      identities(`${OWN} adopts ${OTHER}`, `${OTHER}\n`);
      await start();
      await kill(running);
      identities(`${OTHER} adopts ${OWN}`);
      const { printed, status } = await start();
      const file = `.homelab-identity-lost-${OTHER}`;
      expect([status, printed]).toEqual([1, expect.stringContaining(`then delete ${file} on the NAS`)]);
      rmSync(join(box.root, "data", file));
      expect(await start()).toMatchObject({ status: "waiting" });
      expect(box.read(MARKER)).toBe(`${OTHER}\n`);
    });

    test("claims an unclaimed folder whatever it may adopt", async () => {
      oldHub();
      identities(`${OWN} adopts ${OTHER}`);
      expect(await start()).toMatchObject({ status: "waiting" });
      expect(box.read(MARKER)).toBe(`${OWN}\n`);
    });

    test.each([
      ["with white space around it", `\t${OWN}  \r\n\n`, "waiting"],
      ["without a line end", OWN, "waiting"],
      ["empty", "", 1],
      ["of white space", " \n", 1],
      ["cut", `${OWN?.slice(0, 20)}`, 1],
      ["twice", `${OWN}\n${OWN}\n`, 1],
      ["in two parts", `${OWN?.slice(0, 18)} ${OWN?.slice(18)}`, 1],
      ["that is a pattern", "????????-????-????-????-????????????", 1],
      ["that is another text", "* adopts *", 1],
    ])("is read from a marker %s", async (_, text, expected) => {
      oldHub();
      identities(OWN, text);
      const { printed, status } = await start();
      expect(status).toBe(expected);
      if (expected === 1) {
        expect(printed).toContain("the file .homelab-identity in the volume albyhub-data holds no identity");
        expect(printed).toContain("then delete that file on the NAS");
      }
      expect(box.read(MARKER)).toBe(text);
    });

    test.each(["link", "dangling link", "folder"])("is not read from a marker that is a %s", async (kind) => {
      oldHub();
      identities(OWN);
      if (kind === "folder") mkdirSync(join(box.root, MARKER));
      else symlinkSync(kind === "link" ? join(box.root, "local/identity") : "/nowhere", join(box.root, MARKER));
      const { printed, status } = await start();
      expect([status, printed]).toEqual([1, expect.stringContaining("holds no identity")]);
    });

    test.each(["x", "00000001-1111-4222-8333-44444444444", `${OWN} adopts`, `${OWN} adopts x`, `${OWN} ${OTHER}`])(
      "is not what Nomad's variable holds when that is %j",
      async (text) => {
        oldHub();
        identities(text);
        const { printed, status } = await start();
        expect([status, printed]).toEqual([
          1,
          expect.stringContaining(`the Nomad variable nomad/jobs/albyhub holds no identity but "${text}"`),
        ]);
        expect(box.has(MARKER)).toBe(false);
      },
    );

    test("is not taken for written while it cannot be", async () => {
      oldHub();
      identities(OWN);
      mkdirSync(join(box.root, `${MARKER}.part`));
      const { printed, status } = await start();
      expect([status, printed]).toEqual([
        1,
        expect.stringContaining("cannot claim the volume albyhub-data: nobody has"),
      ]);
    });
  });

  describe("the lock of the work directory", () => {
    const flock = () => execFileSync("busybox", ["flock", "-n", join(box.root, "data/.homelab-lock"), "true"]);
    const held = (why: string) => ({ status: 1, printed: expect.stringContaining(why) });
    const IN_USE = "/data is in use: another hub, or a restore, holds the lock .homelab-lock";
    let first: ChildProcess | undefined;
    afterEach(() => kill(first));
    /** Starts one that stays, and leaves it. */
    const startFirst = async () => {
      const { status } = await start({ firstStart: true });
      first = running;
      return status;
    };

    test("is held while the script waits, so that a second one touches nothing", async () => {
      expect(await startFirst()).toBe("waiting");
      rmSync(join(box.root, "data/.homelab-volume"));
      chmodSync(join(box.root, "data"), 0o755);
      box.put("data/.restore.part/file", "x");
      expect(await start({ firstStart: true })).toEqual(held(IN_USE));
      expect(box.has("data/.homelab-volume")).toBe(false);
      expect(box.has("data/.restore.part/file")).toBe(true);
      expect(execFileSync("stat", ["-c", "%a", join(box.root, "data")], { encoding: "utf8" })).toBe("755\n");
      await kill(first);
      rmSync(join(box.root, "data/.restore.part"), { recursive: true });
      expect(await start({ firstStart: true })).toMatchObject({ status: "waiting" });
    });

    /** Starts one whose electrs answers, with a program that knows nothing of all this, and waits until that runs. */
    const startHub = async () => {
      const electrs = await answeringElectrs();
      const main = `${box.busybox} sh -c '${box.busybox} touch ${box.root}/local/runs; exec ${box.busybox} sleep 60'`;
      void start({ firstStart: true }, (script) => script.replace("exec env", `exec ${main}`));
      await untilTrue(() => box.has("local/runs"));
      electrs.close();
      first = running;
      let printed = "";
      first?.stderr?.on("data", (text) => {
        printed += text;
      });
      return { hub: running, printed: () => printed };
    };

    test("goes over to the hub, and ends with it, whatever the script left in the background", async () => {
      await startHub();
      expect(flock).toThrow();
      expect(await start()).toEqual(held(IN_USE));
      process.kill(first?.pid ?? 0, "SIGKILL");
      await untilTrue(() => first?.signalCode === "SIGKILL");
      // The watcher for the first Lightning state still waits.
      expect(execFileSync("ps", ["-o", "args=", "-g", String(first?.pid)], { encoding: "utf8" })).toContain("entry");
      expect(flock).not.toThrow();
    }, 30_000);

    test("ends a hub when another one has started since, which it cannot keep from it on another machine", async () => {
      const { hub, printed } = await startHub();
      const marker = "data/.homelab-volume.started";
      const own = box.read(marker);
      rmSync(join(box.root, marker));
      await new Promise((done) => setTimeout(done, 2500));
      box.put(marker, own);
      await new Promise((done) => setTimeout(done, 2500));
      expect([hub?.exitCode, hub?.signalCode]).toEqual([null, null]);
      box.put(marker, "2026-11-28T10:00:00Z another-start\n");
      await untilTrue(() => hub?.signalCode === "SIGQUIT");
      expect(printed()).toContain(
        "another hub has started on the volume albyhub-data since, at 2026-11-28T10:00:00Z another-start",
      );
    }, 30_000);

    test("is asked for again after the wait for electrs, and so is whose folder it is", async () => {
      expect(await startFirst()).toBe("waiting");
      let printed = "";
      first?.stderr?.on("data", (text) => {
        printed += text;
      });
      box.put("data/.homelab-identity", "00000002-1111-4222-8333-444444444444\n");
      const electrs = await answeringElectrs();
      await untilTrue(() => printed.includes("belongs to the homelab 00000002"));
      electrs.close();
    }, 30_000);

    test("is not in the way of the check for an empty folder", async () => {
      box.put("data/.homelab-lock", "");
      expect((await start()).printed).toContain("is empty");
      expect(await start({ firstStart: true })).toMatchObject({ status: "waiting" });
    });

    test.each(["link", "folder", "pipe"])("is not taken on a %s", async (kind) => {
      const lock = join(box.root, "data/.homelab-lock");
      if (kind === "folder") mkdirSync(lock);
      if (kind === "link") symlinkSync(join(box.root, "local/other"), lock);
      if (kind === "pipe") execFileSync("mkfifo", [lock]);
      expect(await start({ firstStart: true })).toEqual(held("is not a regular file"));
      expect(box.has("local/other")).toBe(false);
    });

    /** What a kernel answers that is not to be had here; __tests__/nfs has the real one. */
    const answering = (answer: string) => (script: string) => {
      box.put("bin/busybox", `#!/bin/sh\n[ "$1" != flock ] || { ${answer}; }\nexec ${box.busybox} "$@"\n`);
      chmodSync(join(box.root, "bin/busybox"), 0o755);
      return script.replace(`BUSYBOX='${box.busybox}'`, `BUSYBOX='${box.root}/bin/busybox'`);
    };

    test("is done without where the mount has none, which is said", async () => {
      const { printed, status } = await start(
        { firstStart: true },
        answering('echo "flock: No locks available" >&2; exit 1'),
      );
      expect([status, printed]).toEqual(["waiting", expect.stringContaining("goes on without a lock")]);
    });

    test.each([
      "flock: I/O error",
      "flock: Interrupted system call",
      "flock: Invalid argument",
      "busybox: applet not found",
    ])("is not taken for missing when the answer is %j", async (answer) => {
      expect(await start({ firstStart: true }, answering(`echo "${answer}" >&2; exit 1`))).toEqual(
        held(`cannot be locked, so nobody can tell whether it is in use: ${answer}`),
      );
    });
  });
});

describeWith(["busybox"], "the probe of Alby Hub", () => {
  let box: Container;
  beforeEach(() => {
    box = container("hub");
  });
  afterEach(() => {
    rmSync(box.root, { recursive: true });
  });

  const GRACE = Duration.minutes(10);
  let now: number;
  beforeEach(() => {
    now = Math.floor(Date.now() / 1000);
  });
  const ago = (seconds: number) => now - seconds;
  const clock = (at: number) => `${new Date(at * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  const probe = async (info: object | undefined, autoUnlock = true, grace = GRACE) => {
    const hub = createServer((_, response) => response.end(JSON.stringify(info))).listen(0, "127.0.0.1");
    await new Promise((done) => hub.on("listening", done));
    const { port } = hub.address() as AddressInfo;
    const told = await box.probe(albyHubHealth(info ? port : 1, grace, autoUnlock));
    hub.close();
    return told;
  };
  const state = (text: string) => box.put("alloc/data/albyhub", `${text}\n`);
  const SET_UP = { setupCompleted: true, running: false };
  const RUNS = { setupCompleted: true, running: true };
  const HERE = "127.0.0.1:50001";
  beforeEach(() => box.put("local/electrs", `${HERE}\n`));

  test("says that the hub waits, since when and for what, which Nomad counts as success and the command does not", async () => {
    expect(await probe(undefined)).toMatch(/^202 waiting since .* for its start$/);
    state(`waiting ${ago(3600)} a complete index of electrs at ${HERE}`);
    const text = `202 waiting since ${clock(ago(3600))} for a complete index of electrs at ${HERE}`;
    expect(await probe(RUNS)).toBe(text);
  });

  test("fails with the reason of a hub that refuses to start", async () => {
    state(`refused ${ago(5)} the volume albyhub-data is empty: if this is a new Alby Hub, …`);
    expect(await probe(undefined)).toBe(
      "503 refuses to start: the volume albyhub-data is empty: if this is a new Alby Hub, …",
    );
  });

  test("gives the checks of volume and secrets five minutes, since a NAS that hangs never ends them", async () => {
    state(`checking ${ago(290)} the volume and the secrets`);
    expect(await probe(undefined)).toBe("202 checks the volume and the secrets");
    state(`checking ${ago(301)} the volume and the secrets`);
    expect(await probe(undefined)).toBe(
      `503 checks the volume and the secrets since ${clock(ago(301))} and comes to no end`,
    );
  });

  test.each([
    ["a running node", RUNS, 5000, true, "200 the Lightning node is running"],
    [
      "a hub that is not set up",
      { setupCompleted: false, running: false },
      5000,
      true,
      "202 set-up is open to whoever comes first",
    ],
    ["a hub locked by hand", SET_UP, 5000, false, "202 locked: its owner unlocks it by hand"],
  ])("says of %s", async (_, info, seconds, autoUnlock, answer) => {
    state(`started ${ago(seconds)} ${HERE}`);
    expect(await probe(info, autoUnlock)).toBe(answer);
  });

  test.each([
    ["that answers nothing", undefined],
    ["whose node does not run", SET_UP],
  ])("gives a hub %s the deadline, and then fails", async (_, info) => {
    state(`started ${ago(590)} ${HERE}`);
    expect(await probe(info)).toBe(
      `202 the Lightning node is starting since ${clock(ago(590))}; last ran before this allocation; it is restarted after 600 s; startDeadline is 600 s`,
    );
    state(`started ${ago(601)} ${HERE}`);
    expect(await probe(info)).toMatch(
      /^503 the Lightning node did not run within 600 s of its start; last ran before this allocation; .* raise startDeadline \(600 s\)$/,
    );
  });

  test("gives each start after one that was too slow twice the time, up to four hours, and counts a start once", async () => {
    const limits: number[] = [];
    let started = ago(100_000);
    for (let turn = 0; turn < 8; turn++) {
      started += 1000;
      state(`started ${started} ${HERE}`);
      for (const _ of ["first", "second"]) {
        const [, limit] = /^503 the Lightning node did not run within (\d+) s/.exec(await probe(SET_UP)) ?? [];
        limits.push(Number(limit));
      }
    }
    expect(limits).toEqual([600, 1200, 2400, 4800, 9600, 14_400, 14_400, 14_400].flatMap((limit) => [limit, limit]));
  }, 30_000);

  test("says which prop to raise while a slow node has its longer time", async () => {
    box.put("alloc/data/albyhub-late", `2 ${ago(9000)}\n`);
    state(`started ${ago(2000)} ${HERE}`);
    expect(await probe(SET_UP)).toMatch(
      /is restarted after 2400 s; startDeadline is 600 s, and 2 starts before this one took longer: raise startDeadline$/,
    );
  });

  test.each([
    ["is forgotten by a start in time", 300, false],
    ["stays for the next start when this one needed longer too", 900, true],
  ])("the longer time %s", async (_, seconds, kept) => {
    box.put("alloc/data/albyhub-late", `1 ${ago(9000)}\n`);
    state(`started ${ago(seconds)} ${HERE}`);
    expect(await probe(RUNS)).toMatch(/^200/);
    // A second look long after the first says nothing of the start.
    state(`started ${ago(5000)} ${HERE}`);
    box.put("alloc/data/albyhub-seen", `${ago(30)}\n`);
    expect(await probe(RUNS)).toMatch(/^200/);
    expect(box.has("alloc/data/albyhub-late")).toBe(kept);
  });

  test("never gives up, and never gives less than the deadline, however long that is", async () => {
    box.put("alloc/data/albyhub-late", `50 ${ago(999_999)}\n`);
    state(`started ${ago(14_300)} ${HERE}`);
    expect(await probe(SET_UP)).toMatch(/^202/);
    state(`started ${ago(14_401)} ${HERE}`);
    expect(await probe(SET_UP)).toMatch(/^503/);
    expect(await probe(SET_UP, true, Duration.hours(6))).toMatch(/^202/);
  });

  test("gives a node that ran the same time to come back, whatever keeps it from answering, and counts no slow start", async () => {
    state(`started ${ago(5000)} ${HERE}`);
    expect(await probe(RUNS)).toBe("200 the Lightning node is running");
    expect(await probe(undefined)).toMatch(/^202 the Lightning node has not been running since/);
    box.put("alloc/data/albyhub-seen", `${ago(601)}\n`);
    expect(await probe(undefined)).toBe(`503 the Lightning node has not been running since ${clock(ago(601))}`);
    expect(box.has("alloc/data/albyhub-late")).toBe(false);
  });

  test("counts from the start when the node was last seen before it", async () => {
    state(`started ${ago(5)} ${HERE}`);
    box.put("alloc/data/albyhub-seen", `${ago(601)}\n`);
    const ran = `last ran ${clock(ago(601))}`;
    expect(await probe(undefined)).toMatch(new RegExp(`^202 the Lightning node is starting since .*; ${ran}; it is`));
    state(`started ${ago(600)} ${HERE}`);
    expect(await probe(undefined)).toMatch(new RegExp(`^503 the Lightning node did not run .*; ${ran}; the next`));
  });

  test("calls for a restart when electrs is no longer at its address, not when it has none or has others too", async () => {
    state(`started ${ago(5)} ${HERE}`);
    box.put("local/electrs", "127.0.0.2:50001\n");
    expect(await probe(RUNS)).toBe(`503 electrs moved from ${HERE} to 127.0.0.2:50001`);
    for (const known of ["", `127.0.0.2:50001\n${HERE}\n`]) {
      box.put("local/electrs", known);
      expect(await probe(RUNS)).toBe("200 the Lightning node is running");
    }
  });

  test.each([
    ["set up", { setupCompleted: false }, true],
    ["unlocked by hand", SET_UP, false],
  ])("calls for no restart while the hub waits to be %s, wherever electrs is", async (_, info, autoUnlock) => {
    state(`started ${ago(5000)} ${HERE}`);
    box.put("local/electrs", "127.0.0.2:50001\n");
    expect(await probe(info, autoUnlock)).toMatch(/^202/);
  });
});
