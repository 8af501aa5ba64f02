import { type Command, CommanderError } from "commander";
import { PENALTY_WINDOW_TEXT } from "../../model/penalty-window";
import type { NomadClient } from "../../nomad/client";
import { Duration } from "../../nomad/duration";
import { type AllocationStub, isLive, type NodeStub, nodeOf, nodesOf, placedAllocations } from "../../nomad/live";
import { NomadError } from "../../nomad/nomad-error";
import { type LastWriter, PAUSE, pauseOf, writePause } from "../../nomad/pause";
import { wantedCount } from "../../nomad/scale";
import { readVariable } from "../../nomad/variable";
import { type LiveVolume, volumeOf } from "../../nomad/volume";
import { isOf, type Service, servicesOf } from "../shared/services";
import { Session } from "../shared/session";
import { ENVIRONMENT, type Target, withOptions } from "../shared/target";
import { type Style, WIDTH, wrap } from "../shared/text";
import type { Verb } from "../shared/verb";
import { reasonOf } from "../shared/watch";
import { type Asked, addressOf, ask, distinct, ownAddresses, type Place, placeOf } from "./ask";

/** What hangs on a machine that is away, as `--json` prints it. */
interface Loss {
  readonly node: string;
  readonly status: string;
  /** `job allocation` of what may still run there. */
  readonly allocations: readonly string[];
  /** Ids of the volumes that it holds a claim to write to. */
  readonly claims: readonly string[];
  /** Where the machine was asked whether it is on, and what it said. */
  readonly asked: readonly { readonly address: string; readonly what: string; readonly answer: Asked["answer"] }[];
  /** Whether it was purged, and everything runs elsewhere now. */
  readonly purged: boolean;
  /** By volume: who writes it now. */
  readonly writers?: Readonly<Record<string, readonly string[]>>;
  /** From the purge until all had one writer. */
  readonly seconds?: number;
}

/** Nomad frees the claims of a node that is gone after 5 min (`csi_volume_claim_gc`), and tries a placement again a minute later. */
const LONGEST_CLAIM = Duration.minutes(15);

/** How often a machine that was given up is asked whether it is on after all. */
const ASK_AGAIN = Duration.seconds(15);

