import { randomBytes } from "node:crypto";
import type { NomadClient } from "../../nomad/client";
import { addItem } from "../../nomad/variable";
import type { Need } from "../shared/secret-needs";
import { heldSecrets } from "./in-use";
import { belongsTo, rpcauth } from "./rpcauth";
import { type Given, hashesOf, passwordOf, refusal, twinsOf } from "./state";
import { Variables } from "./variables";

export interface FillOptions {
  readonly given: Given;
  /**
   * Asks the owner for a value; an empty answer leaves it for later.
   *
   * @param held why it must be the one that its service has, if it must.
   */
  readonly ask?: (need: Need, held?: string) => Promise<string>;
  /** Whether to make passwords that nothing but {@link Filled.secret} will hold. */
  readonly show: boolean;
}

/** A key that was given a value. */
export interface Filled {
  readonly need: Need;
  /** `copied`: another task's path had it already; see {@link SecretRecord.sameAs}. */
  readonly how: "made" | "given" | "typed" | "copied";
  /** What was made: the value or, of a hash, the password, when nobody else has it. Never what the owner gave. */
  readonly secret?: string;
}

interface Value extends Filled {
  readonly value: string;
}

/**
 * Gives a value to every key that has none, as far as it can. What has a value keeps it, and an interrupted run can be
 * run again: passwords are written before their hashes, since a hash can be made from a password at any time.
 *
 * @param tell is called as soon as a key is written.
 * @throws when a given value is not fit for its key; then nothing is written.
 */
export async function fill(
  client: NomadClient,
  needs: readonly Need[],
  options: FillOptions,
  tell: (filled: Filled) => void,
): Promise<void> {
  const variables = await Variables.read(client, needs);
  checkGiven(options.given, needs, variables);
  const gaps = needs.filter((need) => variables.value(need) === "");
  const held = await heldSecrets(client, needs, variables);

  const write = async (filling: Value | undefined) => {
    if (!filling) return;
    const { value, ...filled } = filling;
    const { variable, written } = await addItem(client, filled.need, filled.need.key, value);
    // Somebody else may have come first; then a hash is made from the password that counts.
    variables.set(variable);
    if (written) tell(filled);
  };

  const isAsked = (need: Need) => need.source === "owner" || held.has(need);
  const password = (need: Need): Value | undefined => {
    if (isAsked(need) || hashesOf(need, needs).some((hash) => variables.value(hash) !== "")) return undefined;
    const value = makePassword();
    return { need, how: "made", value, secret: value };
  };

  const hash = (need: Need): Value | undefined => {
    const consumer = passwordOf(need, needs);
    const known = consumer && variables.value(consumer);
    if (known) return { need, how: "made", value: rpcauth(known) };
    if (consumer || !options.show) return undefined;
    const secret = makePassword();
    return { need, how: "made", value: rpcauth(secret), secret };
  };

  const given = (need: Need): Value | undefined => {
    const value = givenFor(need, options.given);
    return value === undefined ? undefined : { need, how: "given", value };
  };

  const copied = (need: Need): Value | undefined => {
    const value = twinsOf(need, needs)
      .map((twin) => variables.value(twin) || givenFor(twin, options.given))
      .find(Boolean);
    return value ? { need, how: "copied", value } : undefined;
  };

  const isHash = ({ source }: Need) => source === "rpc-hash";
  for (const need of gaps.filter((one) => !isHash(one))) await write(given(need) ?? copied(need) ?? password(need));
  for (const need of gaps.filter(isHash)) await write(given(need) ?? hash(need));
  for (const need of gaps.filter((one) => isAsked(one) && !given(one))) {
    if (variables.value(need) !== "") continue;
    const same = copied(need);
    const value = same ? undefined : await options.ask?.(need, held.get(need));
    await write(same ?? (value ? { need, how: "typed", value } : undefined));
  }
}

function givenFor({ path, key }: Need, given: Given): string | undefined {
  return given[path]?.[key];
}

/** 256 bits. */
function makePassword(): string {
  return randomBytes(32).toString("base64url");
}

/** Nothing of a value may stand in a message. */
function checkGiven(given: Given, needs: readonly Need[], variables: Variables): void {
  const place = ({ path, key }: Need) => `the value given for ${key} in ${path}`;
  const value = (need: Need) => variables.value(need) || given[need.path]?.[need.key];
  const isGiven = (need: Need) => value(need) !== undefined && variables.value(need) === "";
  for (const need of needs.filter(isGiven)) {
    const refused = value(need) === "" ? "is empty" : refusal(need, value(need) ?? "");
    if (refused) throw new Error(`${place(need)} ${refused}; give another`);
  }
  for (const need of needs.filter(isGiven)) {
    const twin = twinsOf(need, needs).find((one) => value(one) && value(one) !== value(need));
    if (!twin) continue;
    throw new Error(
      `${place(need)} is not that of ${twin.key} in ${twin.path}, and both must be the same; give one value, or change that first with homelab secrets set`,
    );
  }
  for (const hash of needs.filter(({ source }) => source === "rpc-hash")) {
    const password = passwordOf(hash, needs);
    if (!password || !(isGiven(hash) || isGiven(password))) continue;
    const [hashed, plain] = [value(hash), value(password)];
    if (!hashed || !plain || belongsTo(hashed, plain)) continue;
    const [one, other] = isGiven(password) ? [password, hash] : [hash, password];
    throw new Error(
      `${place(one)} does not belong to ${other.key} in ${other.path}; give another, or change that first`,
    );
  }
}
