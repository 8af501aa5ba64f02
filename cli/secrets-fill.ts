import { randomBytes } from "node:crypto";
import type { NomadClient } from "../nomad/client";
import { addItems, type Items } from "../nomad/variable";
import { belongsTo, rpcauth } from "./rpcauth";
import type { Need } from "./secrets-needs";
import { hashesOf, passwordOf, refusal, Variables } from "./secrets-state";

/** What the owner gave: values by path and key. */
export type Given = Readonly<Record<string, Items>>;

export interface Wishes {
  readonly given: Given;
  /** Asks the owner for a value; an empty answer leaves it for later. */
  readonly ask?: (need: Need) => Promise<string>;
  /** Whether to make passwords that nothing but {@link Filled.secret} will hold. */
  readonly show: boolean;
}

/** A key that was given a value. */
export interface Filled {
  readonly need: Need;
  readonly how: "made" | "given" | "typed";
  /** What was made: the value or, of a hash, the password, when nobody else has it. Never what the owner gave. */
  readonly secret?: string;
}

/** 256 bits. */
function makePassword(): string {
  return randomBytes(32).toString("base64url");
}

/**
 * Gives a value to every key that has none, as far as it can. What has a value keeps it, and an interrupted run can be
 * run again: passwords are written before their hashes, since a hash can be made from a password at any time.
 *
 * @param tell is called as soon as a key is written.
 * @throws when a given value belongs to no key or is not fit for it; then nothing is written.
 */
export async function fill(
  client: NomadClient,
  needs: readonly Need[],
  wishes: Wishes,
  tell: (filled: Filled) => void,
): Promise<void> {
  const variables = await Variables.read(client, needs);
  checkGiven(wishes.given, needs, variables);
  const given = (need: Need) => wishes.given[need.path]?.[need.key];
  const gaps = needs.filter((need) => variables.value(need) === "" && !variables.isUnseen(need));

  const write = async (filled: readonly (Filled & { readonly value: string })[]) => {
    const [first] = filled;
    if (!first) return;
    const values = Object.fromEntries(filled.map(({ need, value }) => [need.key, value]));
    const { variable, added } = await addItems(client, first.need, values);
    variables.set(variable);
    for (const { value: _, ...one } of filled.filter(({ need }) => added.includes(need.key))) tell(one);
  };

  const lost = (need: Need) => hashesOf(need, needs).some((hash) => variables.value(hash) !== "");
  const plain = gaps.flatMap((need): (Filled & { value: string })[] => {
    const value = given(need);
    if (need.source === "rpc-hash") return [];
    if (value !== undefined) return [{ need, how: "given", value }];
    if (need.source === "owner" || (need.source === "rpc-password" && lost(need))) return [];
    const secret = makePassword();
    return [{ need, how: "made", value: secret, secret }];
  });
  for (const variable of byVariable(plain)) await write(variable);

  const hashes = gaps.flatMap((need): (Filled & { value: string })[] => {
    if (need.source !== "rpc-hash") return [];
    const value = given(need);
    if (value !== undefined) return [{ need, how: "given", value }];
    const consumer = passwordOf(need, needs);
    if (consumer) {
      const password = variables.value(consumer);
      return password ? [{ need, how: "made", value: rpcauth(password) }] : [];
    }
    if (!wishes.show) return [];
    const secret = makePassword();
    return [{ need, how: "made", value: rpcauth(secret), secret }];
  });
  for (const variable of byVariable(hashes)) await write(variable);

  for (const need of gaps.filter(({ source }) => source === "owner")) {
    if (!wishes.ask || given(need) !== undefined) continue;
    const value = await wishes.ask(need);
    if (value) await write([{ need, how: "typed", value }]);
  }
}

function byVariable<T extends Filled>(filled: readonly T[]): T[][] {
  const groups = new Map<string, T[]>();
  for (const one of filled) {
    const id = `${one.need.namespace}\n${one.need.path}`;
    groups.set(id, [...(groups.get(id) ?? []), one]);
  }
  return [...groups.values()];
}

/** Nothing of a value may stand in a message. */
function checkGiven(given: Given, needs: readonly Need[], variables: Variables): void {
  for (const [path, items] of Object.entries(given)) {
    for (const [key, value] of Object.entries(items)) {
      const place = `the value given for ${key} in ${path}`;
      const need = needs.find((one) => one.path === path && one.key === key);
      if (!need) throw new Error(`${place} is read by nobody; homelab secrets check --json lists what is`);
      if (variables.value(need) !== "") continue;
      if (value === "") throw new Error(`${place} is empty; leave it out`);
      const refused = refusal(need, value);
      if (refused) throw new Error(`${place} ${refused}`);
      const hash = need.source === "rpc-hash" ? value : hashesOf(need, needs).map((one) => variables.value(one)).find(Boolean);
      const consumer = need.source === "rpc-hash" ? passwordOf(need, needs) : need;
      const password = consumer === need ? value : consumer && variables.value(consumer);
      if (need.source.startsWith("rpc-") && hash && password && !belongsTo(hash, password)) {
        throw new Error(`${place} does not belong to its ${consumer === need ? "hash" : "password"}, which is there already`);
      }
    }
  }
}
