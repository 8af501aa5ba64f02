import { secondPlace } from "../../rules/second-place";
import { type Draft, findings } from "./homelab";

const NAS = "192.168.68.50";

const found = (change: (draft: Draft) => void) =>
  findings(secondPlace, change).map(({ place, value }) => `${place} = ${value}`);

const backupTask = ({ backup }: Draft) => {
  const task = backup.job.TaskGroups[0]?.Tasks[0];
  if (!task?.Env) throw new Error("the draft has no backup");
  return { ...task, Env: task.Env };
};

/** A homelab whose backup volume is on the server of the funds, and whose repository is somewhere. */
const withRepository = (repository: string, { funds = NAS }: { funds?: string | undefined } = {}) =>
  found((draft) => {
    const server = funds ?? NAS;
    draft.backupVolume.source = { server, share: "/mnt/second/backup" };
    draft.albyhub.volume.source = funds ? { server, share: "/mnt/data" } : undefined;
    backupTask(draft).Env.RESTIC_REPOSITORY = repository;
  });

describe(secondPlace.statement, () => {
  test("a hub that is in no backup, or left out of one, is refused", () => {
    const text = "backupSet = of albyhub, in no Backup";
    expect(found(({ jobs }) => void jobs.pop())).toEqual([text]);
    expect(found(({ backup }) => Object.assign(backup.job, { Meta: { sets: "albyhub2,cluster" } }))).toEqual([text]);
    expect(found(({ backup }) => Object.assign(backup.job, { Namespace: "other" }))).toEqual([text]);
  });

  test("a hub whose channel backups are copied nowhere is refused", () => {
    const text = "channelBackups = none";
    expect(found(({ albyhub }) => delete albyhub.group.Volumes?.second)).toEqual([text]);
    expect(found(({ albyhub }) => Object.assign(albyhub.group.Volumes?.second ?? {}, { ReadOnly: true }))).toEqual([
      text,
    ]);
  });

  test("all of it on the server of the funds is refused, however that is spelled", () => {
    const text = `backups = ${NAS}:/mnt/second/backup and ${NAS}:/mnt/second/backup`;
    expect(withRepository("/backup/restic")).toEqual([text]);
    expect(withRepository("local:/backup/../backup/restic")).toEqual([text]);
    const [finding] = findings(secondPlace, ({ backupVolume }) => {
      backupVolume.source = { server: `${NAS}.`, share: "/other-disk" };
    });
    expect(finding?.problem).toBe(`all of it is on ${NAS}, which holds the channels, and is lost with them`);
  });

  test.each([
    `sftp:me@${NAS}:/srv/restic`,
    `rest:http://${NAS}:8000/hub`,
    `s3:${NAS}:9000/restic`,
    `s3:http://${NAS}:9000/restic`,
  ])("%s is on that server", (repository) => {
    expect(withRepository(repository)).toEqual([expect.stringContaining(`backups = ${repository} and `)]);
  });

  test.each([
    "rest:http://nas.local:8000/hub",
    "rest:http://nas:8000/hub",
    "s3:http://minio:9000/restic",
    "s3:minio:9000/restic",
    "sftp:backup-host:/srv/restic",
    "rclone:remote:hub",
    "rest:http://localhost:8000/",
    "s3:http://127.0.0.1:9000/restic",
    "/local/restic",
    "/backups/restic",
    "restic",
  ])("%s is not known to be another server", (repository) => {
    expect(withRepository(repository)).toEqual([expect.stringContaining(`backups = ${repository} and `)]);
  });

  test.each([
    "s3:https://s3.eu-central-003.backblazeb2.com/my-backup",
    "s3:s3.amazonaws.com/my-backup",
    "b2:my-backup:hub",
    "rest:https://me@restic.a-friend.example:8000/hub",
    "rest:https://192.168.68.51:8000/hub",
    "sftp:me@192.168.68.51:/srv/restic",
    "sftp://me@[fd00::2]:22//srv/restic",
    "azure:hub:/",
  ])("%s is a second place", (repository) => {
    const funds = repository.includes("fd00") ? "fd00::1" : NAS;
    expect(withRepository(repository, { funds })).toEqual([]);
  });

  test("the channel backups alone elsewhere are enough, and so is the repository", () => {
    expect(
      found((draft) => Object.assign(backupTask(draft).Env, { RESTIC_REPOSITORY: `rest:http://${NAS}/` })),
    ).toEqual([]);
    expect(withRepository("b2:my-backup:hub")).toEqual([]);
  });

  test("a volume whose server nobody tells is no second place, and has none", () => {
    expect(found(({ backupVolume }) => Object.assign(backupVolume, { source: undefined, managed: false }))).toEqual([
      'backups = volume "backup", whose server nobody tells and volume "backup", whose server nobody tells',
    ]);
    expect(found(({ albyhub }) => Object.assign(albyhub.volume, { source: undefined, managed: false }))).toHaveLength(
      1,
    );
    expect(
      found(({ backupVolume }) => Object.assign(backupVolume, { source: { server: "nas.local", share: "/x" } })),
    ).toHaveLength(1);
  });

  test("what holds no funds needs none", () => {
    expect(
      found(({ albyhub, jobs }) => {
        albyhub.volume.holds = "index";
        jobs.pop();
      }),
    ).toEqual([]);
  });
});
