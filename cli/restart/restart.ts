import type { Command } from "commander";
import { stopTime } from "../../model/places";
import type { AllocationStub } from "../../nomad/live";
import { dependantsOf, liveAllocations, type Service, serviceNamed, servicesOf } from "../shared/services";
import { Session } from "../shared/session";
import { restartTasks, untilHealthy } from "../shared/steps";
import { ENVIRONMENT, withOptions } from "../shared/target";
import type { Verb } from "../shared/verb";
import { Interrupted } from "../shared/watch";

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
the order in which they need each other; each must be healthy before the next, and in the end all that need them.

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
  const running = new Map<Service, readonly AllocationStub[]>();
  await session.looking([target], async () => {
    for (const service of chosen) running.set(service, await restartable(client, service));
  });

  for (const service of chosen) {
    const places = (running.get(service) ?? []).map(({ NodeName }) => NodeName).join(", ");
    session.say(`restarts ${service.name} on ${places}; its stop may take ${stopTime(service.group)}`);
  }
  if (dependants.length > 0) session.say(`interrupts what needs it: ${dependants.map(({ name }) => name).join(", ")}`);
  await session.consent(`restart ${chosen.map(({ name }) => name).join(", ")}?`);

  const restarted: Restarted[] = [];
  const healthy: string[] = [];
  await session
    .watch(async (watch) => {
      for (const service of chosen) {
        for (const allocation of running.get(service) ?? []) {
          watch.check();
          const since = Date.now();
          watch.tell(`waiting for ${service.name} to stop, which may take ${stopTime(service.group)}`);
          await restartTasks(client, service, allocation);
          const { ID, NodeName, owner } = await untilHealthy(watch, client, service, { started: since });
          const seconds = Math.round((Date.now() - since) / 1000);
          restarted.push({ service: service.name, allocation: ID, node: NodeName, seconds });
          session.say(
            `${service.name} is ${owner ? `up again after ${seconds} s; ${owner}` : `healthy again after ${seconds} s`}`,
          );
        }
      }
      const checked = Date.now();
      for (const service of dependants) {
        if ((await liveAllocations(client, service)).length === 0) continue;
        await untilHealthy(watch, client, service, { checked });
        healthy.push(service.name);
        session.say(`${service.name} is healthy`);
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

/** @throws when there is nothing to restart, or its machine is away. */
async function restartable(client: Parameters<typeof liveAllocations>[0], service: Service): Promise<AllocationStub[]> {
  const live = (await liveAllocations(client, service)).filter(({ DesiredStatus }) => DesiredStatus === "run");
  if (live.length === 0)
    throw new Error(`${service.name} does not run; homelab status says why, and a deploy starts it`);
  const away = live.find(({ ClientStatus }) => ClientStatus === "unknown");
  if (away)
    throw new Error(`${service.name} is unknown, because its machine ${away.NodeName} is away; wait until it is back`);
  return live;
}
