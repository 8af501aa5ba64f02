import { type Command, CommanderError } from "commander";
import type { NomadClient } from "../../nomad/client";
import { Duration } from "../../nomad/duration";
import { type AllocationStub, isLive, type NodeStub, nodesOf, placedAllocations } from "../../nomad/live";
import { type LiveVolume, volumeOf } from "../../nomad/volume";
import { type Service, servicesOf } from "../shared/services";
import { Session } from "../shared/session";
import { ENVIRONMENT, type Target, withOptions } from "../shared/target";
import { type Style, WIDTH, wrap } from "../shared/text";
import type { Verb } from "../shared/verb";
import { reasonOf } from "../shared/watch";

/** What hangs on a machine that is away, as `--json` prints it. */
interface Loss {
  readonly node: string;
  readonly status: string;
  /** `job allocation` of what may still run there. */
  readonly allocations: readonly string[];
  /** Ids of the volumes that it holds a claim to write to. */
  readonly claims: readonly string[];
  /** Whether it was purged, and everything runs elsewhere now. */
  readonly purged: boolean;
  /** By volume: who writes it now. */
  readonly writers?: Readonly<Record<string, readonly string[]>>;
  /** From the purge until all had one writer. */
  readonly seconds?: number;
}

/** Nomad frees the claims of a node that is gone after 5 min (`csi_volume_claim_gc`), and tries a placement again a minute later. */
const LONGEST_CLAIM = Duration.minutes(15);

const HELP = `
For a machine that will never come back. Until then its services wait, because a second writer of a volume is worse: so
make sure that it is off, by its plug, and that nobody switches it on again with its old disk. Without
--confirm-powered-off it only shows what hangs on the machine.

Then the machine is purged from Nomad, its claims come free after about six minutes, and it is verified that every volume
has exactly one writer. Interrupted, it can be run again; the purge itself cannot be undone, but a machine that was purged
by mistake registers anew.

Exit codes: 0 done, 1 an error or interrupted, 2 nothing was done because the confirmation is missing. With --json,
standard output is { node, status, allocations, claims, purged, writers, seconds }. It takes the policy "write" for nodes, and
"read-job" and "csi-read-volume" in the namespaces: the policy patcher of the server role. Without ACLs Nomad 2.0.5 frees no
claim of a node that is gone: its server logs "Permission denied" for csi-volume-claim-gc.
${ENVIRONMENT}`;

export const nodeLost: Verb = {
  examples: [
    ["homelab node-lost pinode3", "what hangs on a machine that is away; changes nothing"],
    [
      "homelab node-lost pinode3 --confirm-powered-off",
      "give it up: purge it, and wait until its volumes are written elsewhere",
    ],
  ],
  register: (program: Command) =>
    withOptions(program.command("node-lost <node>"))
      .summary("give up a machine that will not come back")
      .description("Shows what a machine that is away holds, and with your confirmation gives it up.")
      .option("--confirm-powered-off", "you have made sure that the machine is off and stays off")
      .addHelpText("after", HELP)
      .action((name: string, { confirmPoweredOff }: { readonly confirmPoweredOff?: true }, command: Command) =>
        run(name, confirmPoweredOff === true, new Session(command)),
      ),
};

async function run(name: string, isPoweredOff: boolean, session: Session): Promise<void> {
  const target = session.target();
  const { client } = target;
  const [nodes, allocations, volumes] = await session.looking([target], () =>
    Promise.all([nodesOf(client), placedAllocations(client), volumesOf(target, client)]),
  );
  const node = lostNode(nodes, name);
  if (!node && !isPoweredOff) {
    throw new Error(
      `there is no node ${name}; there are ${nodes
        .map(({ Name }) => Name)
        .toSorted()
        .join(", ")}`,
    );
  }
  const services = writers(target);
  const held = allocations.filter(({ NodeID, ...one }) => NodeID === node?.ID && isLive(one));
  const claims = volumes.filter(({ WriteAllocs }) => held.some(({ ID }) => ID in (WriteAllocs ?? {})));
  const loss: Loss = {
    node: name,
    status: node?.Status ?? "purged",
    allocations: held.map(({ JobID, ID }) => `${JobID} ${ID.slice(0, 8)}`),
    claims: claims.map(({ ID }) => ID),
    purged: node === undefined,
  };
  if (node && !isPoweredOff) {
    session.print(loss, (style) => lossText(loss, style));
    throw new CommanderError(2, "homelab.unconfirmed", "not confirmed");
  }
  const since = Date.now();
  if (node) {
    session.say(
      `${name} is ${node.Status}; on it: ${loss.allocations.join(", ") || "nothing"}; claims: ${loss.claims.join(", ") || "none"}`,
    );
    await purge(client, node);
    session.say(`${name} is purged; its claims come free in about six minutes`);
  }
  let found: Record<string, string[]> = {};
  await session
    .watch((watch) =>
      watch.until("every volume to have one writer", LONGEST_CLAIM, async () => {
        const state = await writersOf(client, services);
        found = state.writers;
        const tell = Object.entries(found).map(([volume, who]) => `${volume}: ${who.join(" and ") || "nobody yet"}`);
        watch.tell(`waiting for every volume to have one writer; ${tell.join("; ")}`);
        if (state.tooMany)
          throw new Error(`${state.tooMany} has two writers: stop one of them at once with homelab pause`);
        return Object.values(found).every((who) => who.length === 1) || undefined;
      }),
    )
    .catch((error: unknown) => {
      const where = `${name} is purged; run it again to go on waiting, homelab status says more`;
      throw new Error(`${reasonOf(error)}; ${where}`);
    });
  const seconds = Math.round((Date.now() - since) / 1000);
  const done: Loss = { ...loss, purged: true, writers: found, seconds };
  session.print(done, () => doneText(done));
}

