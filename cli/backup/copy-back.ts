import { CommanderError } from "commander";
import type { Job } from "../../.gen/nomad/job";
import { BEFORE_UPGRADE } from "../../model/backup-jobs";
import type { NomadClient } from "../../nomad/client";
import { allocationsOf, capability, ifThere, type JobRef } from "../../nomad/live";
import { LOST_AFTER } from "../../rules/shared/fence";
import type { Service } from "../shared/services";
import type { Session } from "../shared/session";
import type { Target } from "../shared/target";
import { ageText, WIDTH, wrap } from "../shared/text";
import { copiedService } from "./before-upgrade";
import { copyBackScript } from "./copy-back-script";
import { backupJob } from "./jobs";
import { resultsOf } from "./results";
import { follow, mainTask, outcomeText } from "./run";
import { refuseWhileItRuns } from "./stopped";

const WARNING = `A Lightning channel has one valid state, the newest. Whoever starts a node from an older one can lose all \
that is in the channel, because the peer may take it as an attempt to cheat. This copy is good only if the Lightning node \
has not run since it was made, not even for a minute. If it has, or you are not sure, do not go on: keep the hub stopped, \
and close the channels by the static channel backup, with the recovery phrase and Alby's recovery tool. The peers then \
close them with the newest state, and the money comes back on chain. docs/recovery.md has the steps.`;

/**
 * Puts back the work directory that `before-upgrade` copied, of a service that is stopped. What is there is moved aside in
 * the service's volume, not deleted.
 *
 * @throws when the service runs or may run, or there is no copy.
 */
export async function copyBack(name: string, session: Session, target: Target): Promise<void> {
  const { client } = target;
  const template = backupJob(target, "backup-copy");
  const service = copiedService(target, name);
  await refuseWhileItRuns(client, service);
  const { done } = await resultsOf(client, "backup-copy");
  const copy = done?.sets.find((set) => set.name === service.job.ID);
  if (!done || !copy?.time) {
    throw new Error(
      `there is no copy of ${service.name}: homelab backup before-upgrade ${service.job.ID} makes one, before an upgrade`,
    );
  }
  const age = ageText(Math.max(0, Math.round((Date.now() - done.at) / 1000)));
  session.say(`the copy of ${service.name}'s work directory is ${age} old, of ${new Date(done.at).toISOString()}`);
  const starts = await startsSince(client, service, done.at);
  session.say(
    starts === 0
      ? `${service.name} was not started since, as far as Nomad remembers`
      : `${service.name} was started ${starts} times since: has its Lightning node run? If its Lightning state has changed, nothing is put back`,
  );
  session.say(wrap(WARNING, WIDTH).join("\n"));
  await session.confirmName(service.job.ID);
  // Whoever was asked may have taken an hour.
  await refuseWhileItRuns(client, service);
  const back = copyBackJob(template, service.job.ID, copy.time);
  const outcome = await follow(session, client, { main: mainTask(back) }, () => register(client, back)).catch(
    async (error: Error) => {
      throw await withdrawn(client, back, error);
    },
  );
  // One that failed can still be looked at; neither runs again.
  await withdraw(client, back, outcome.succeeded);
  session.print({ ...outcome, service: service.name, copy: `${BEFORE_UPGRADE}/${service.job.ID}/${copy.time}` }, () =>
    outcomeText("putting the copy back", outcome),
  );
  if (!outcome.succeeded) throw new CommanderError(1, "homelab.failed", "the copy was not put back");
  session.say(
    `${service.name} stays stopped; next: the old image in main.ts, npm run plan, npm run deploy, which starts it`,
  );
}

/** How many allocations have started its main task since. */
async function startsSince(client: NomadClient, { job, main }: Service, since: number): Promise<number> {
  const allocations = await allocationsOf(client, job);
  return allocations.filter(({ TaskStates }) => Date.parse(TaskStates?.[main.Name]?.StartedAt ?? "") > since).length;
}

async function register(client: NomadClient, job: Job): Promise<JobRef> {
  await client.put(
    ["jobs"],
    { Job: job },
    { namespace: job.Namespace, needs: capability("submit-job", job.Namespace) },
  );
  return { ID: job.ID, Namespace: job.Namespace };
}

/**
 * What becomes of the job when nobody waits for it any more: before it has a place it is withdrawn, since it would run
 * whenever the service lets go of its volume, in an hour or in a month.
 */
async function withdrawn(client: NomadClient, job: Job, error: Error): Promise<Error> {
  try {
    if ((await allocationsOf(client, job)).length > 0) return error;
    await withdraw(client, job, true);
    // What else it says is of a run that goes on.
    const [why] = error.message.split("; ");
    return new Error(`${why}; ${job.ID} had not begun and is withdrawn, so nothing was written`);
  } catch (second) {
    const remedy = `nomad job stop -purge -namespace ${job.Namespace} ${job.ID}`;
    return new Error(`${error.message}; and it may still be in Nomad (${(second as Error).message}): ${remedy}`);
  }
}

async function withdraw(client: NomadClient, job: Job, purge: boolean): Promise<void> {
  await ifThere(
    client.delete(["job", job.ID], {
      namespace: job.Namespace,
      query: { purge },
      needs: capability("submit-job", job.Namespace),
    }),
  );
}

/**
 * A job that runs once and writes a copy back: the job backup-copy with the service's volume to write instead of to read,
 * and another script. It claims the volume as its writer, so it cannot run beside the service.
 */
export function copyBackJob(template: Job, service: string, time: string): Job {
  const { ParameterizedJob: _, ...job } = structuredClone(template);
  const id = `backup-copy-back-${Math.floor(Date.now() / 1000)}`;
  const [group] = job.TaskGroups;
  const main = group?.Tasks.find(({ Lifecycle }) => !Lifecycle);
  const request = group?.Volumes?.[service];
  const script = main?.Templates?.find(({ DestPath }) => DestPath === `local/${main.Name}`);
  if (!group || !main || !request || !script) {
    throw new Error(
      `the job ${template.ID} is not as new Backup(…) makes it: it has no volume ${service}, or no script`,
    );
  }
  const { backup } = group.Volumes ?? {};
  return {
    ...job,
    ID: id,
    Name: id,
    TaskGroups: [
      {
        ...group,
        Name: id,
        // A lost machine may come back and go on writing, so nothing is started in its place.
        Disconnect: { LostAfter: LOST_AFTER.toNanoseconds(), Replace: false, Reconcile: "keep_original" },
        RestartPolicy: { Attempts: 0, Mode: "fail" },
        ReschedulePolicy: { Attempts: 0, Unlimited: false },
        Volumes: { [service]: { ...request, ReadOnly: false }, ...(backup && { backup }) },
        Tasks: [
          {
            ...main,
            Templates: [{ ...script, EmbeddedTmpl: copyBackScript(service, time) }],
            VolumeMounts: (main.VolumeMounts ?? [])
              .filter(({ Volume }) => Volume === service || Volume === "backup")
              .map((mount) => ({ ...mount, ReadOnly: mount.Volume !== service })),
          },
        ],
      },
    ],
  };
}
