import { type Command, CommanderError } from "commander";
import type { Job } from "../../.gen/nomad/job";
import { BEFORE_UPGRADE } from "../../model/backup-jobs";
import { stopTime } from "../../model/places";
import { dispatch, forcePeriodic } from "../../nomad/batch";
import type { NomadClient } from "../../nomad/client";
import type { JobRef } from "../../nomad/live";
import { deletePause, type Pause, writePause } from "../../nomad/pause";
import { scaleGroup, wantedCount } from "../../nomad/scale";
import { refuseDeployment, type Service, serviceNamed, servicesOf } from "../shared/services";
import { Session } from "../shared/session";
import { untilNoRun, untilStopped } from "../shared/steps";
import { type Target, withOptions } from "../shared/target";
import { reasonOf, type Watch } from "../shared/watch";
import { lastWritersOf, refuseHiddenWriters } from "../shared/writers";
import { backupJob } from "./jobs";
import { resultsOf, setsOf } from "./results";
import { assertCanRun, follow, kindOf, type Outcome, outcomeText } from "./run";
import { refuseWhileItRuns } from "./stopped";

const HELP = `
Stops the service cleanly, runs a backup, and copies its work directory to before-upgrade/<service> of the backup's volume;
never into the repository, because the live state of Lightning channels must not be where one restores by habit. Then the
service stays stopped: change its image in main.ts, npm run plan, npm run deploy, which starts it. As soon as its Lightning
node has run the copy is stale, and is removed by itself. When the upgrade never ran, homelab backup restore <service>
--work-directory puts the copy back.

Meanwhile a pause is on, which keeps deploys out. When the backup or the copy fails, the service is started again as it was;
interrupted, it stays stopped, and homelab resume starts it. Nothing is stopped while an allocation of the service is unknown
or its machine is away. Exit codes: 0 stopped and copied, 1 an error, a
failure, or interrupted, and then it says whether the service runs. With --json, standard output is
{ service, copy, snapshot, runs: [{ run, allocation, node, succeeded, seconds, failedTask, log }] }.`;

export function registerBeforeUpgrade(command: Command): void {
  withOptions(command.command("before-upgrade <service>"))
    .summary("stop Alby Hub and copy its work directory, before its image is changed")
    .description("Stops a service, backs it up and copies its work directory, for an upgrade that may fail.")
    .option("--yes", "do not ask")
    .addHelpText("after", HELP)
    .action((service: string, _options: unknown, self: Command) => beforeUpgrade(service, new Session(self)));
}

/** The services whose work directory the job backup-copy mounts: each under the id of its job. */
export function copied(target: Target): string[] {
  const { TaskGroups } = backupJob(target, "backup-copy");
  return TaskGroups.flatMap(({ Volumes }) => Object.keys(Volumes ?? {})).filter((name) => name !== "backup");
}

/** The service of that name, when there is a copy of it to be had. @throws when there is none. */
export function copiedService(target: Target, name: string): Service {
  const service = serviceNamed(servicesOf(target), name);
  const names = copied(target);
  if (!names.includes(service.job.ID)) {
    throw new Error(
      `nothing of ${name} is copied before an upgrade: what it holds comes back by itself; copied are ${names.join(", ")}`,
    );
  }
  return service;
}

/** Before it is stopped. @throws while anything speaks against it. @returns how many instances it has. */
async function mayBegin(client: NomadClient, service: Service, jobs: readonly Job[]): Promise<number> {
  for (const one of jobs) await assertCanRun(client, one);
  await refuseHiddenWriters(client, [service]);
  await refuseDeployment(client, service);
  return wantedCount(client, service);
}

