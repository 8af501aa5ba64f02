import type { Job } from "../../../.gen/nomad/job";
import { CsiVolume } from "../../../constructs";
import { addBackup, BUSYBOX, buildHomelab, type Changes, synthesize, templateOf } from "../../homelab-fixture";

/** The fixture homelab with its backup. */
function build(changes: Changes = {}, props: Parameters<typeof addBackup>[1] = {}) {
  return addBackup(buildHomelab({ backup: {}, ...changes }), props);
}

const groupOf = (job: Job | undefined) => job?.TaskGroups[0];
const taskOf = (job: Job | undefined, name: string) => groupOf(job)?.Tasks.find(({ Name }) => Name === name);

describe("Backup", () => {
  const { stack } = build();
  const { jobs, output, config } = synthesize(stack);
  const { backup, "backup-check": check, "backup-drill": drill, "backup-restore": restore, "backup-copy": copy } = jobs;
  const all = [backup, check, drill, restore, copy];

  test("matches the snapshot of its jobs", () => {
    expect(all).toMatchSnapshot();
  });

  test("is five batch jobs in the namespace of the services, each with a group of its own name", () => {
    expect(all.map((job) => [job?.ID, groupOf(job)?.Name, job?.Type, job?.Namespace])).toEqual(
      ["backup", "backup-check", "backup-drill", "backup-restore", "backup-copy"].map((id) => [
        id,
        id,
        "batch",
        "bitcoin",
      ]),
    );
  });

  test("runs hourly, weekly and monthly, never beside itself, and the others when they are dispatched", () => {
    const of = (Spec: string) => ({ Enabled: true, Spec, SpecType: "cron", ProhibitOverlap: true, TimeZone: "UTC" });
    expect([backup, check, drill].map((job) => job?.Periodic)).toEqual([
      of("7 * * * *"),
      of("37 3 * * 0"),
      of("17 4 1 * *"),
    ]);
    expect(restore?.ParameterizedJob).toEqual({
      Payload: "forbidden",
      MetaRequired: ["set", "snapshot"],
      MetaOptional: ["database"],
    });
    expect(copy?.ParameterizedJob).toEqual({
      Payload: "forbidden",
      MetaRequired: ["job"],
      MetaOptional: ["snapshot"],
    });
  });

  test("says in its metadata which sets it takes", () => {
    expect([backup?.Meta, drill?.Meta]).toEqual(Array(2).fill({ version: "1", sets: "albyhub,cluster" }));
    expect(check?.Meta).toEqual({ version: "1" });
  });

  test("reads the hub's work directory, and writes to the volume of backups alone", () => {
    const volumes = all.map((job) =>
      Object.entries(groupOf(job)?.Volumes ?? {}).map(([name, { Source, ReadOnly }]) => [name, Source, ReadOnly]),
    );
    const [own, hub] = [
      ["backup", "backup", false],
      ["albyhub", "albyhub-data", true],
    ];
    expect(volumes).toEqual([[own, ["snapshots", "nomad-snapshots", true], hub], [own], [own, hub], [own], [own, hub]]);
    const mounts = all.flatMap((job) => groupOf(job)?.Tasks.flatMap(({ VolumeMounts }) => VolumeMounts ?? []) ?? []);
    expect(mounts.filter(({ ReadOnly }) => !ReadOnly).map(({ Destination }) => Destination)).toEqual(
      Array(5).fill("/backup"),
    );
    expect(taskOf(backup, "restic")?.VolumeMounts).toContainEqual({
      Volume: "albyhub",
      Destination: "/data/albyhub",
      ReadOnly: true,
    });
  });

  test("takes what is named, and nothing of the live state", () => {
    const script = templateOf(backup, "local/restic", 1);
    expect(script).toContain("\nSETS='albyhub|true|true|albyhub-data|true'\n");
    expect(script).toContain("\nINCLUDE='albyhub|ldk/static_channel_backups/*.json\nalbyhub|.homelab-volume'\n");
    expect(script).not.toMatch(/storage|sqlite/);
    expect(templateOf(backup, "local/database", 0)).toContain(
      "\nDATABASES='albyhub|127.0.0.1|5432|nwc|albyhub|prefer|albyhub_database_password|'\n",
    );
  });

  test("keeps 24 hourly, 7 daily, 4 weekly and 12 monthly snapshots of each set, and reads a tenth each week", () => {
    const script = templateOf(backup, "local/restic", 1);
    expect(script).toContain("\nKEEP_HOURLY='24'\nKEEP_DAILY='7'\nKEEP_WEEKLY='4'\nKEEP_MONTHLY='12'\n");
    expect(script).toContain(
      '--keep-hourly "$KEEP_HOURLY" --keep-daily "$KEEP_DAILY" --keep-weekly "$KEEP_WEEKLY" --keep-monthly "$KEEP_MONTHLY"',
    );
    expect(templateOf(check, "local/restic")).toContain("\nSUBSET='10%'\n");
    expect(templateOf(check, "local/restic")).toContain('--read-data-subset="$SUBSET"');
  });

  test("gives each task its own secrets, which it declares as the same ones", () => {
    const own = output.secrets.filter(({ path }) => path.startsWith("nomad/jobs/backup"));
    expect(own.map(({ path, key, source, sameAs }) => [path.slice(11), key, source, sameAs])).toEqual([
      ["backup/backup/database", "albyhub_database_password", "owner", "albyhub/database_password"],
      ["backup/backup/restic", "restic_password", "owner", "backup/restic_password"],
      ["backup-check/backup-check/restic", "restic_password", "owner", "backup/restic_password"],
      ["backup-drill/backup-drill/restic", "restic_password", "owner", "backup/restic_password"],
      ["backup-restore/backup-restore/restic", "restic_password", "owner", "backup/restic_password"],
      ["backup-restore/backup-restore/database", "albyhub_database_password", "owner", "albyhub/database_password"],
    ]);
    const hub = output.secrets.find(({ readBy, key }) => readBy.startsWith("albyhub/") && key === "database_password");
    expect(hub?.sameAs).toBe("albyhub/database_password");
    expect(output.notices.map(({ text }) => text)).toContainEqual(expect.stringContaining("on paper"));
  });

  test("ends with a task that tells Nomad what came of it, whatever failed, and is not tried again", () => {
    for (const job of all) {
      const report = groupOf(job)?.Tasks.at(-1);
      expect(report).toMatchObject({
        Name: "report",
        Lifecycle: { Hook: "poststop", Sidecar: false },
        RestartPolicy: { Attempts: 0, Mode: "fail" },
        Identity: { Env: true },
        Env: { NOMAD_API: "http://${attr.unique.network.ip-address}:4646" },
      });
      expect(groupOf(job)?.ReschedulePolicy).toMatchObject({ Attempts: 0, Unlimited: false });
    }
  });

  test("has the identity of Nomad in no task that does not ask Nomad", () => {
    const asking = all.flatMap((job) =>
      (groupOf(job)?.Tasks ?? []).filter(({ Identity }) => Identity).map(({ Name }) => `${job?.ID}/${Name}`),
    );
    expect(asking).toEqual([
      "backup/restic",
      "backup/report",
      "backup-check/report",
      "backup-drill/report",
      "backup-restore/report",
      "backup-copy/report",
    ]);
  });

  test("runs every task as a container without privileges", () => {
    for (const task of all.flatMap((job) => groupOf(job)?.Tasks ?? [])) {
      expect(task.Config).toMatchObject({ cap_drop: ["all"], readonly_rootfs: true, entrypoint: ["sh"] });
      expect(task.User).toBe(
        task.Name === "database" && task.Templates?.[0]?.EmbeddedTmpl?.includes("initdb")
          ? "postgres:3001"
          : "3001:3001",
      );
      expect(task.Resources?.MemoryMaxMB).toBeGreaterThan(task.Resources?.MemoryMB ?? 0);
    }
  });

  test("is applied after its volumes", () => {
    const job = Object.values<{ jobspec: string; depends_on: string[] }>(config.resource.nomad_job).find(
      ({ jobspec }) => jobspec.includes('"ID": "backup"'),
    );
    expect(job?.depends_on).toEqual(
      expect.arrayContaining([
        "nomad_csi_volume_registration.backup",
        "nomad_csi_volume_registration.nomad-snapshots",
        "nomad_csi_volume_registration.albyhub-data",
      ]),
    );
  });

  test("has a volume that several write and that a copy may give up on", () => {
    const volume = output.volumes.find(({ id }) => id === "backup");
    expect(volume).toMatchObject({
      holds: "backup",
      accessMode: "multi-node-multi-writer",
      mountFlags: ["nfsvers=4.1", "soft", "timeo=100", "retrans=2", "noatime"],
      retained: true,
    });
  });
});

