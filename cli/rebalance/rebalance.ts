import { type Command, CommanderError } from "commander";
import { stopTime } from "../../model/places";
import type { NomadClient } from "../../nomad/client";
import {
  type AllocationStub,
  capability,
  deploymentOf,
  isLive,
  isRunning,
  type NodeStub,
  nodesOf,
  placedAllocations,
} from "../../nomad/live";
import { pauseText, readPause } from "../../nomad/pause";
import { offeredBy, reservedBy } from "../../nomad/resources";
import { volumeOf } from "../../nomad/volume";
import { unsettled } from "../shared/program-status";
import { dependantsOf, isOf, type Service, servicesOf } from "../shared/services";
import { Session } from "../shared/session";
import { healthyDeadline, untilHealthy, upText } from "../shared/steps";
import { ENVIRONMENT, type Target, withOptions } from "../shared/target";
import { type Cell, type Style, table, WIDTH, wrap } from "../shared/text";
import type { Verb } from "../shared/verb";
import { reasonOf } from "../shared/watch";
import { hiddenWritersOf } from "../shared/writers";
import { betterFor, type Machine, type Movable, type Move, movesOf } from "./spread";

/** A move as `--json` prints it. */
interface Planned extends Move {
  /** The longest it may be away: its kill timeout and its healthy deadline, in seconds. */
  readonly atMost: number;
  /** Where Nomad really placed it, and how long it was away; absent before it was moved. */
  readonly placed?: string;
  readonly seconds?: number;
}

const HELP = `
Only single services are moved, no CSI plugins, and only where the placement becomes more even by Nomad's own measure.
Nomad decides where a service goes: after each move it is read where that was, and if the service went back nothing more is
moved. What others need moves first; each must be healthy before the next, and at the end what needs it.

Refused while a deployment runs, a claim is stuck, bitcoind starts or is in its initial sync, a machine is draining or down,
an allocation is unknown, pending or being stopped, something may still write on a machine that is away, or a pause is on.

Exit codes: 0 as even as it gets, or moved, 1 an error, a service that went back, or interrupted, 2 refused. With --json,
standard output is { moves: [{ service, from, to, atMost, placed, seconds }], refusals: [text] }. With ACLs it takes
alloc-lifecycle beside the policy reader: the policy deployer.
${ENVIRONMENT}`;

export const rebalance: Verb = {
  examples: [
    ["homelab rebalance --dry-run", "which services would move where, and how long they may be away"],
    ["homelab rebalance", "shows that, asks, and moves them one at a time"],
  ],
  register: (program: Command) =>
    withOptions(program.command("rebalance"))
      .summary("spread the services over the machines again")
      .description(
        "Moves services to emptier machines, one at a time, in order of dependency, each healthy before the next.",
      )
      .option("--dry-run", "only show what would be moved")
      .option("--yes", "do not ask")
      .addHelpText("after", HELP)
      .action(({ dryRun }: { readonly dryRun?: true }, command: Command) => run(new Session(command), dryRun === true)),
};