const HELP = `
For a machine that will never come back. Until then its services wait, because a second writer of a volume is worse: so
make sure that it is off, by its plug, and that nobody switches it on again with its old disk. Without
--confirm-powered-off it only shows what hangs on the machine.

With it the machine itself is asked first: the agent, the ports that Nomad names for its allocations, and SSH. Any answer, a
refused connection too, refuses; only silence from all of them passes. Run it in the same network: where the other machines
that are well are silent as well, it refuses, and where there is no other, it warns that nothing proves the silence.

Then the machine is purged from Nomad, its claims come free after about six minutes, and it is verified that every volume
has exactly one writer. Interrupted, it can be run again; the purge itself cannot be undone, but a machine that was purged
by mistake registers anew.

Exit codes: 0 done, 1 an error or interrupted, 2 nothing was done because the confirmation is missing. With --json,
standard output is { node, status, allocations, claims, asked: [{ address, what, answer }], purged, writers, seconds }. It
takes the policy "write" for nodes, "read-job" and "csi-read-volume" in the namespaces, and read and write of the variable
${PAUSE.path}, where a pause remembers what ran: the policy patcher of the server role. Without ACLs Nomad 2.0.5 frees no
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
  const [nodes, allocations, volumes, pause] = await session.looking([target], () =>
    Promise.all([nodesOf(client), placedAllocations(client), volumesOf(target, client), rememberedPause(client)]),
  );
  const node = lostNode(nodes, name);
  const isIts = ({ NodeID, NodeName }: AllocationStub) =>
    node ? NodeID === node.ID : (NodeName === name || NodeID === name) && !nodes.some(({ ID }) => ID === NodeID);
  const remembered = (pause?.pause?.writers ?? []).filter((one) => isOn(one, name, node));
  if (!node && !(isPoweredOff && (remembered.length > 0 || allocations.some(isIts)))) {
    throw new Error(
      `there is no node ${name}; there are ${nodes
        .map(({ Name }) => Name)
        .toSorted()
        .join(", ")}`,
    );
  }
  const held = allocations.filter((one) => isIts(one) && isLive(one));
  const claims = volumes.filter(({ WriteAllocs }) => held.some(({ ID }) => ID in (WriteAllocs ?? {})));
  const places = await placesOf(client, node, allocations.filter(isIts), remembered);
  const asked = await session.looking([target], () => ask(places));
  const loss: Loss = {
    node: name,
    status: node?.Status ?? "purged",
    allocations: held.map(({ JobID, ID }) => `${JobID} ${ID.slice(0, 8)}`),
    claims: claims.map(({ ID }) => ID),
    asked: asked.map((one) => ({ address: addressOf(one), what: one.what, answer: one.answer })),
    purged: node === undefined,
  };
  if (!isPoweredOff) {
    const hubs = servicesOf(target).filter(
      ({ program, job }) =>
        program === "Alby Hub" && held.some((one) => one.JobID === job.ID && one.Namespace === job.Namespace),
    );
    session.print(loss, (style) => lossText(loss, asked, hubs, style));
    throw new CommanderError(2, "homelab.unconfirmed", "not confirmed");
  }
  const since = Date.now();
  if (node) {
    session.say(
      `${name} is ${node.Status}; on it: ${loss.allocations.join(", ") || "nothing"}; claims: ${loss.claims.join(", ") || "none"}`,
    );
  }
  refuseAnswers(name, asked);
  if (node || remembered.length > 0) await refuseDeafness(session, client, name, nodes, asked);
  session.say(`${name} is silent everywhere: asked ${asked.map(placeText).join(", ") || "nowhere"}`);
  if (node) {
    // To ask took its time: it may have come back.
    if (!lostNode(await nodesOf(client), name)) throw new Error(`${name} was purged by somebody else; run it again`);
    await purge(client, node);
    session.say(`${name} is purged; its claims come free in about six minutes`);
  }
  if (pause === undefined) {
    session.warn(
      "the token may not read whether a pause is on; should one remember what ran on this machine, homelab resume refuses: run this again with a token that may read and write it",
    );
  } else if (pause.pause && remembered.length > 0) {
    const writers = pause.pause.writers.filter((one) => !remembered.includes(one));
    await writePause(client, { ...pause.pause, writers }, pause.modifyIndex);
    session.say(`the pause forgets what ran on ${name}`);
  }
  const services = await meantToRun(client, writers(target));
  let found: Record<string, string[]> = {};
  let askedAt = Date.now();
  await session
    .watch((watch) =>
      watch.until("every volume to have one writer", LONGEST_CLAIM, async () => {
        const state = await writersOf(client, services);
        found = state.writers;
        const tell = Object.entries(found).map(([volume, who]) => `${volume}: ${who.join(" and ") || "nobody yet"}`);
        watch.tell(`waiting for every volume to have one writer; ${tell.join("; ")}`);
        if (state.tooMany)
          throw new Error(`${state.tooMany} has two writers: stop one of them at once with homelab pause`);
        if (Date.now() - askedAt > ASK_AGAIN.toMilliseconds()) {
          askedAt = Date.now();
          const [back] = (await ask(places)).filter(isAnswer);
          if (back) throw new Error(`${name} is back and answers at ${placeText(back)}: pull its plug at once`);
        }
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

/** Whether a remembered allocation was on this machine. */
function isOn({ nodeId, node: machine }: LastWriter, name: string, node: NodeStub | undefined): boolean {
  return node ? nodeId === node.ID : machine === name || nodeId === name;
}

/** The pause, with the index that it is changed by; undefined when the token may not read it. */
async function rememberedPause(client: NomadClient) {
  try {
    const { items, modifyIndex } = await readVariable(client, PAUSE);
    return { pause: pauseOf(items), modifyIndex };
  } catch (error) {
    if (error instanceof NomadError && error.status === 403) return undefined;
    throw error;
  }
}

/** Wherever the machine would answer: its agent, the ports of its allocations, SSH. */
async function placesOf(
  client: NomadClient,
  node: NodeStub | undefined,
  allocations: readonly AllocationStub[],
  remembered: readonly LastWriter[],
): Promise<Place[]> {
  const agent = node && (await nodeOf(client, node.ID))?.HTTPAddr;
  const known = [
    agent && placeOf(agent, "its Nomad agent"),
    ...allocations.flatMap(({ JobID, AllocatedResources }) =>
      (AllocatedResources?.Shared.Ports ?? []).map(({ HostIP, Value, Label }) =>
        placeOf(`${ANY.test(HostIP) ? (node?.Address ?? "") : HostIP}:${Value}`, `port ${Label} of ${JobID}`),
      ),
    ),
    ...remembered.flatMap(({ job, addresses }) => addresses.map((address) => placeOf(address, `agent, or ${job}`))),
  ].filter((place) => place !== undefined && place !== "");
  const hosts = [...new Set([...(node?.Address ? [node.Address] : []), ...known.map(({ host }) => host)])];
  return distinct([...known, ...hosts.map((host) => ({ host, port: SSH, what: "SSH" }))]);
}

/** Every interface, which is no address to ask. */
const ANY = /^(?:0\.0\.0\.0|::|)$/;

const SSH = 22;

function isAnswer({ answer }: Asked): boolean {
  return answer === "answers" || answer === "refused";
}

function placeText(place: Asked): string {
  const refused =
    place.answer === "refused" ? "; the connection was refused, which only a machine that is on does" : "";
  return `${addressOf(place)} (${place.what}${refused})`;
}

/** @throws when the machine answers anywhere. */
function refuseAnswers(name: string, asked: readonly Asked[]): void {
  const answers = asked.filter(isAnswer);
  if (answers.length === 0) return;
  throw new Error(
    `${name} is on: it answers at ${answers.map(placeText).join(", ")}; pull its plug first, then run this again; nothing was purged. If it is off and another machine has that address now, give that one another for the moment`,
  );
}

/**
 * Silence means that a machine is off only where it would be heard. Warns when no other machine can show that.
 *
 * @throws when nothing could be asked, or the machines that are well are silent too.
 */
async function refuseDeafness(
  session: Session,
  client: NomadClient,
  name: string,
  nodes: readonly NodeStub[],
  asked: readonly Asked[],
): Promise<void> {
  const nothing = "nothing was purged";
  if (asked.length === 0) {
    throw new Error(`nobody knows an address of ${name}, so it cannot be asked whether it is on; ${nothing}`);
  }
  const unasked = asked.filter(({ answer }) => answer === "unasked");
  if (unasked.length > 0) {
    const places = unasked.map((one) => `${addressOf(one)} (${one.what}: ${one.code})`).join(", ");
    throw new Error(
      `${name} cannot be asked from here at ${places}; run this on a machine of the same network; ${nothing}`,
    );
  }
  const own = ownAddresses();
  const well = await Promise.all(
    nodes
      .filter(({ Status }) => Status === "ready")
      .map(async (node) => ({
        name: node.Name,
        places: (await placesOf(client, node, [], [])).filter(({ host }) => !own.has(host)),
      })),
  );
  const witnesses = well.filter(({ places }) => places.length > 0).slice(0, MOST_WITNESSES);
  if (witnesses.length === 0) {
    session.warn(
      `nothing confirms that an answer of ${name} would be heard here, because no other machine that is well can be asked: make sure by its plug that it is off`,
    );
    return;
  }
  if (!(await ask(witnesses.flatMap(({ places }) => places))).some(isAnswer)) {
    const names = witnesses.map(({ name }) => name).join(", ");
    throw new Error(
      `${name} is silent, and so is every machine that is well (${names}), so its silence means nothing; run this on a machine of the same network; ${nothing}`,
    );
  }
}

/** How many machines that are well are asked, to know whether any would be heard. */
const MOST_WITNESSES = 3;

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

/** Those that Nomad should run: what was stopped, for a pause for example, gets no writer. */
async function meantToRun(client: NomadClient, all: readonly Writer[]): Promise<Writer[]> {
  const counts = await Promise.all(all.map(({ service }) => wantedCount(client, service)));
  return all.filter((_, at) => counts[at] !== 0);
}

/** Services that write a volume. */
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
    const running = all.filter((one) => isOf(service, one) && one.ClientStatus === "running");
    if (running.length > 1) tooMany = volume.id;
    // It writes when its main task runs; what comes before that only prepares.
    const writing = running.filter(({ TaskStates }) => TaskStates?.[service.main.Name]?.State === "running");
    const names = [...(found[volume.id] ?? []), ...writing.map(({ JobID, NodeName }) => `${JobID} on ${NodeName}`)];
    found[volume.id] = names;
    if (names.length > 1) tooMany = volume.id;
  }
  return { writers: found, tooMany };
}

function lossText(
  { node, status, allocations, claims }: Loss,
  asked: readonly Asked[],
  hubs: readonly Service[],
  style: Style,
): string {
  const { bold, red } = style;
  const answers = asked.filter(isAnswer);
  const silence = `silent at ${asked.map(placeText).join(", ") || "no address that Nomad knows"}`;
  const lines = [
    `${bold(node)} is ${red(status)}`,
    ...wrap(
      answers.length > 0 ? `${red("it is on")}: it answers at ${answers.map(placeText).join(", ")}` : silence,
      WIDTH - 2,
      "  ",
    ).map((line) => `  ${line}`),
    `  may still run there: ${allocations.join(", ") || "nothing"}`,
    `  volumes claimed by it: ${claims.join(", ") || "none"}`,
    ...wrap(
      "If it comes back, all this goes on by itself: wait. If it never will: pull its plug, and run this again with " +
        "--confirm-powered-off. Were it still on, two would write one volume, which can cost money.",
      WIDTH - 2,
    ).map((line) => `  ${line}`),
    ...hubs.flatMap(({ name }) =>
      wrap(
        `Do not wait for long: while it is off, nobody watches the channels of ${name}; ${PENALTY_WINDOW_TEXT}.`,
        WIDTH - 2,
      ).map((line) => `  ${line}`),
    ),
  ];
  return `${lines.join("\n")}\n`;
}

function doneText({ writers = {}, seconds }: Loss): string {
  const lines = Object.entries(writers).map(([volume, who]) => `  ${volume}: ${who.join(", ")}`);
  return `every volume has exactly one writer, after ${seconds} s\n${lines.map((line) => `${line}\n`).join("")}`;
}