describe("Backup, as its owner wants it", () => {
  test("gives user and password of a REST server to restic, as secrets", () => {
    const repositoryKeys = ["RESTIC_REST_USERNAME", "RESTIC_REST_PASSWORD"];
    const { jobs } = synthesize(build({}, { repository: "rest:https://example.org:8000/a@b", repositoryKeys }).stack);
    const script = templateOf(jobs.backup, "local/restic", 1);
    expect(script).toContain("\nREPOSITORY_KEYS='RESTIC_REST_USERNAME RESTIC_REST_PASSWORD'\n");
    expect(script).toContain('  secret "$key" || give_up "$why"\n  export "$key=$value"\n');
    expect(JSON.stringify(taskOf(jobs.backup, "restic")?.Env)).not.toContain('PASSWORD":');
  });

  test("goes elsewhere, with keys of that place, at other times, and keeps other numbers", () => {
    const { jobs, output } = synthesize(
      build(
        {},
        {
          repository: "s3:https://s3.example.org/homelab",
          repositoryKeys: ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
          timeZone: "Europe/Berlin",
          schedule: { backup: "30 */2 * * *" },
          keep: { hourly: 6, monthly: 0 },
          checkSubset: "1/12",
        },
      ).stack,
    );
    const task = taskOf(jobs.backup, "restic");
    expect(task?.Env?.RESTIC_REPOSITORY).toBe("s3:https://s3.example.org/homelab");
    const script = templateOf(jobs.backup, "local/restic", 1);
    expect(script).toContain("\nREPOSITORY_KEYS='AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY'\n");
    expect(script).toContain("\nKEEP_HOURLY='6'\nKEEP_DAILY='7'\nKEEP_WEEKLY='4'\nKEEP_MONTHLY='0'\n");
    expect(templateOf(jobs["backup-check"], "local/restic")).toContain("\nSUBSET='1/12'\n");
    expect(jobs.backup?.Periodic).toMatchObject({ Spec: "30 */2 * * *", TimeZone: "Europe/Berlin" });
    expect(jobs["backup-drill"]?.Periodic).toMatchObject({ Spec: "17 4 1 * *", TimeZone: "Europe/Berlin" });
    expect(output.secrets.filter(({ key }) => key === "AWS_ACCESS_KEY_ID").map(({ sameAs }) => sameAs)).toEqual(
      Array(4).fill("backup/AWS_ACCESS_KEY_ID"),
    );
  });

  test("takes Terraform's state out of PostgreSQL, its schema alone", () => {
    const { jobs } = synthesize(build({ stack: { state: "pg" } }, { terraformState: { user: "tf" } }).stack);
    expect(jobs.backup?.Meta?.sets).toBe("albyhub,terraform,cluster");
    expect(templateOf(jobs.backup, "local/database", 0)).toContain(
      "\nterraform|127.0.0.1|5432|terraform|tf|prefer|terraform_database_password|terraform_homelab'\n",
    );
  });

  test("takes the cluster alone when no service needs more, without a database and without a work directory", () => {
    const built = buildHomelab();
    const { jobs } = synthesize(addBackup(built, { sets: [built.bitcoin.backupSet, built.electrs.backupSet] }).stack);
    expect(
      Object.keys(jobs)
        .filter((id) => id.startsWith("backup"))
        .sort(),
    ).toEqual(["backup", "backup-check", "backup-drill", "backup-restore"]);
    expect(groupOf(jobs.backup)?.Tasks.map(({ Name }) => Name)).toEqual(["restic", "report"]);
    expect(groupOf(jobs["backup-restore"])?.Tasks.map(({ Name }) => Name)).toEqual(["restic", "report"]);
    expect(jobs.backup?.Meta?.sets).toBe("cluster");
  });

  test("says of what it does not take why", () => {
    const { bitcoin, electrs } = buildHomelab();
    expect(bitcoin.backupSet).toEqual({ service: "bitcoin", nothing: expect.stringContaining("no wallet") });
    expect(electrs.backupSet).toEqual({ service: "electrs", nothing: expect.stringContaining("made again") });
  });

  const sets = () => {
    const { stack, plugin } = buildHomelab();
    const volume = (volumeId: string, holds: "funds" | "backup") =>
      new CsiVolume(stack, `x-${volumeId}`, { volumeId, holds, plugin });
    return { volume: volume("other", "funds"), place: volume("backup", "backup") };
  };
  const nameless = {
    address: "127.0.0.1",
    port: 5432,
    user: "u",
    tls: "prefer",
    secret: "s",
    secretDescription: "",
  } as const;

  test.each([
    [
      "an unknown key",
      { repositoryKeys: ["RESTIC_PASSWORD"] },
      'repositoryKeys: "RESTIC_PASSWORD" is no environment variable',
    ],
    [
      "a password in the repository's address",
      { repository: "rest:https://me:secret@example.org/homelab" },
      "repository has a password in its address, which stands in the job",
    ],
    ["a subset without unit", { checkSubset: "10" }, 'checkSubset = "10" must be a percentage, a size or a part'],
    ["a time zone that is none", { timeZone: "Middle-earth/Shire" }, 'timeZone = "Middle-earth/Shire" is none'],
    ["half a schedule", { schedule: { drill: "@monthly" } }, 'schedule.drill = "@monthly" is not five fields; write'],
    [
      "no time of day",
      { schedule: { backup: "99 99 * * *" } },
      'schedule.backup = "99 99 * * *" has "99" in its field',
    ],
    ["a day that never comes", { schedule: { check: "0 0 31 2 *" } }, 'schedule.check = "0 0 31 2 *" never comes'],
    [
      "a database that a shell would read",
      { sets: [{ service: "a", database: { ...nameless, name: "x; rm -rf /" } }] },
      'name = "x; rm -rf /" of a database must be letters',
    ],
    ["half a snapshot", { keep: { daily: 1.5 } }, "keep.daily = 1.5 must be a whole number from 0 to 999"],
    [
      "the state of a stack that keeps it locally",
      { terraformState: {} },
      "its state is local: copy terraform.homelab.tfstate yourself",
    ],
    [
      "a set of its own name",
      { sets: [{ service: "cluster" }] },
      'sets: "cluster" is there twice, or is a name of the backup\'s own',
    ],
    ["a set twice", { sets: [{ service: "a" }, { service: "a" }] }, 'sets: "a" is there twice'],
    [
      "a pattern that leaves the volume",
      { sets: [{ service: "a", files: { volume: sets().volume, include: ["../x"], copies: sets().place } }] },
      'includes "../x"',
    ],
    [
      "a pattern that a shell would run",
      { sets: [{ service: "a", files: { volume: sets().volume, include: ["$(id)"], copies: sets().place } }] },
      'includes "$(id)"',
    ],
  ])("refuses %s", (_, props, message) => {
    expect(() => build({}, props)).toThrow(message);
  });

  test("refuses a hub whose sidecar would not see the copies of its work directory", () => {
    const bare = buildHomelab();
    expect(() => addBackup(bare)).toThrow(
      'homelab/backup-jobs: sets: albyhub has its channel backups copied nowhere, and volume is "backup": pass albyhub the same volume as channelBackups',
    );
    const { stack, plugin } = bare;
    const elsewhere = new CsiVolume(stack, "elsewhere", { volumeId: "elsewhere", holds: "backup", plugin });
    expect(() => build({}, { volume: elsewhere })).toThrow(
      'has its channel backups copied on the volume "backup", and volume is "elsewhere"',
    );
  });

  test("refuses a volume that holds something else, as the place of backups or of snapshots", () => {
    const { albyHubData } = buildHomelab();
    expect(() => build({}, { volume: albyHubData })).toThrow(
      'homelab/backup-jobs: volume = volume "albyhub-data" holds "funds", and this service needs one that holds "backup"',
    );
    expect(() => build({}, { snapshots: albyHubData })).toThrow('snapshots = volume "albyhub-data" holds "funds"');
  });
});

