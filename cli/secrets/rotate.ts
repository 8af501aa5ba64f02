import { randomBytes } from "node:crypto";
import type { Command } from "commander";
import type { NomadClient } from "../../nomad/client";
import { Duration } from "../../nomad/duration";
import { type AllocationStub, writtenAt } from "../../nomad/live";
import { NomadError } from "../../nomad/nomad-error";
import { readVariable, replaceItem, type VariableRef, variableCapability } from "../../nomad/variable";
import { healthOf } from "../shared/health";
import { type Need, needsOf } from "../shared/secret-needs";
import { liveAllocations, type Service, servicesOf } from "../shared/services";
import { Session } from "../shared/session";
import { restartTasks, untilHealthy, upText } from "../shared/steps";
import { ENVIRONMENT, withOptions } from "../shared/target";
import { reasonOf, type Watch } from "../shared/watch";
import { refuseHiddenWriters } from "../shared/writers";
import { warnOfPlainHttp } from "./input";
import { belongsTo, rpcauth } from "./rpcauth";
import { hashesOf, passwordOf } from "./state";

/** What a machine is given to render a changed variable, which takes it a second. */
const LONGEST_RENDER = Duration.minutes(2);

const HELP = `
bitcoind reads hashes only when it starts, so: a second hash is added, bitcoind restarted, and takes both passwords; the
consumer is given the new one and restarted; then the first hash is taken away, and bitcoind forgets it at its next restart.
Before each restart it is seen that the machine has written the new value into the service's file. So the consumer is never
turned away. It mends a pair that does not belong together, too. Interrupted at any point, another run goes on or begins anew.

Exit codes: 0 changed, 1 an error or interrupted. With --json, standard output is { user, restarted: [service] }. With ACLs
it takes read and write of both variables, and in the namespaces alloc-lifecycle, read-fs and read-job: a management token,
since no policy of the server role may read secrets.
${ENVIRONMENT}`;

/** Adds `rotate <user>` to the verb `secrets`. */
export function registerRotate(secrets: Command): Command {
  return withOptions(secrets.command("rotate <user>"))
    .summary("change the password of an RPC user")
    .description("Gives an RPC user of bitcoind, such as electrs, another password, without turning it away.")
    .option("--yes", "do not ask")
    .addHelpText("after", HELP)
    .action((user: string, _options: unknown, self: Command) => rotate(user, new Session(self)));
}

async function rotate(user: string, session: Session): Promise<void> {
  const target = session.target();
  const { client } = target;
  const { hash, password } = pairOf(user, needsOf(target).needs);
  const services = servicesOf(target);
  const [node, consumer] = [readerOf(hash, services), readerOf(password, services)];
  const next = `${hash.key}_next`;
  const [hashes, plain] = await session.looking([target], () =>
    Promise.all([readVariable(client, hash), readVariable(client, password)]),
  );
  const current = plain.items[password.key] ?? "";
  const begun = belongsTo(hashes.items[next] ?? "", current);
  warnOfPlainHttp(client, session);
  const names = begun ? consumer.name : `${node.name}, then ${consumer.name}`;
  const restarting = begun ? [consumer] : [node, consumer];
  await refuseHiddenWriters(client, restarting);
  await session.consent(`change the password of ${user}, and restart ${names}?`);

  const restarted: string[] = [];
  let stage = "nothing is changed";
  await session
    .watch(async (watch) => {
      const restart = async (service: Service) => {
        await refuseHiddenWriters(client, [service]);
        const since = Date.now();
        for (const allocation of await running(client, service)) await restartTasks(client, service, allocation);
        const up = await untilHealthy(watch, client, service, { started: since });
        restarted.push(service.name);
        session.say(`${service.name} is ${upText(up, ` again after ${Math.round((Date.now() - since) / 1000)} s`)}`);
      };
      if (!begun) {
        const [first, second] = [await filesOf(client, hash, node), await filesOf(client, password, consumer)];
        // One that is not well before, or is turned away, cannot be waited for.
        const isWell = belongsTo(hashes.items[hash.key] ?? "", current) && (await isHealthy(client, consumer));
        const made = randomBytes(32).toString("base64url");
        await replace(client, hash, next, hashes.items[next] ?? "", rpcauth(made));
        stage = `${next} is stored beside ${hash.key}; another run makes a new one`;
        await untilWritten(watch, client, first);
        await restart(node);
        if (isWell) await untilHealthy(watch, client, consumer, { checked: Date.now() });
        watch.check();
        await replace(client, password, password.key, current, made);
        stage = `both hashes are stored, and the new password; another run of homelab secrets rotate ${user} goes on`;
        await untilWritten(watch, client, second);
      } else {
        stage = "nothing is changed since the last run";
        await untilWritten(watch, client, await filesOf(client, password, consumer), plain.modifyTime);
      }
      await restart(consumer);
      await promote(client, hash, next);
    })
    .catch((error: unknown) => {
      throw new Error(`${reasonOf(error)}; ${stage}`);
    });
  session.say(`the password of ${user} is changed; ${node.name} forgets the old one at its next restart`);
  session.print({ user, restarted });
}