/** Undefined for a node that is purged already. @throws when it is not lost, or was never there. */
function lostNode(nodes: readonly NodeStub[], name: string): NodeStub | undefined {
  const named = nodes.filter(({ Name, ID }) => Name === name || ID === name);
  const [node, ...more] = named;
  if (more.length > 0)
    throw new Error(`${name} is several nodes: ${named.map(({ ID }) => ID).join(", ")}; give the id`);
  if (node && (node.Status === "ready" || node.Status === "initializing")) {
    throw new Error(`${name} is ${node.Status}, not lost; to take it out of service, drain it`);
  }
  return node;
}

function purge(client: NomadClient, { ID }: NodeStub): Promise<unknown> {
  return client.put(["node", ID, "purge"], {}, { needs: 'the policy "write" for nodes' });
}

/** A service with a volume that it writes. */
interface Writer {
  readonly service: Service;
  readonly volume: { readonly id: string; readonly namespace: string };
}

/** Services that should run, and write a volume. */
function writers(target: Target): Writer[] {
  return servicesOf(target).flatMap((service) =>
    Object.values(service.group.Volumes ?? {})
      .filter(({ Type, ReadOnly }) => Type === "csi" && ReadOnly !== true)
      .map(({ Source }) => ({ service, volume: { id: Source, namespace: service.job.Namespace } })),
  );
}

async function volumesOf({ homelab }: Target, client: NomadClient): Promise<LiveVolume[]> {
  const found = await Promise.all(homelab.volumes.map(({ id, namespace }) => volumeOf(client, id, namespace)));
  return found.filter((volume) => volume !== undefined);
}

/** Who runs, by the volume that they write: allocations that may be alive, whatever is claimed. */
async function writersOf(client: NomadClient, writers: readonly Writer[]) {
  const found: Record<string, string[]> = {};
  let tooMany: string | undefined;
  const all = await placedAllocations(client);
  for (const { service, volume } of writers) {
    const { job, group } = service;
    const mine = (one: AllocationStub) =>
      one.JobID === job.ID && one.Namespace === job.Namespace && one.TaskGroup === group.Name && isLive(one);
    const running = all.filter((one) => mine(one) && one.ClientStatus === "running");
    if (running.length > 1) tooMany = volume.id;
    // It writes when its main task runs; what comes before that only prepares.
    const writing = running.filter(({ TaskStates }) => TaskStates?.[service.main.Name]?.State === "running");
    const names = [...(found[volume.id] ?? []), ...writing.map(({ JobID, NodeName }) => `${JobID} on ${NodeName}`)];
    found[volume.id] = names;
    if (names.length > 1) tooMany = volume.id;
  }
  return { writers: found, tooMany };
}

function lossText({ node, status, allocations, claims }: Loss, { bold, red }: Style): string {
  const lines = [
    `${bold(node)} is ${red(status)}`,
    `  may still run there: ${allocations.join(", ") || "nothing"}`,
    `  volumes claimed by it: ${claims.join(", ") || "none"}`,
    ...wrap(
      "If it comes back, all this goes on by itself: wait. If it never will: pull its plug, and run this again with " +
        "--confirm-powered-off. Were it still on, two would write one volume, which can cost money.",
      WIDTH - 2,
    ).map((line) => `  ${line}`),
  ];
  return `${lines.join("\n")}\n`;
}

function doneText({ writers = {}, seconds }: Loss): string {
  const lines = Object.entries(writers).map(([volume, who]) => `  ${volume}: ${who.join(", ")}`);
  return `every volume has exactly one writer, after ${seconds} s\n${lines.map((line) => `${line}\n`).join("")}`;
}
