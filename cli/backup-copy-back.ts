import { type Command, CommanderError } from "commander";
import type { Job } from "../.gen/nomad/job";
import type { NomadClient } from "../nomad/client";
import { allocationsOf, capability, type JobRef } from "../nomad/live";
import { wantedCount } from "../nomad/scale";
import { copiedService } from "./backup-before-upgrade";
import { backupJob } from "./backup-jobs";
import type { RestoreOptions } from "./backup-restore";
import { resultsOf } from "./backup-results";
import { follow, mainTask, outcomeText } from "./backup-run";
import { ageText } from "./backup-text";
import { liveAllocations, type Service } from "./services";
import { confirmName } from "./steps";
import { print, type Target } from "./target";
import { WIDTH, wrap } from "./text";

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
export async function copyBack(name: string, options: RestoreOptions, command: Command, target: Target): Promise<void> {
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
  const say = (text: string) => {
    if (!options.json) command.configureOutput().writeOut?.(`${wrap(text, WIDTH).join("\n")}\n`);
  };
  const age = ageText(Math.max(0, Math.round((Date.now() - done.at) / 1000)));
  say(`the copy of ${service.name}'s work directory is ${age} old, of ${new Date(done.at).toISOString()}`);
  const starts = await startsSince(client, service, done.at);
  say(
    starts === 0
      ? `${service.name} was not started since, as far as Nomad remembers`
      : `${service.name} was started ${starts} times since: has its Lightning node run? A copy that is stale removes itself, but look at its log`,
  );
  say(WARNING);
  await confirmName(service.job.ID, options);
  const back = copyBackJob(template, service.job.ID, copy.time);
  const outcome = await follow(command, client, { main: mainTask(back) }, () => register(client, back));
  print(
    command,
    options,
    { ...outcome, service: service.name, copy: `before-upgrade/${service.job.ID}/${copy.time}` },
    () => outcomeText("putting the copy back", outcome),
  );
  if (!outcome.succeeded) throw new CommanderError(1, "homelab.failed", "the copy was not put back");
  say(`${service.name} stays stopped; next: the old image in main.ts, npm run plan, npm run deploy, which starts it`);
}

async function refuseWhileItRuns(client: NomadClient, service: Service): Promise<void> {
  const [count, live] = await Promise.all([wantedCount(client, service), liveAllocations(client, service)]);
  const [first] = live;
  const remedy = `stop it first: nomad job scale -namespace ${service.job.Namespace} ${service.job.ID} ${service.group.Name} 0`;
  if (count > 0)
    throw new Error(`${service.name} is meant to run, and nothing is written beneath a running hub; ${remedy}`);
  if (first) {
    throw new Error(
      `${service.name} is ${first.ClientStatus} on ${first.NodeName}, and nothing is written beneath it; wait for its end`,
    );
  }
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

/** Whole copies alone have a SHA256SUMS. It is checked before anything is moved, and again when all is back. */
export function copyBackScript(service: string, time: string): string {
  return `say() { echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $*"; }
refuse() { say "refuses: $*" >&2; exit 1; }
copy=/backup/before-upgrade/${service}/${time}
live=/data/${service}
aside=$live/.before-restore-$(date -u +%Y%m%dT%H%M%SZ)
[ -f "$copy/SHA256SUMS" ] || refuse "there is no copy before-upgrade/${service}/${time} any more: it goes when the Lightning node has run since it was made, and then it would be stale"
(cd "$copy" && sha256sum -c SHA256SUMS) >/dev/null || refuse "the copy is damaged: a file is not as its checksum says"
say "the copy of ${time} is whole"
mkdir "$aside" || refuse "cannot write to the volume of ${service}"
for entry in "$live"/* "$live"/.[!.]*; do
  case $entry in
    "$live"/.before-restore-* | "$live"/lost+found | "$live/*" | "$live/.[!.]*") ;;
    *) mv "$entry" "$aside"/ || refuse "cannot move $entry aside; what was moved is in $aside" ;;
  esac
done
say "what was there is moved to \${aside##*/} in the volume of ${service}"
for entry in "$copy"/* "$copy"/.[!.]*; do
  case $entry in
    "$copy"/SHA256SUMS | "$copy/*" | "$copy/.[!.]*") ;;
    *) cp -a "$entry" "$live"/ || refuse "cannot copy $entry; what was there is in $aside" ;;
  esac
done
sync
(cd "$live" && sha256sum -c "$copy/SHA256SUMS") >/dev/null || refuse "what was written is not as the copy; what was there is in $aside"
say "the work directory is back as it was at ${time}, $(wc -l < "$copy/SHA256SUMS") files"
`;
}
