import type { Command } from "commander";
import { PENALTY_WINDOW_NEAR, PENALTY_WINDOW_TEXT } from "../../model/penalty-window";
import { stopTime } from "../../model/places";
import type { NomadClient } from "../../nomad/client";
import { Duration } from "../../nomad/duration";
import { deploymentOf, isRunning } from "../../nomad/live";
import {
  deletePause,
  groupIn,
  type LastWriter,
  PAUSE,
  type Pause,
  type PausedGroup,
  pauseOf,
  pauseText,
  writePause,
} from "../../nomad/pause";
import { scaleGroup, wantedCount } from "../../nomad/scale";
import { readVariable } from "../../nomad/variable";
import { periodicOf, refuseDeployment, type Service, servicesOf } from "../shared/services";
import { Session } from "../shared/session";
import { untilHealthy, untilNoRun, untilStopped, upText } from "../shared/steps";
import { ENVIRONMENT, withOptions } from "../shared/target";
import { ageText } from "../shared/text";
import type { Verb } from "../shared/verb";
import { reasonOf } from "../shared/watch";
import { lastWritersOf, refuseHiddenWriters } from "../shared/writers";

const HELP_PAUSE = `
Periodic jobs, such as backups, start no more, and one that runs is waited for. Then services of type "service" are scaled to
0, those that need others first; CSI plugins stay. How many instances each had is
kept in the Nomad variable ${PAUSE.path} of the namespace ${PAUSE.namespace}, which also makes drift, the review and npm run
deploy know of the pause, and so is what ran, until its end was seen. Interrupted, or stopped by an error, another run goes
on from there.

Nothing is stopped while an allocation is unknown or its machine is away: nobody could see its end, and after the pause a
second one would start beside it.

Exit codes: 0 all are stopped, 1 an error or interrupted. With --json, standard output is
{ pause: { reason, since, groups }, stopped: [service] }. With ACLs it takes scale-job in the namespaces, and read and
write of that variable.
${ENVIRONMENT}`;

const HELP_RESUME = `
Starts what homelab pause stopped, each with as many instances as it had, what others need first, and waits until each is
healthy before the next. The pause is over when all are. Nothing is started while something may still write out of sight:
an allocation that is unknown, or one that was told to stop and whose machine went away before its end was seen, also when
Nomad has forgotten both.

Exit codes: 0 all are healthy, or there was no pause, 1 an error or interrupted. With --json, standard output is
{ started: [service] }. With ACLs it takes scale-job in the namespaces, and read, write and destroy of the variable.
${ENVIRONMENT}`;

export const pause: Verb = {
  examples: [['homelab pause --reason "a new disk for the NAS"', "stop all services in order, and remember them"]],
  register: (program: Command) =>
    withOptions(program.command("pause"))
      .summary("stop all services in order, for maintenance of the NAS")
      .description("Stops all services, dependants first, and keeps them stopped until homelab resume.")
      .requiredOption("--reason <text>", "why; shown by drift, the review and a refused deploy")
      .option("--yes", "do not ask")
      .addHelpText("after", HELP_PAUSE)
      .action(({ reason }: { readonly reason: string }, command: Command) => begin(reason, new Session(command))),
};

export const resume: Verb = {
  examples: [["homelab resume", "start again what homelab pause stopped, and wait until it is healthy"]],
  register: (program: Command) =>
    withOptions(program.command("resume"))
      .summary("start again what a pause stopped")
      .description("Starts what homelab pause stopped, in order of dependency, and ends the pause.")
      .addHelpText("after", HELP_RESUME)
      .action((_options: unknown, command: Command) => end(new Session(command))),
};

/** How things stand before a pause, or in the middle of one. */
interface Look {
  readonly existing: Pause | undefined;
  readonly modifyIndex: number;
  /** What would be remembered, and has instances. */
  readonly groups: readonly PausedGroup[];
}