async function beforeUpgrade(name: string, session: Session): Promise<void> {
  const target = session.target();
  const { client } = target;
  const [copyJob, backupNow] = [backupJob(target, "backup-copy"), backupJob(target, "backup")];
  const service = copiedService(target, name);
  const { job, group } = service;
  const look = () => mayBegin(client, service, [copyJob, backupNow]);
  const count = await session.looking([target], look);
  session.say(
    `stops ${service.name}, which may take ${stopTime(service.group)}, and keeps it stopped until the next deploy`,
  );
  await session.consent(`stop ${service.name}, back it up and copy its work directory?`);
  // Whoever was asked may have taken an hour.
  if ((await session.looking([target], look)) !== count) {
    throw new Error(`the count of ${service.name} has changed since you were asked; nothing was stopped, run it again`);
  }

  // A pause of its own: no deploy starts the service while its directory is copied, and what wrote last is remembered.
  let pause: Pause = {
    reason: `before an upgrade of ${service.name}`,
    since: new Date().toISOString(),
    groups: count > 0 ? [{ namespace: job.Namespace, job: job.ID, group: group.Name, count }] : [],
    writers: await lastWritersOf(client, [service]),
  };
  let index = await writePause(client, pause, 0);
  const stays = `a pause is on, which keeps deploys out; homelab resume starts ${service.name} as it was`;
  const waiting = <T>(work: (watch: Watch) => Promise<T>): Promise<T> =>
    session.watch(work).catch((error: unknown) => {
      throw new Error(`${reasonOf(error)}; ${stays}`);
    });
  await waiting(async (watch) => {
    if (count > 0) await scaleGroup(client, service, 0, "before an upgrade");
    await untilStopped(watch, client, service);
    pause = { ...pause, writers: [] };
    index = await writePause(client, pause, index);
    session.say(`${service.name} is stopped`);
  });
  const runs: Outcome[] = [];
  const run = async (what: string, of: Job, begin: () => Promise<JobRef>): Promise<void> => {
    // The clock may have begun one since it was looked at, and two at once are worth less than one.
    await waiting(async (watch) => {
      await untilNoRun(watch, client, of);
      await assertCanRun(client, of, { allowPaused: true });
      await refuseWhileItRuns(client, service);
    });
    const outcome = await follow(session, client, kindOf(of), begin).catch((error: Error) => {
      throw new Error(`${error.message}; ${stays}`);
    });
    runs.push(outcome);
    if (!session.json) session.write(outcomeText(what, outcome));
    if (outcome.succeeded) return;
    // Nothing reads its directory any more.
    await waiting(() => refuseHiddenWriters(client, [service]));
    if (count > 0) await scaleGroup(client, service, count, `${what} before an upgrade failed`);
    await deletePause(client, index);
    session.say(
      `${service.name} is ${count > 0 ? "started again as it was" : "stopped, as it was before"}; do not upgrade it now`,
    );
    session.print({ service: service.name, runs });
    throw new CommanderError(1, "homelab.failed", `${what} failed`);
  };
  await run("the backup", backupNow, () => forcePeriodic(client, backupNow));
  // The hourly runs go on, and the newest dump is soon that of a database that the new version has migrated.
  const snapshot = (await setsOf(client, [job.ID]))[0]?.snapshot;
  await run("the copy", copyJob, () => dispatch(client, copyJob, { job: job.ID, ...(snapshot && { snapshot }) }));
  // What ran while it was copied has torn the copy.
  await waiting(() => refuseWhileItRuns(client, service));
  await deletePause(client, index);
  const startAgain = `nomad job scale -namespace ${job.Namespace} ${job.ID} ${group.Name} ${count || 1}`;
  const { done } = await resultsOf(client, "backup-copy");
  const time = done?.sets.find((set) => set.name === job.ID)?.time ?? "<time>";
  const copy = `${BEFORE_UPGRADE}/${job.ID}/${time}`;
  session.say(`the work directory of ${service.name} is in ${copy} of the backup's volume
next: change its image in main.ts, npm run plan, npm run deploy, which starts it; when its Lightning node runs, the copy goes
if the new version never runs: homelab backup restore ${job.ID} --work-directory, and the database as it is in snapshot ${snapshot ?? "<unknown>"}: docs/recovery.md
not to upgrade after all: ${startAgain}`);
  session.print({ service: service.name, copy, ...(snapshot && { snapshot }), runs });
}
