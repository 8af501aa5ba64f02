import type { Command } from "commander";
import { PENALTY_WINDOW_TEXT } from "../../model/penalty-window";
import { stopTime } from "../../model/places";
import type { NomadClient } from "../../nomad/client";
import type { AllocationStub } from "../../nomad/live";
import { pauseText, readPause } from "../../nomad/pause";
import { electrs, endpointOf } from "../shared/programs";
import { dependantsOf, liveAllocations, type Service, serviceNamed, servicesOf } from "../shared/services";
import { Session } from "../shared/session";
import { restartTasks, untilHealthy, upText } from "../shared/steps";
import { ENVIRONMENT, withOptions } from "../shared/target";
import type { Verb } from "../shared/verb";
import { Interrupted } from "../shared/watch";
import { hiddenWritersOf, refuseHiddenWriters } from "../shared/writers";

/** What was restarted, as `--json` prints it. */
interface Restarted {
  readonly service: string;
  readonly allocation: string;
  readonly node: string;
  /** From the request until it was healthy again. */
  readonly seconds: number;
}

const HELP = `
Services are named by job, by job/group, or by a name they register in Nomad. Several are restarted one after another, in
the order in which they need each other; each must be healthy before the next, and in the end all that need them. Nothing
is restarted while an allocation of one of them is unknown, being stopped, or on a machine that is away.

Exit codes: 0 all are healthy again, 1 an error or interrupted. With --json, standard output is
{ restarted: [{ service, allocation, node, seconds }], healthy: [service] }. Ctrl-C ends it between two steps.

The tasks are restarted where they are, with the image that is there: a pinned image is not pulled again. For another
image change its tag or digest and deploy; forcePull: true pulls at each start. With ACLs it takes alloc-lifecycle.
${ENVIRONMENT}`;

export const restart: Verb = {
  examples: [
    ["homelab restart electrs", "restart a service where it is, and wait until it is healthy again"],
    ["homelab restart bitcoin electrs --yes", "several, in the order in which they need each other, without asking"],
  ],
  register: (program: Command) =>
    withOptions(program.command("restart <service...>"))
      .summary("restart services and wait until they are healthy")
      .description(
        "Says what a restart interrupts, asks, restarts in order of dependency, and waits for honest health.",
      )
      .option("--yes", "do not ask")
      .addHelpText("after", HELP)
      .action((names: readonly string[], _options: unknown, command: Command) => run(names, new Session(command))),
};

async function run(names: readonly string[], session: Session): Promise<void> {
  const target = session.target();
  const { client } = target;
  const services = servicesOf(target);
  const named = names.map((name) => serviceNamed(services, name));
  const chosen = services.filter((one) => named.includes(one));
  const dependants = dependantsOf(services, chosen);
  const look = () => restartable(client, chosen);
  const running = await session.looking([target], look);

  for (const service of chosen) {
    const places = (running.get(service) ?? []).map(({ NodeName }) => NodeName).join(", ");
    session.say(`restarts ${service.name} on ${places}; its stop may take ${stopTime(service.group)}`);
  }
  if (dependants.length > 0) session.say(`interrupts what needs it: ${dependants.map(({ name }) => name).join(", ")}`);
  for (const hub of dependants.filter(({ program }) => program === "Alby Hub")) {
    for (const index of chosen.filter(({ program }) => program === "electrs")) {
      const { known, ready } = await electrs(endpointOf(index, running.get(index)?.[0], "electrum"));
      if (known && ready) continue;
      const how = known ? "has no complete index yet" : "does not answer, so it may have to index";
      session.say(
        `${index.name} ${how}: until it has, ${hub.name} waits, and nobody watches its channels; ${PENALTY_WINDOW_TEXT}, and homelab status says how long is left`,
      );
    }
  }
  await session.consent(`restart ${chosen.map(({ name }) => name).join(", ")}?`);
  // Whoever was asked may have taken an hour.
  await session.looking([target], look);

  const restarted: Restarted[] = [];
  const healthy: string[] = [];
  await session
    .watch(async (watch) => {
      for (const service of chosen) {
        // What it waited for before may have taken as long.
        const allocations = (await restartable(client, [service])).get(service) ?? [];
        for (const allocation of allocations) {
          watch.check();
          const since = Date.now();
          watch.tell(`waiting for ${service.name} to stop, which may take ${stopTime(service.group)}`);
          await restartTasks(client, service, allocation);
          const up = await untilHealthy(watch, client, service, { started: since });
          const seconds = Math.round((Date.now() - since) / 1000);
          restarted.push({ service: service.name, allocation: up.ID, node: up.NodeName, seconds });
          session.say(`${service.name} is ${upText(up, ` again after ${seconds} s`)}`);
        }
      }
      const checked = Date.now();
      for (const service of dependants) {
        const away = (await hiddenWritersOf(client, [service])).length > 0;
        if (away) session.say(`${service.name} cannot be seen now; homelab status says more`);
        if (away || (await liveAllocations(client, service)).length === 0) continue;
        const up = await untilHealthy(watch, client, service, { checked });
        if (!up.owner) healthy.push(service.name);
        session.say(`${service.name} is ${upText(up)}`);
      }
    })
    .catch((error: unknown) => {
      const done = restarted.map(({ service }) => service).join(", ") || "nothing";
      const left = chosen.map(({ name }) => name).filter((name) => !restarted.some(({ service }) => service === name));
      const where = `healthy again: ${done}${left.length > 0 ? `; not, or not yet: ${left.join(", ")}` : ""}`;
      if (error instanceof Interrupted) throw new Error(`interrupted; ${where}`);
      throw new Error(`${(error as Error).message}; ${where}; see homelab status`);
    });
  session.print({ restarted, healthy });
}

/** What runs of each service. @throws when there is nothing to restart, or something may write out of sight. */
async function restartable(
  client: NomadClient,
  services: readonly Service[],
): Promise<ReadonlyMap<Service, readonly AllocationStub[]>> {
  const pause = await readPause(client);
  await refuseHiddenWriters(client, services, pause?.writers);
  const found = await Promise.all(
    services.map(async (service) => {
      const live = await liveAllocations(client, service);
      const stopping = live.find(({ DesiredStatus }) => DesiredStatus !== "run");
      if (stopping) throw new Error(`${service.name} is being stopped on ${stopping.NodeName}; wait for its end`);
      if (live.length === 0) {
        throw new Error(
          `${service.name} does not run; ${pause ? pauseText(pause) : "homelab status says why, and a deploy starts it"}`,
        );
      }
      return [service, live] as const;
    }),
  );
  return new Map(found);
}