describe("a job of the backup that was changed past its props", () => {
  const changed = (change: (job: Job) => void, id = "backup") => {
    const { stack, backup } = build({ backup: {} });
    change(backup.jobs[id] as Job);
    return () => synthesize(stack);
  };
  const task = (job: Job, name: string) => taskOf(job, name) as NonNullable<ReturnType<typeof taskOf>>;

  test("passes as it is", () => {
    expect(changed(() => {})).not.toThrow();
  });

  test.each([
    [
      "funds",
      "that writes the hub's volume",
      (job: Job) => Object.assign(groupOf(job)?.Volumes?.albyhub ?? {}, { ReadOnly: false }),
      'TaskGroups[backup].Disconnect = not set\n  when a machine is lost, Nomad starts a second writer of volume "albyhub-data", which holds funds',
    ],
    [
      "single-writer",
      "that writes the hub's volume",
      (job: Job) => Object.assign(groupOf(job)?.Volumes?.albyhub ?? {}, { ReadOnly: false }),
      'volume "albyhub-data" is written by homelab/albyhub',
    ],
    [
      "volume-exists",
      "that asks for a volume that is none",
      (job: Job) => Object.assign(groupOf(job)?.Volumes?.backup ?? {}, { Source: "backups" }),
      "is no volume of namespace bitcoin",
    ],
    [
      "stop-chain",
      "that may take longer to stop than the clients allow",
      (job: Job) => Object.assign(task(job, "restic"), { KillTimeout: 20 * 60 * 1e9 }),
      "is longer than the clients honour",
    ],
    [
      "stop-chain",
      "that is killed after Nomad's five seconds while it writes",
      (job: Job) => delete task(job, "restic").KillTimeout,
      "writes a volume, and Nomad's default kills it after 5s",
    ],
    [
      "memory-limits",
      "whose ceiling is above the smallest client",
      (job: Job) => Object.assign(task(job, "restic").Resources ?? {}, { MemoryMaxMB: 9000 }),
      "is more than the smallest client has",
    ],
    [
      "own-secret-path",
      "that reads the hub's secrets",
      (job: Job) =>
        task(job, "database").Templates?.push({
          DestPath: "secrets/x",
          EmbeddedTmpl: '{{ with nomadVar "nomad/jobs/albyhub/albyhub/albyhub" }}{{ .database_password }}{{ end }}',
          ChangeMode: "noop",
        }),
      "nomad/jobs/albyhub/albyhub/albyhub",
    ],
    ["non-root", "that is root", (job: Job) => Object.assign(task(job, "restic"), { User: "root" }), "may run as root"],
    [
      "bridge-networking",
      "on the machine's network",
      (job: Job) => Object.assign(groupOf(job) ?? {}, { Networks: [{ Mode: "host" }] }),
      "host",
    ],
    [
      "placement",
      "that reserves more than a client has left",
      (job: Job) => Object.assign(task(job, "restic").Resources ?? {}, { MemoryMB: 7400, MemoryMaxMB: 7400 }),
      "does not fit, however the services are arranged",
    ],
    [
      "no-secret-in-job",
      "with a password in its environment",
      (job: Job) => Object.assign(task(job, "restic").Env ?? {}, { RESTIC_PASSWORD: "on-paper" }),
      "stands in the job in clear",
    ],
  ])("breaks the rule %s: one %s", (rule, _, change, problem) => {
    const told = changed(change);
    expect(told).toThrow(`(rule ${rule})`);
    expect(told).toThrow(problem);
  });
});