async function run(session: Session, dryRun: boolean): Promise<void> {
  const target = session.target();
  const { client } = target;
  const before = await session.looking([target], () => look(target));
  const { moves, after } = movesOf(before.machines, before.movables);
  const planned = moves.map((move): Planned => ({ ...move, atMost: atMost(before.serviceOf(move.service)) }));
  if (!session.json) session.write(planText(before, planned, after, session.style));
  const ends = before.refusals.length > 0 || moves.length === 0 || dryRun;
  if (ends) session.print({ moves: planned, refusals: before.refusals });
  if (before.refusals.length > 0) throw new CommanderError(2, "homelab.refused", "refused");
  if (ends) return;
  await session.consent(`move ${moves.map(({ service }) => service).join(", ")}?`);

  const done: Planned[] = [];
  await session
    .watch(async (watch) => {
      for (const move of planned) {
        watch.check();
        // What stood before the last move may have changed.
        const { refusals, machines, movables, serviceOf, allocationOf } = await look(target);
        if (refusals.length > 0) throw new Error(refusals.join("; "));
        const service = serviceOf(move.service);
        const movable = movables.find(({ name }) => name === move.service);
        if (!movable || betterFor(machines, movables, movable) === undefined) {
          session.say(`${move.service} stays: to move it would not make it more even any more`);
          continue;
        }
        const since = Date.now();
        await stop(client, allocationOf(move.service));
        const there = await untilHealthy(watch, client, service, { started: since });
        const seconds = Math.round((Date.now() - since) / 1000);
        done.push({ ...move, placed: there.NodeName, seconds });
        session.say(`${move.service} is ${upText(there, ` on ${there.NodeName}, after ${seconds} s`)}`);
        if (there.NodeName === move.from) throw new Error(`Nomad placed ${move.service} on ${move.from} again`);
        const checked = Date.now();
        for (const dependant of dependantsOf(before.services, [service])) {
          if (!before.movables.some(({ name }) => name === dependant.name)) continue;
          await untilHealthy(watch, client, dependant, { checked });
        }
      }
    })
    .catch((error: unknown) => {
      const left = planned.filter(({ service }) => !done.some((one) => one.service === service));
      const where = `moved: ${done.map(({ service }) => service).join(", ") || "nothing"}; not, or not yet: ${
        left.map(({ service }) => service).join(", ") || "nothing"
      }; another run plans anew`;
      throw new Error(`${reasonOf(error)}; ${where}`);
    });
  session.print({ moves: done, refusals: [] });
}

function stop(client: NomadClient, { ID, Namespace }: AllocationStub): Promise<unknown> {
  return client.put(
    ["allocation", ID, "stop"],
    {},
    {
      namespace: Namespace,
      needs: capability("alloc-lifecycle", Namespace),
    },
  );
}

function atMost(service: Service): number {
  return stopTime(service.group).plus(healthyDeadline(service)).toSeconds();
}

/** How things stand. */
interface Placement {
  readonly services: readonly Service[];
  readonly machines: readonly Machine[];
  /** In order of dependency. */
  readonly movables: readonly Movable[];
  /** Why nothing may be moved now. */
  readonly refusals: readonly string[];
  readonly serviceOf: (name: string) => Service;
  readonly allocationOf: (name: string) => AllocationStub;
}

async function look(target: Target): Promise<Placement> {
  const { client } = target;
  const services = servicesOf(target);
  const [nodes, all] = await Promise.all([nodesOf(client), placedAllocations(client)]);
  const live = all.filter(isLive);
  const found = new Map<string, { service: Service; allocation: AllocationStub }>();
  for (const service of services) {
    const [allocation, ...more] = live.filter((one) => isOf(service, one));
    const single = (service.job.Type ?? "service") === "service" && !service.isPlugin && more.length === 0;
    if (single && allocation) found.set(service.name, { service, allocation });
  }
  const movables = [...found].map(([name, { allocation }]) => ({
    name,
    ...reservedBy([allocation]),
    on: allocation.NodeName,
  }));
  const moving = new Set([...found.values()].map(({ allocation }) => allocation.ID));
  const staying = live.filter(({ ID }) => !moving.has(ID));
  const pick = (name: string) => {
    const one = found.get(name);
    if (!one) throw new Error(`${name} does not run any more`);
    return one;
  };
  return {
    services,
    machines: nodes.filter(takesJobs).map((node) => machineOf(node, staying)),
    movables,
    refusals: await refusalsOf(target, nodes, live, services),
    serviceOf: (name) => pick(name).service,
    allocationOf: (name) => pick(name).allocation,
  };
}

function takesJobs({ Status, SchedulingEligibility, Drain }: NodeStub): boolean {
  return Status === "ready" && SchedulingEligibility === "eligible" && !Drain;
}

