import { randomBytes } from "node:crypto";
import type { Command } from "commander";
import type { NomadClient } from "../nomad/client";
import { NomadError } from "../nomad/nomad-error";
import { readVariable, replaceItem } from "../nomad/variable";
import { belongsTo, rpcauth } from "./rpcauth";
import { type Need, needsOf } from "./secrets-needs";
import { hashesOf, passwordOf } from "./secrets-state";
import { liveAllocations, type Service, servicesOf } from "./services";
import { consent, restartTasks, untilHealthy } from "./steps";
import { ENVIRONMENT, type Options, print, targetOf, withOptions } from "./target";
import { Interrupted, Watch } from "./watch";

interface RotateOptions extends Options {
  readonly yes?: true;
}

/** What the machines are given to render a changed variable, which takes them less than a second. */
const RENDER_SECONDS = 15;

const HELP = `
bitcoind reads hashes only when it starts, so: a second hash is added, bitcoind restarted, and takes both passwords; the
consumer is given the new one and restarted; then the first hash is taken away, and bitcoind forgets it at its next restart.
The consumer is never turned away. Interrupted at any point, another run goes on or begins anew.

Exit codes: 0 changed, 1 an error or interrupted. With --json, standard output is { user, restarted: [service] }. With ACLs
it takes read and write of both variables, and alloc-lifecycle.
${ENVIRONMENT}`;

/** Adds `rotate <user>` to the verb `secrets`. */
export function registerRotate(secrets: Command): Command {
  return withOptions(secrets.command("rotate <user>"))
    .summary("change the password of an RPC user")
    .description("Gives an RPC user of bitcoind, such as electrs, another password, without turning it away.")
    .option("--yes", "do not ask")
    .addHelpText("after", HELP)
    .action(rotate);
}

async function rotate(user: string, options: RotateOptions, command: Command): Promise<void> {
  const target = targetOf(options, command);
  const { client } = target;
  const { hash, password } = pairOf(user, needsOf(target).needs);
  const services = servicesOf(target);
  const [node, consumer] = [hash, password].map((need) => readerOf(need, services)) as [Service, Service];
  const say = (text: string) => {
    if (!options.json) command.configureOutput().writeOut?.(`${text}\n`);
  };
  const next = `${hash.key}_next`;
  const [hashes, plain] = await Promise.all([readVariable(client, hash), readVariable(client, password)]);
  const current = plain.items[password.key] ?? "";
  const begun = belongsTo(hashes.items[next] ?? "", current);
  if (!begun && !belongsTo(hashes.items[hash.key] ?? "", current)) {
    throw new Error(`the password of ${user} and its hash do not belong together: see homelab secrets check`);
  }
  const names = begun ? consumer.name : `${node.name}, then ${consumer.name}`;
  await consent(`change the password of ${user}, and restart ${names}?`, options);

  const restarted: string[] = [];
  let stage = "nothing is changed";
  await Watch.over(command, async (watch) => {
    const again = async (service: Service) => {
      watch.tell(`waiting for the machine of ${service.name} to take the new value`);
      await new Promise((resolve) => setTimeout(resolve, RENDER_SECONDS * 1000));
      const since = Date.now();
      for (const allocation of await running(client, service)) await restartTasks(client, service, allocation);
      await untilHealthy(watch, client, service, { started: since });
      restarted.push(service.name);
      say(`${service.name} is healthy again after ${Math.round((Date.now() - since) / 1000)} s`);
    };
    if (!begun) {
      for (const service of [node, consumer]) await running(client, service);
      const made = randomBytes(32).toString("base64url");
      await replace(client, hash, next, hashes.items[next] ?? "", rpcauth(made));
      stage = `${next} is stored beside ${hash.key}; another run makes a new one`;
      await again(node);
      const checked = Date.now();
      await untilHealthy(watch, client, consumer, { checked });
      watch.check();
      await replace(client, password, password.key, current, made);
    }
    stage = `both hashes are stored, and the new password; another run of homelab secrets rotate ${user} goes on`;
    await again(consumer);
    await promote(client, hash, next);
  }).catch((error: unknown) => {
    throw new Error(`${error instanceof Interrupted ? "interrupted" : (error as Error).message}; ${stage}`);
  });
  say(`the password of ${user} is changed; ${node.name} forgets the old one at its next restart`);
  if (options.json) print(command, options, { user, restarted }, () => "");
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

/** @throws when it does not run, since the change needs it to be restarted. */
async function running(client: NomadClient, service: Service) {
  const live = await liveAllocations(client, service);
  if (live.length > 0 && live.every(({ ClientStatus }) => ClientStatus === "running")) return live;
  throw new Error(`${service.name} does not run; see homelab status`);
}

async function replace(client: NomadClient, need: Need, key: string, from: string, to: string): Promise<void> {
  const { written } = await replaceItem(client, need, key, from, to);
  if (!written)
    throw new Error(`somebody else changed ${key} in ${need.path} in the meantime; it stays as they left it`);
}

/** The second hash becomes the only one, in one write. */
async function promote(client: NomadClient, { namespace, path, key }: Need, next: string): Promise<void> {
  const { items, modifyIndex } = await readVariable(client, { namespace, path });
  const { [next]: value, ...rest } = items;
  if (!value) return;
  const body = { Namespace: namespace, Path: path, Items: { ...rest, [key]: value } };
  try {
    await client.put(["var", path], body, { namespace, query: { cas: modifyIndex }, needs: `write of ${path}` });
  } catch (error) {
    if (!(error instanceof NomadError && error.status === 409)) throw error;
    return promote(client, { namespace, path, key } as Need, next);
  }
}