async function begin(reason: string, session: Session): Promise<void> {
  const target = session.target();
  const { client } = target;
  const periodic = periodicOf(target);
  const services = servicesOf(target).filter(({ job, isPlugin }) => !isPlugin && (job.Type ?? "service") === "service");
  const all = [...services, ...periodic];
  const look = async (): Promise<Look> => {
    const { items, modifyIndex } = await readVariable(client, PAUSE);
    const existing = pauseOf(items);
    await refuseHiddenWriters(client, all, existing?.writers).catch((error: Error) => {
      throw new Error(
        `${existing ? `${pauseText(existing)}; it cannot go on: ` : ""}${error.message}; nothing was stopped`,
      );
    });
    return { existing, modifyIndex, groups: existing?.groups ?? (await countsOf(client, all)) };
  };
  const { existing, groups, modifyIndex } = await session.looking([target], look);
  // First what starts by the clock: a backup that ends now is whole, and none begins while its volume goes away.
  const stopping = all.filter((service) => groupIn(groups, service)).reverse();
  if (existing) session.say(`${pauseText(existing)}; goes on with it`);
  for (const service of stopping) {
    const how = periodic.includes(service)
      ? "from now on it does not start"
      : `which may take ${stopTime(service.group)}`;
    session.say(`stops ${service.name}, ${how}`);
  }
  for (const { name } of stopping.filter(({ program }) => program === "Alby Hub")) {
    const begun = existing ? `, which began ${ageText(secondsSince(existing.since))} ago` : "";
    session.say(
      `during the pause${begun}, nobody watches the channels of ${name}: ${PENALTY_WINDOW_TEXT}; resume it within ${PENALTY_WINDOW_NEAR}`,
    );
  }
  await session.consent(`stop ${stopping.map(({ name }) => name).join(", ") || "nothing, and keep deploys out"}?`);
  // Whoever was asked may have taken an hour.
  const now = await session.looking([target], look);
  if (now.modifyIndex !== modifyIndex || JSON.stringify(now.groups) !== JSON.stringify(groups)) {
    throw new Error("what runs has changed since you were asked; nothing was stopped, run it again");
  }

  // Written before anything is stopped: whatever happens then, it is known how to go back, and who wrote last.
  const writers = await lastWritersOf(client, stopping);
  let begun: Pause = {
    ...(existing ?? { reason, since: new Date().toISOString(), groups }),
    writers: [...without(existing?.writers ?? [], writers), ...writers],
  };
  let index = await writePause(client, begun, modifyIndex);
  const stopped: string[] = [];
  await session
    .watch(async (watch) => {
      for (const service of stopping) {
        watch.check();
        await refuseHiddenWriters(client, [service], begun.writers);
        // What was waited for may have taken an hour, and this may run elsewhere by now.
        const fresh = without(await lastWritersOf(client, [service]), begun.writers);
        if (fresh.length > 0) {
          begun = { ...begun, writers: [...begun.writers, ...fresh] };
          index = await writePause(client, begun, index);
        }
        if ((await wantedCount(client, service)) !== 0) await scaleGroup(client, service, 0, `paused: ${begun.reason}`);
        await (periodic.includes(service)
          ? untilNoRun(watch, client, service.job)
          : untilStopped(watch, client, service));
        const left = begun.writers.filter((one) => !groupIn([{ ...one, count: 0 }], service));
        if (left.length < begun.writers.length) {
          begun = { ...begun, writers: left };
          index = await writePause(client, begun, index);
        }
        stopped.push(service.name);
        session.say(`${service.name} is stopped`);
      }
    })
    .catch((error: unknown) =>
      fail(error, "stopped", stopped, stopping, "homelab pause goes on, homelab resume goes back"),
    );
  session.say("the pause is on; homelab resume ends it");
  session.print({ pause: begun, stopped });
}

/** Those whose allocations are not among the others. */
function without(writers: readonly LastWriter[], others: readonly LastWriter[]): LastWriter[] {
  return writers.filter(({ allocation }) => !others.some((one) => one.allocation === allocation));
}