function machineOf(node: NodeStub, staying: readonly AllocationStub[]): Machine {
  const taken = reservedBy(staying.filter(({ NodeID }) => NodeID === node.ID));
  return { name: node.Name, ...offeredBy(node), takenCpu: taken.cpu, takenMemory: taken.memory };
}

async function refusalsOf(
  { client, homelab }: Target,
  nodes: readonly NodeStub[],
  live: readonly AllocationStub[],
  services: readonly Service[],
): Promise<string[]> {
  const jobs = [...new Map(services.map(({ job }) => [`${job.Namespace}/${job.ID}`, job])).values()];
  const isOwn = (id: string, namespace: string) => jobs.some((job) => job.ID === id && job.Namespace === namespace);
  const node = services.find(({ program }) => program === "Bitcoin Core");
  const running = live.find((one) => one.JobID === node?.job.ID && one.Namespace === node.job.Namespace);
  const pause = await readPause(client);
  const [hidden, deployments, volumes, unready] = await Promise.all([
    hiddenWritersOf(client, services, pause?.writers),
    Promise.all(jobs.map((job) => deploymentOf(client, job))),
    Promise.all(homelab.volumes.map(({ id, namespace }) => volumeOf(client, id, namespace))),
    node && running?.ClientStatus === "running" ? unsettled(client, node, running) : undefined,
  ]);
  const stuck = volumes.flatMap((volume) => {
    const dead = Object.keys(volume?.WriteAllocs ?? {}).filter((id) => !live.some(({ ID }) => ID === id));
    return volume && dead.length > 0 ? [`${volume.ID} is claimed by an allocation that has ended`] : [];
  });
  return [
    ...(pause ? [pauseText(pause)] : []),
    ...nodes.filter(({ Status }) => Status !== "ready").map(({ Name, Status }) => `${Name} is ${Status}`),
    ...nodes.filter(({ Drain }) => Drain).map(({ Name }) => `${Name} is draining`),
    ...live
      .filter(
        ({ ClientStatus, JobID, Namespace }) =>
          ClientStatus === "unknown" || (ClientStatus === "pending" && isOwn(JobID, Namespace)),
      )
      .map(({ JobID, ClientStatus }) => `an allocation of ${JobID} is ${ClientStatus}`),
    ...live
      .filter(({ DesiredStatus, JobID, Namespace }) => DesiredStatus !== "run" && isOwn(JobID, Namespace))
      .map(({ JobID }) => `an allocation of ${JobID} is being stopped`),
    // Those that Nomad calls unknown are told above.
    ...hidden.filter(({ reason }) => reason !== "unknown").map(({ problem }) => problem),
    ...deployments.flatMap((one) => (one && isRunning(one) ? [`a deployment of ${one.JobID} is ${one.Status}`] : [])),
    ...stuck,
    ...(unready ? [`${node?.name} must be left alone: ${unready}`] : []),
  ];
}

function planText(before: Placement, moves: readonly Planned[], after: readonly Movable[], style: Style): string {
  const { bold, red, green, dim } = style;
  const on = (services: readonly Movable[], machine: string) =>
    services
      .filter(({ on }) => on === machine)
      .map(({ name }) => name)
      .join(", ") || dim("nothing");
  const rows = before.machines.map(({ name }): Cell[] => [[name], [on(before.movables, name)], [on(after, name)]]);
  const columns = [{ title: "MACHINE" }, { title: "NOW" }, { title: "THEN" }];
  const told = moves.map(
    ({ service, from, to, atMost }) =>
      `${service} from ${from} to ${to}: away for its stop and start, at most ${atMost} s`,
  );
  const refusals = before.refusals.flatMap((text) => wrap(`${red("refused")}: ${text}`, WIDTH, "  "));
  const verdict = moves.length === 0 ? [green("nothing to move: no move would make it more even")] : told;
  return `${[bold("Placement"), ...table(columns, rows, style), ...verdict, ...refusals].join("\n")}\n`;
}
