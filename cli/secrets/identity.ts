import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import type { Homelab } from "../../model/homelab";
import { IDENTITY_KEY, identityOf, isIdentity, jobsWithIdentity } from "../../model/identity";
import type { NomadClient } from "../../nomad/client";
import { NomadError } from "../../nomad/nomad-error";
import { addItem, readVariable, replaceItem, type VariableRef, variableExists } from "../../nomad/variable";
import { Session } from "../shared/session";
import { type Target, withOptions } from "../shared/target";
import { WIDTH, wrap } from "../shared/text";

/** A homelab as it was synthesized, and its Nomad. */
type Place = Pick<Target, "client"> & { readonly homelab: Pick<Homelab, "jobs"> };

/** Makes the identity of each job that has none. What is there stays, so it can be run at any time. */
export async function makeIdentities({ client, homelab }: Place, tell: (text: string) => void): Promise<void> {
  for (const job of jobsWithIdentity(homelab)) {
    const ref = identityOf(job);
    const { written } = await addItem(client, ref, IDENTITY_KEY, randomUUID());
    if (written) tell(`made ${IDENTITY_KEY} in ${ref.path}: ${job.ID} claims its work directory at its next start`);
  }
}

/** The same before a deploy, whose token may not be allowed to: then the job runs without one. */
export async function makeIdentitiesIfAllowed(place: Place, session: Session): Promise<void> {
  try {
    await makeIdentities(place, (text) => session.say(text));
  } catch (error) {
    if (!(error instanceof NomadError && error.status === 403)) throw error;
    const { client, homelab } = place;
    const known = await Promise.all(jobsWithIdentity(homelab).map((job) => variableExists(client, identityOf(job))));
    if (known.every(Boolean)) return;
    session.warn(
      `cannot see to the homelab's identity (${error.message}); without one a second cluster could start a hub on the same ` +
        "folder: npx homelab secrets init makes it, with a token that may",
    );
  }
}

/** What the owner should know of the identities: which are missing, or are none. */
export async function identityNotes({ client, homelab }: Place): Promise<string[]> {
  const notes = jobsWithIdentity(homelab).map(async (job) => {
    const ref = identityOf(job);
    const value = await valueOrUnseen(client, ref);
    if (value === "unseen" || ownOf(value)) return [];
    return [
      value === ""
        ? `${job.ID} has no identity, so a second cluster could start a hub on its work directory: homelab secrets init makes one`
        : `${IDENTITY_KEY} in ${ref.path} is no identity, and ${job.ID} refuses to start with it: delete the key, then homelab secrets init`,
    ];
  });
  return (await Promise.all(notes)).flat();
}

async function valueOrUnseen(client: NomadClient, ref: VariableRef): Promise<string> {
  try {
    return (await readVariable(client, ref)).items[IDENTITY_KEY] ?? "";
  } catch (error) {
    if (!(error instanceof NomadError && error.status === 403)) throw error;
    return (await variableExists(client, ref)) ? "unseen" : "";
  }
}

/** This homelab's own identity, whatever it adopts; undefined when the text holds none. */
function ownOf(value: string): string | undefined {
  const [own = "", verb, adopted = "", ...more] = value.split(" ");
  const isWhole = verb === undefined || (verb === "adopts" && isIdentity(adopted) && more.length === 0);
  return isIdentity(own) && isWhole ? own : undefined;
}

const HELP = `
A hub refuses a work directory that the hub of another homelab has claimed, and its log names both homelabs. That happens
when an inventory was copied to a second cluster, and also when a cluster was made anew and Nomad's snapshot is lost.

Adopting is for the second case. First stop the other hub for good. The next start then takes the folder over; from then on
the other homelab's hub is refused, and no copy or snapshot brings the earlier claim back.

You are asked to type the name of the service; --confirm <service> says it beforehand, where nobody can be asked.

Exit codes: 0 stored, 1 an error, or a refusal. With --json, standard output is { namespace, path, key, own, adopts }.`;

export function registerAdopt(command: Command): void {
  withOptions(command.command("adopt <service> <identity>"))
    .summary("take over the work directory of another homelab's hub")
    .description("Lets a hub take over a work directory that another homelab has claimed, and no other one.")
    .option("--confirm <service>", "the name of the service, where nobody can be asked")
    .addHelpText("after", HELP)
    .action((service: string, identity: string, _options: unknown, self: Command) =>
      adopt(service, identity, new Session(self)),
    );
}

async function adopt(service: string, identity: string, session: Session): Promise<void> {
  const { client, homelab } = session.target();
  const jobs = jobsWithIdentity(homelab);
  const job = jobs.find(({ ID }) => ID === service);
  if (!job) {
    const names = jobs.map(({ ID }) => ID).join(", ") || "none";
    throw new Error(`${service} has no work directory that a homelab claims; services that have one: ${names}`);
  }
  if (!isIdentity(identity)) {
    throw new Error(
      `"${identity}" is no identity, such as ${randomUUID()}; the log of ${service} names the one to adopt`,
    );
  }
  const ref = identityOf(job);
  const was = await session.looking([{ client }], () => readVariable(client, ref));
  const before = was.items[IDENTITY_KEY] ?? "";
  const own = ownOf(before) ?? randomUUID();
  if (own === identity) throw new Error(`${identity} is this homelab's own identity: there is nothing to adopt`);
  session.say(
    wrap(
      `The work directory of ${service} was claimed by the hub of the homelab ${identity}. Two hubs on one Lightning state \
lose the money in the channels. Go on only if that hub is stopped for good: its job stopped in its own cluster, or its \
machines switched off. From the takeover on its next start is refused, but nothing stops it while it runs.`,
      WIDTH,
    ).join("\n"),
  );
  await session.confirmName(service);
  const { written } = await replaceItem(client, ref, IDENTITY_KEY, before, `${own} adopts ${identity}`);
  if (!written) throw new Error(`somebody else changed ${IDENTITY_KEY} in ${ref.path} in the meantime; look again`);
  session.say(`stored; ${service}, which Nomad keeps trying to start, takes the folder over at its next start`);
  session.print({ ...ref, key: IDENTITY_KEY, own, adopts: identity });
}