async function end(session: Session): Promise<void> {
  const target = session.target();
  const { client } = target;
  const periodic = periodicOf(target);
  const { existing, modifyIndex, starting, running } = await session.looking([target], async () => {
    const { items, modifyIndex } = await readVariable(client, PAUSE);
    const existing = pauseOf(items);
    const starting = [...servicesOf(target), ...periodic].filter((one) => groupIn(existing?.groups ?? [], one));
    if (existing) refuseStrangers(existing, starting);
    // At everything first: what was started before something is refused would run without what it needs.
    await refuseHiddenWriters(client, starting, existing?.writers).catch((error: Error) => {
      throw new Error(`${error.message}; nothing was started, and the pause stays on`);
    });
    const counts = await Promise.all(starting.map((service) => wantedCount(client, service)));
    return { existing, modifyIndex, starting, running: starting.filter((_, at) => counts[at] !== 0) };
  });
  const started: string[] = [];
  if (existing) {
    if (running.length > 0) {
      session.say(
        `goes on: ${running.map(({ name }) => name).join(", ")} ${running.length > 1 ? "are" : "is"} started already`,
      );
    }
    await session
      .watch(async (watch) => {
        for (const service of starting) {
          watch.check();
          const { count } = groupIn(existing.groups, service) as PausedGroup;
          const stopped = (await wantedCount(client, service)) === 0;
          // One that was told to stop may take its time still.
          if (stopped && !periodic.includes(service)) await untilStopped(watch, client, service);
          await refuseHiddenWriters(client, [service], existing.writers);
          const since = Date.now();
          if (stopped) await scaleGroup(client, service, count, "resumed");
          if (periodic.includes(service)) {
            started.push(service.name);
            session.say(`${service.name} starts by the clock again`);
            continue;
          }
          const up = await untilHealthy(watch, client, service, stopped ? { started: since } : {});
          started.push(service.name);
          session.say(`${service.name} is ${upText(up)}`);
        }
        // While one runs, Nomad refuses another pause.
        for (const { name, job } of starting) {
          await watch.until(`the deployment of ${name} to end`, LONGEST_DEPLOYMENT, async () => {
            const deployment = await deploymentOf(client, job);
            return deployment && isRunning(deployment) ? undefined : true;
          });
        }
      })
      .catch((error: unknown) =>
        fail(error, "up", started, starting, "the pause stays on; homelab resume goes on, homelab status says more"),
      );
    await deletePause(client, modifyIndex);
  }
  session.say(existing ? "the pause is over" : "no pause is on");
  session.print({ started });
}

/** They are healthy by then; Nomad waits for its own minimum. */
const LONGEST_DEPLOYMENT = Duration.minutes(10);

/** What would be forgotten when the pause ends. */
function refuseStrangers({ groups }: Pause, starting: readonly Service[]): void {
  const unknown = groups.filter((group) => !starting.some((service) => groupIn([group], service)));
  if (unknown.length === 0) return;
  const names = unknown.map(
    ({ namespace, job, group, count }) => `${job}/${group} in namespace ${namespace} (${count})`,
  );
  throw new Error(
    `the pause stopped what this code does not know: ${names.join(", ")}; start it with nomad job scale, then delete the ` +
      `variable ${PAUSE.path}, or run this where it is known`,
  );
}

/** 0 when it cannot be told. */
function secondsSince(time: string): number {
  return Math.max(0, Math.round((Date.now() - Date.parse(time)) / 1000)) || 0;
}

/** What runs now. @throws while a deployment runs. */
async function countsOf(client: NomadClient, services: readonly Service[]): Promise<PausedGroup[]> {
  const groups = await Promise.all(
    services.map(async (service): Promise<PausedGroup[]> => {
      const count = await wantedCount(client, service);
      if (count === 0) return [];
      await refuseDeployment(client, service);
      return [{ namespace: service.job.Namespace, job: service.job.ID, group: service.group.Name, count }];
    }),
  );
  return groups.flat();
}

function fail(error: unknown, state: string, done: readonly string[], all: readonly Service[], next: string): never {
  const left = all.map(({ name }) => name).filter((name) => !done.includes(name));
  const where = `${state}: ${done.join(", ") || "nothing"}; not, or not yet: ${left.join(", ") || "nothing"}; ${next}`;
  throw new Error(`${reasonOf(error)}; ${where}`);
}
