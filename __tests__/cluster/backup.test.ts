import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { SERVICE_USER } from "../../nomad/template";
import { HUB_TABLES, postgresFolder } from "../backup/postgres";
import { BY_HAND, commandsOf, shellCommandsOf } from "../recovery-document";
import type { Checkout, Ran } from "./checkout";
import { command, until } from "./command";
import { hoursLater } from "./command-line";
import { describeOnHomelab, Homelab, NAMESPACE, testOn } from "./homelab";
import { jobPolicies, type Role, roleTokens } from "./policies";

const HUB = "nomad/jobs/albyhub/albyhub/albyhub";
const RESTIC = "nomad/jobs/backup/backup/restic";
const RESTIC_PASSWORD = "on-paper-in-a-drawer";
/** Rows of the tables that stand for the hub's. */
const HUB_ROWS = 511;
/** What the hub keeps of its channels, by which a copy of it would be known anywhere. */
const LIVE_STATE = "the only valid state of the channels";

describeOnHomelab("backups, and recovery by docs/recovery.md", () => {
  let homelab: Homelab;
  let owner: Checkout;
  let tokens: Map<Role, string>;
  let programs: string;

  const step = (name: string, body: () => Promise<void>) => testOn(() => homelab, name, body);
  const nas = (...path: string[]) => homelab.run.path("nas", homelab.cluster.nas.exportRoot, ...path);
  const postgres = () => {
    if (!homelab.postgres) throw new Error("the homelab has no real database");
    return homelab.postgres;
  };

  beforeAll(async () => {
    homelab = await Homelab.start({ postgres: true });
    const put = <T>(path: string, body: unknown) => homelab.nomad.api.put<T>(path, body);
    tokens = await roleTokens(put);
    await jobPolicies(put);
    owner = homelab.checkout();
    owner.edit("channelBackups: backup,", "channelBackups: backup,\n  firstStart: true,");
    programs = homelab.run.path("programs");
    mkdirSync(programs);
    // Who may be whom is the owner's matter; the superuser of this database is reached with a password.
    const login = Object.entries({
      PGHOST: postgres().address,
      PGPORT: postgres().port,
      PGUSER: "postgres",
      PGPASSWORD: postgres().password,
    });
    const words = login.map(([name, value]) => `${name}=${value}`).join(" ");
    writeFileSync(
      join(programs, "sudo"),
      `#!/bin/sh\n[ "$1 $2" = "-u postgres" ] || exit 9\nshift 2\nexec env ${words} "$@"\n`,
      { mode: 0o755 },
    );
    postgres().sql(HUB_TABLES, "nwc", "albyhub");
  });

  afterAll(async () => {
    await homelab?.end();
  });

  /**
   * Runs a command of the document as its reader does, who types an answer where one is asked for. Other than there are
   * only the folders where NAS and disk are mounted, and that nobody sees what a deploy asks.
   */
  async function by(line: string, answer = "", role: Role = "management"): Promise<Ran> {
    const here = line
      .replaceAll("/mnt/homelab-general", nas())
      .replaceAll("/mnt/usb", homelab.run.path("usb"))
      .replace(/^npm run deploy$/, "npm run deploy -- --auto-approve");
    const typed = answer ? `script -qefc ${JSON.stringify(here.replaceAll("$", "\\$"))} /dev/null` : here;
    const token = tokens.get(role);
    // A password is read after what was typed before its question is thrown away.
    const slowly = `{ ${answer
      .split("\n")
      .map((word) => `sleep 5; echo ${word}; `)
      .join("")} } | ${typed}`;
    return owner.run(answer.includes("\n") ? slowly : typed, answer && `${answer}\n`, {
      PATH: `${programs}:${postgresFolder()}:${process.env.PATH}`,
      NOMAD_ADDR: homelab.cluster.nomadAddress,
      ...(token && { NOMAD_TOKEN: token }),
      RESTIC_PASSWORD,
      RESTIC_FROM_PASSWORD: RESTIC_PASSWORD,
      RESTIC_CACHE_DIR: homelab.run.path("restic-cache"),
    });
  }

  /** The same for what must succeed. */
  async function done(line: string, answer = "", role: Role = "management"): Promise<string> {
    const { code, text } = await by(line, answer, role);
    if (code !== 0) throw new Error(`${line} ended with ${code}:\n${text}`);
    return text;
  }

  const now = () => done("npx homelab backup now", "", "deployer");
  const counts = () =>
    ["apps", "user_configs", "transactions"].map((table) =>
      postgres().sql(`select count(*) from ${table}`, "nwc", "albyhub"),
    );

  /** Writes a static channel backup as the hub does when a channel has become ready. */
  function channelReady(name: string): string {
    const folder = join(homelab.folderOf("albyhub-data"), "ldk/static_channel_backups");
    mkdirSync(folder, { recursive: true });
    const text = JSON.stringify({
      node_id: "02aa",
      channels: [{ channel_id: name, peer_id: "03bb" }],
      monitors: [{ key: name, value: "00ff" }],
    });
    writeFileSync(join(folder, `${name}.json`), text);
    for (const path of [dirname(folder), folder, join(folder, `${name}.json`)])
      chownSync(path, SERVICE_USER, SERVICE_USER);
    return text;
  }

  /** ID of the newest snapshot of the hub, as `homelab backup list` shows it. */
  const newestSnapshot = async () => {
    const list = await done("npx homelab backup list --set albyhub", "", "reader");
    return /^ {2}([0-9a-f]{8}) .* albyhub /m.exec(list)?.[1] ?? "";
  };

  const second = (name: string) => nas("backup/channels/albyhub", `${name}.json`);
  const hubRuns = () => until("the hub's node runs", 120, async () => (await homelab.hub("info")).running || undefined);
  const hubCount = async () => {
    const { TaskGroups } = await homelab.nomad.api.get<{ TaskGroups: { Count: number }[] }>("job/albyhub", NAMESPACE);
    return TaskGroups[0]?.Count;
  };
  /** So that a deploy has something to change. */
  const raise = (() => {
    let version = 1;
    return () => owner.edit(new RegExp(`(new AlbyHub[\\s\\S]*?metaVersion: )${version}`), `$1${++version}`);
  })();

  step("a deploy with the owner's own commands asks once for what many jobs read", async () => {
    await owner.done("npm run synth");
    const given = {
      [HUB]: { database_password: homelab.secrets.databasePassword },
      [RESTIC]: { restic_password: RESTIC_PASSWORD },
    };
    await owner.done("npx homelab secrets init --stdin", JSON.stringify(given));
    await done("npm run deploy");
    const unlock = await homelab.nomad.api.get<{ Items: Record<string, string> }>(`var/${HUB}`, NAMESPACE);
    const unlockPassword = unlock.Items.auto_unlock_password;
    await until("the hub's page opens", 120, () => homelab.hub("info"));
    await homelab.hub("setup", { unlockPassword });
    await homelab.hub("start", { unlockPassword });
    owner.edit("\n  firstStart: true,", "");
    writeFileSync(join(homelab.folderOf("albyhub-data"), "ldk/storage/ldk_node_data.sqlite"), LIVE_STATE, {
      flag: "a",
    });
    const folder = homelab.run.path("nas", homelab.cluster.nas.snapshotExport ?? "");
    const snapshot = join(folder, `${homelab.cluster.servers[0]?.name}-20261126T000000Z.snap`);
    await done(`nomad operator snapshot save ${snapshot}`);
    for (const path of [folder, snapshot]) chownSync(path, SERVICE_USER, SERVICE_USER);
    const drift = await by("npx homelab drift", "", "reader");
    expect([drift.code, drift.text]).toEqual([0, expect.stringContaining(": as the code says")]);
  });

  step("a static channel backup is in the second place within a minute", async () => {
    const text = channelReady("2026-11-26T20-00-00");
    await until("it is there", 60, () => (existsSync(second("2026-11-26T20-00-00")) ? true : undefined));
    expect(readFileSync(second("2026-11-26T20-00-00"), "utf8")).toBe(text);
    await until(
      "the hub's log says so",
      20,
      async () =>
        (await homelab.output("albyhub", "channel-backups")).includes("copied 2026-11-26T20-00-00.json") || undefined,
    );
  });

  step("one that is written while the second place is down arrives when it is back", async () => {
    chmodSync(nas("backup"), 0o000);
    const text = channelReady("2026-11-26T21-00-00");
    await until(
      "the hub says so",
      60,
      async () =>
        (await homelab.output("albyhub", "channel-backups")).includes("the second place is away") || undefined,
    );
    chmodSync(nas("backup"), 0o700);
    await until("it is there", 60, () => (existsSync(second("2026-11-26T21-00-00")) ? true : undefined));
    expect(readFileSync(second("2026-11-26T21-00-00"), "utf8")).toBe(text);
    expect((await homelab.hub("info")).running).toBe(true);
  });

  step("the hourly run, forced, takes what cannot be had again and nothing of what can", async () => {
    const text = await now();
    process.stderr.write(text);
    expect(text).toMatch(
      /the backup ended well on pinode\d after \d+ s\n {2}albyhub: snapshot [0-9a-f]{8}, .*\n {2}cluster: /,
    );
    expect(text).toContain(`${HUB_ROWS} rows`);
    const files = await done(`restic -r /mnt/homelab-general/backup/restic ls latest --tag albyhub`);
    expect(files).toContain("static_channel_backups/2026-11-26T21-00-00.json");
    const all = await done("restic -r /mnt/homelab-general/backup/restic ls latest --tag cluster");
    for (const never of [/blocks|chainstate|indexes|rocksdb/, /ldk\/storage|sqlite/])
      expect(files + all).not.toMatch(never);
  });

  step("status is green when fresh and red 27 h later", async () => {
    const fresh = await by("npx homelab backup status", "", "reader");
    process.stderr.write(fresh.text);
    expect([fresh.code, fresh.text]).toEqual([
      0,
      expect.stringMatching(/ {2}albyhub +\d+ (s|min) .*well\n {2}cluster +\d+ (s|min) .*well\n/),
    ]);
    const later = Object.entries(hoursLater(27)).map(([name, value]) => `${name}=${value}`);
    const old = await by(`env '${later.join(" ")}' npx homelab backup status`, "", "reader");
    process.stderr.write(old.text);
    expect([old.code, old.text]).toEqual([
      2,
      expect.stringMatching(/not to be relied on[\s\S]*albyhub +27 h .*older than 26 h/),
    ]);
    expect(await by(`env '${later.join(" ")}' npx homelab status`, "", "reader")).toMatchObject({
      code: 2,
      text: expect.stringMatching(/albyhub +27 h/),
    });
  });

  describe("a drill", () => {
    /** Makes a snapshot that only the drill can tell from a good one: altered, with checksums that agree. */
    async function forge(set: string, alter: (folder: string) => void): Promise<() => Promise<void>> {
      const stage = homelab.run.path("forged", set);
      await done(
        `restic -r /mnt/homelab-general/backup/restic restore latest:/alloc/data/stage/${set} --tag ${set} --target ${stage}`,
      );
      alter(stage);
      command(
        "sh",
        [
          "-c",
          "find . -type f ! -name SHA256SUMS -exec sha256sum {} + | sed 's#  \\./#  #' > /tmp/sums.$$ && mv /tmp/sums.$$ SHA256SUMS",
        ],
        { cwd: stage },
      );
      command("chown", ["-R", `${SERVICE_USER}:${SERVICE_USER}`, homelab.run.path("forged")]);
      const restic = (line: string) =>
        command("docker", [
          ...[
            "run",
            "--rm",
            "--network",
            "none",
            "--user",
            `${SERVICE_USER}:${SERVICE_USER}`,
            "-e",
            `RESTIC_PASSWORD=${RESTIC_PASSWORD}`,
          ],
          ...["-v", `${nas("backup/restic")}:/repository`, "-v", `${homelab.run.path("forged")}:/alloc/data/stage`],
          ...[homelab.images.restic, "sh", "-c", `restic -r /repository --no-cache ${line}`],
        ]);
      const [, id = ""] =
        /snapshot ([0-9a-f]{8}) saved/.exec(restic(`backup --host homelab --tag ${set} /alloc/data/stage/${set}`)) ??
        [];
      return async () => {
        restic(`forget ${id}`);
        rmSync(homelab.run.path("forged"), { recursive: true });
      };
    }

    const tamperings: [title: string, set: string, alter: (folder: string) => void, words: RegExp][] = [
      [
        "a manifest that counts another row",
        "albyhub",
        (folder) => {
          const rows = readFileSync(join(folder, "ROWS"), "utf8");
          writeFileSync(join(folder, "ROWS"), rows.replace("public.apps 7", "public.apps 8"));
        },
        /the rows of the dump do not match its manifest: .*public\.apps/,
      ],
      [
        "a channel backup that is not its source",
        "albyhub",
        (folder) => {
          const file = join(folder, "files/ldk/static_channel_backups/2026-11-26T20-00-00.json");
          writeFileSync(file, readFileSync(file, "utf8").replace("03bb", "03cc"));
        },
        /2026-11-26T20-00-00\.json differs from its source/,
      ],
      [
        "a raft snapshot that was cut off",
        "cluster",
        (folder) => {
          const [name = ""] = readdirSync(join(folder, "raft"));
          const whole = readFileSync(join(folder, "raft", name));
          writeFileSync(join(folder, "raft", name), whole.subarray(0, whole.length / 2));
        },
        /the raft snapshot .* does not open/,
      ],
    ];

    test.each(tamperings)("is red on %s", async (_, set, alter, words) => {
      const undo = await forge(set, alter);
      try {
        const { code, text } = await by("npx homelab backup drill", "", "deployer");
        process.stderr.write(text);
        expect([code, text]).toEqual([1, expect.stringMatching(words)]);
        const status = await by("npx homelab backup status", "", "reader");
        // Its lines are wrapped.
        expect([status.code, status.text.replaceAll(/\s+/g, " ")]).toEqual([2, expect.stringMatching(words)]);
      } finally {
        await undo();
      }
    });

    step("is green on a good backup, and status says when", async () => {
      const text = await done("npx homelab backup drill", "", "deployer");
      process.stderr.write(text);
      expect(text).toMatch(/albyhub 2 channel backups parse[\s\S]*cluster raft snapshot opens/);
      expect(text).toContain(`albyhub database 4 tables ${HUB_ROWS} rows equal`);
      const status = await by("npx homelab backup status", "", "reader");
      expect([status.code, status.text]).toEqual([
        0,
        expect.stringMatching(/last good drill: \d+ s ago \([\s\S]* rows equal/),
      ]);
    });
  });

  step("a restore is refused by a database that lives and by a folder that holds something", async () => {
    const before = counts();
    const live = await by("npx homelab backup restore albyhub --database nwc", "albyhub", "deployer");
    expect([live.code, live.text]).toEqual([
      1,
      expect.stringMatching(/the database nwc at .* holds \d+ tables.*a restore needs an empty one/),
    ]);
    expect(counts()).toEqual(before);
    const again = await by("npx homelab backup restore albyhub", "albyhub", "deployer");
    expect([again.code, again.text]).toEqual([
      1,
      expect.stringMatching(/restored\/albyhub-[0-9a-f]{8} on the backup volume holds something already/),
    ]);
    const unknown = await by("npx homelab backup restore albyhub --snapshot deadbeef", "", "deployer");
    expect([unknown.code, unknown.text]).toEqual([
      1,
      expect.stringContaining("there is no snapshot deadbeef of albyhub"),
    ]);
  });

  step("«An upgrade of Alby Hub does not run», word for word; the copy goes when the node runs", async () => {
    const lines = commandsOf("An upgrade of Alby Hub does not run");
    const before = counts();
    const [beforeUpgrade = "", deploy, ...rest] = lines;
    expect([beforeUpgrade, deploy]).toEqual(["npx homelab backup before-upgrade albyhub", "npm run deploy"]);
    const printed = await done(beforeUpgrade, "y", "deployer");
    const [, copy = ""] = /is in (before-upgrade\/albyhub\/\S+) of/.exec(printed) ?? [];
    const [, snapshot = ""] =
      /the database as it is in snapshot ([0-9a-f]{8})/.exec(printed.replaceAll(/\s+/g, " ")) ?? [];
    expect(snapshot).not.toBe("");
    expect(readFileSync(nas("backup", copy, "ldk/storage/ldk_node_data.sqlite"), "utf8")).toContain(LIVE_STATE);
    expect(existsSync(nas("backup", copy, "SHA256SUMS"))).toBe(true);
    expect([await hubCount(), homelab.containers("albyhub")]).toEqual([0, []]);
    // In place of the deploy of a new version: what one leaves that has broken off in the middle.
    const state = join(homelab.folderOf("albyhub-data"), "ldk/storage/ldk_node_data.sqlite");
    const whole = readFileSync(state, "utf8");
    writeFileSync(state, "half migrated");
    postgres().sql("drop table transactions", "nwc", "albyhub");
    raise();
    // The hour goes on: what the new version has made of the database becomes the newest dump.
    await now();
    const data = homelab.folderOf("albyhub-data");
    const aside = () => readdirSync(data).find((name) => name.startsWith(".before-restore-"));
    for (const line of rest) {
      const text = await done(line.replace("<id>", snapshot), /restore/.test(line) ? "albyhub" : "");
      if (line.includes("backup-copy/done")) expect(text).toContain(` snapshot=${snapshot}`);
      if (!line.includes("--work-directory")) continue;
      // Until the node has run.
      expect(readFileSync(join(data, aside() ?? "", "ldk/storage/ldk_node_data.sqlite"), "utf8")).toBe("half migrated");
    }
    await hubRuns();
    expect(counts()).toEqual(before);
    // The stand-in adds a line at each start.
    expect(readFileSync(state, "utf8")).toBe(`${whole}started\n`);
    postgres().sql("drop database nwc_broken");
    await until("the copy is gone, and what was set aside", 90, () =>
      existsSync(nas("backup", copy)) || aside() ? undefined : true,
    );
  });

  step("«Alby Hub's database is lost, its volume is not», word for word", async () => {
    await now();
    const before = counts();
    const id = await newestSnapshot();
    postgres().sql("drop table user_configs", "nwc", "albyhub");
    for (const line of commandsOf("Alby Hub's database is lost, its volume is not")) {
      await done(line.replace("<id>", id), / restore /.test(line) ? "albyhub" : "");
      // The hour goes on, and finds the database that was just made.
      if (line.includes("createdb")) {
        const hourly = await by("npx homelab backup now", "", "deployer");
        expect([hourly.code, hourly.text]).toEqual([1, expect.stringContaining("the database nwc holds no tables")]);
        expect(await newestSnapshot()).toBe(id);
      }
    }
    await hubRuns();
    expect(counts()).toEqual(before);
  });

  step(
    "«Alby Hub's volume is lost», word for word, with its database: rows and channel backups are back, no channel state is",
    async () => {
      const newest = channelReady("2026-11-26T22-00-00");
      await until("the second place has it", 60, () => (existsSync(second("2026-11-26T22-00-00")) ? true : undefined));
      await now();
      const before = counts();
      const id = await newestSnapshot();
      postgres().sql("drop database nwc with (force)");
      const data = homelab.folderOf("albyhub-data");
      for (const name of readdirSync(data)) rmSync(join(data, name), { recursive: true });

      const lines = commandsOf("Alby Hub's volume is lost");
      for (const line of lines.filter((one) => !BY_HAND.includes(one))) {
        if (line === "npm run deploy")
          owner.edit("channelBackups: backup,", "channelBackups: backup,\n  firstStart: true,");
        const text = await done(line.replace("<id>", id), / restore /.test(line) ? "albyhub" : "");
        if (line.startsWith("tail ")) expect(text).toContain("}");
        if (line.startsWith("ls "))
          expect(text).toMatch(
            /channels\/albyhub:\n[\s\S]*2026-11-26T22-00-00\.json\n[\s\S]*static_channel_backups:\n[\s\S]*2026-11-26T22-00-00\.json\n/,
          );
      }
      owner.edit("\n  firstStart: true,", "");
      expect(counts()).toEqual(before);
      expect(readFileSync(join(owner.folder, "channel-backup.json"), "utf8")).toBe(newest);
      // It is an empty volume: the hub's set-up is open, and nothing of the old state is anywhere.
      await until("the hub's page opens", 120, () => homelab.hub("info"));
      const inside = homelab.run.path("inside");
      for (const set of ["albyhub", "cluster"]) {
        await done(
          `restic -r /mnt/homelab-general/backup/restic --no-lock restore latest --tag ${set} --target ${join(inside, set)}`,
        );
      }
      expect(command("find", [inside, "-name", "2026-11-26T22-00-00.json"])).not.toBe("");
      for (const place of [homelab.run.path("nas"), inside]) {
        expect(command("sh", ["-c", `grep -rlF ${JSON.stringify(LIVE_STATE)} ${place} || true`])).toBe("");
      }
    },
  );

  step("«Before it happens», «The NAS is lost» and «Everything is lost», word for word", async () => {
    mkdirSync(homelab.run.path("usb"));
    const [restic, unlock, ...copies] = shellCommandsOf("Before it happens");
    expect((await done(restic ?? "")).trim()).toBe(RESTIC_PASSWORD);
    expect((await done(unlock ?? "")).trim()).toMatch(/^[\w-]{20,}$/);
    for (const line of copies) await done(line);
    command("mv", [nas("backup/restic"), homelab.run.path("old-repository")]);
    for (const line of commandsOf("The NAS is lost")) await done(line);
    await now();
    postgres().sql("alter role albyhub rename to albyhub_before");
    const lines = commandsOf("Everything is lost");
    expect(lines).toEqual(["sudo -u postgres createuser --pwprompt albyhub"]);
    for (const line of lines) await done(line, "secret\nsecret");
    expect(postgres().sql("select count(*) from pg_roles where rolname = 'albyhub' and rolcanlogin")).toBe("1");
    postgres().sql("drop role albyhub");
    postgres().sql("alter role albyhub_before rename to albyhub");
  });

  step("«The server is lost», word for word: what was deleted after the snapshot is back", async () => {
    await homelab.nomad.api.delete(`var/${RESTIC}`, NAMESPACE);
    const lines = shellCommandsOf("The server is lost");
    expect(lines).toHaveLength(3);
    const printed: string[] = [];
    for (const line of lines) printed.push(await done(line));
    process.stderr.write(printed[1] ?? "");
    expect(printed[1]).toMatch(/ID += \d+-\d+-\d+[\s\S]*ACLToken +\d+/);
    const { Items } = await until("the variable is back", 60, () =>
      homelab.nomad.api.get<{ Items: Record<string, string> }>(`var/${RESTIC}`, NAMESPACE),
    );
    expect(Items.restic_password).toBe(RESTIC_PASSWORD);
  });
}, ["restic", "postgres"]);