/** A file that a machine writes from a variable, and when it last did. */
interface Rendered {
  readonly allocation: AllocationStub;
  readonly path: string;
  readonly writtenAt: number | undefined;
}

/** The files that the templates of a secret's reader become, in every allocation. @throws when it does not run. */
async function filesOf(client: NomadClient, need: Need, service: Service): Promise<Rendered[]> {
  const tasks = service.group.Tasks.filter(({ Name }) =>
    need.readBy.includes(`${service.job.ID}/${service.group.Name}/${Name}`),
  );
  const paths = tasks.flatMap(({ Name, Templates }) =>
    (Templates ?? [])
      .filter(({ EmbeddedTmpl }) => EmbeddedTmpl?.includes(need.path))
      .map(({ DestPath }) => `${Name}/${DestPath}`),
  );
  const allocations = await running(client, service);
  const files = allocations.flatMap((allocation) => paths.map((path) => ({ allocation, path })));
  return Promise.all(
    files.map(async ({ allocation, path }) => ({
      allocation,
      path,
      writtenAt: await writtenAt(client, allocation, path),
    })),
  );
}

/**
 * Waits until every file was written anew.
 *
 * @param after the files count that were written since then, in milliseconds since 1970, whenever they were looked at.
 */
async function untilWritten(
  watch: Watch,
  client: NomadClient,
  files: readonly Rendered[],
  after = Number.POSITIVE_INFINITY,
): Promise<void> {
  for (const { allocation, path, writtenAt: before } of files) {
    await watch.until(`${allocation.NodeName} to write the new value into ${path}`, LONGEST_RENDER, async () => {
      const now = await writtenAt(client, allocation, path);
      return (now !== undefined && (now !== before || now >= after)) || undefined;
    });
  }
}

async function isHealthy(client: NomadClient, service: Service): Promise<boolean> {
  const healths = (await running(client, service)).map((allocation) => healthOf(client, service, allocation));
  return (await Promise.all(healths)).every(({ healthy }) => healthy);
}

/** @throws when there is no such user, or its password is kept outside of the homelab. */
function pairOf(user: string, needs: readonly Need[]): { hash: Need; password: Need } {
  const users = [
    ...new Set(needs.flatMap(({ source, rpcUser }) => (source === "rpc-hash" && rpcUser ? [rpcUser] : []))),
  ];
  const hash = needs.find(({ source, rpcUser }) => source === "rpc-hash" && rpcUser === user);
  if (!hash) throw new Error(`there is no RPC user ${user}; there are ${users.join(", ") || "none"}`);
  const password = passwordOf(hash, needs);
  if (!password) {
    throw new Error(
      `nothing in the homelab reads the password of ${user}: delete ${hash.key} in ${hash.path}, run homelab secrets init ` +
        `--show, give the new password to ${user}, and restart ${hash.readBy[0]?.split("/")[0]}`,
    );
  }
  if (hashesOf(password, needs).length > 1) throw new Error(`${user} has several nodes; change its password by hand`);
  return { hash, password };
}

function readerOf({ readBy, path }: Need, services: readonly Service[]): Service {
  const [job, group] = readBy[0]?.split("/") ?? [];
  const found = services.find((one) => one.job.ID === job && one.group.Name === group);
  if (!found) throw new Error(`nothing in the homelab reads ${path}`);
  return found;
}

/** @throws when it does not run, since the change needs it to be restarted. A task that begins again is pending. */
async function running(client: NomadClient, service: Service): Promise<AllocationStub[]> {
  const live = await liveAllocations(client, service);
  if (live.length > 0 && live.every(({ ClientStatus }) => ClientStatus !== "unknown")) return live;
  throw new Error(
    `${service.name} does not run, and the change restarts it: see homelab status; where nothing was deployed yet, delete ` +
      "the key of the hash instead, and run homelab secrets init",
  );
}

async function replace(client: NomadClient, need: Need, key: string, from: string, to: string): Promise<void> {
  const { written } = await replaceItem(client, need, key, from, to);
  if (!written)
    throw new Error(`somebody else changed ${key} in ${need.path} in the meantime; it stays as they left it`);
}

/** The second hash becomes the only one, in one write. */
async function promote(client: NomadClient, hash: VariableRef & { readonly key: string }, next: string): Promise<void> {
  const { namespace, path, key } = hash;
  const { items, modifyIndex } = await readVariable(client, hash);
  const { [next]: value, ...rest } = items;
  if (!value) return;
  const body = { Namespace: namespace, Path: path, Items: { ...rest, [key]: value } };
  try {
    const needs = variableCapability("write", hash);
    await client.put(["var", path], body, { namespace, query: { cas: modifyIndex }, needs });
  } catch (error) {
    if (!(error instanceof NomadError && error.status === 409)) throw error;
    return promote(client, hash, next);
  }
}