describe("the second place of channel backups", () => {
  test("is written by a sidecar that sees the work directory read-only", () => {
    const built = buildHomelab({ backup: { volumeId: "second" } });
    const group = groupOf(built.albyHub.job);
    expect(group?.Volumes?.second).toMatchObject({ Source: "second", ReadOnly: false });
    expect(taskOf(built.albyHub.job, "channel-backups")).toMatchObject({
      Lifecycle: { Hook: "prestart", Sidecar: true },
      User: "3001:3001",
      Config: { image: BUSYBOX, entrypoint: ["/bin/busybox"], args: ["sh", "/local/channel-backups"] },
      VolumeMounts: [
        { Volume: "data", Destination: "/data", ReadOnly: true },
        { Volume: "second", Destination: "/second", ReadOnly: false },
      ],
    });
  });

  test("breaks no rule, though its group is fenced and the place has several writers", () => {
    const { jobs } = synthesize(addBackup(buildHomelab({ backup: {} })).stack);
    expect(groupOf(jobs.albyhub)?.Volumes?.second).toMatchObject({
      Source: "backup",
      AccessMode: "multi-node-multi-writer",
    });
  });

  test("must hold backups", () => {
    const { albyHubData } = buildHomelab();
    expect(() => buildHomelab({ albyHub: { channelBackups: albyHubData } })).toThrow(
      'homelab/albyhub: channelBackups = volume "albyhub-data" holds "funds", and this service needs one that holds "backup"',
    );
  });

  test("is not there unless it is asked for", () => {
    const { albyHub } = buildHomelab();
    expect(groupOf(albyHub.job)?.Tasks.map(({ Name }) => Name)).not.toContain("channel-backups");
    expect(Object.keys(groupOf(albyHub.job)?.Volumes ?? {})).toEqual(["data"]);
  });
});
