import type { Items } from "../../nomad/variable";
import type { Need } from "../shared/secret-needs";
import type { Held } from "./in-use";
import { belongsTo, isRpcauth } from "./rpcauth";
import type { Variables } from "./variables";

/**
 * `malformed`: its reader would refuse it. `mismatch`: a hash that was made from another password, or a value that is
 * not that of another path which must have the same. `unseen`: the
 * variable is there, but the token may not read it. `differs`: the owner gave another value, and it was not overwritten.
 */
export type State = "present" | "missing" | "empty" | "malformed" | "mismatch" | "unseen" | "differs";

/** What the owner gave: values by path and key. Those that no need asks for are left alone. */
export type Given = Readonly<Record<string, Items>>;

/** What matters beside the variables. */
export interface Circumstances {
  readonly held: Held;
  readonly given?: Given;
  /** Why the owner could not be asked in this run. */
  readonly unasked?: string | undefined;
}

export interface Status extends Need {
  readonly state: State;
  /** What is wrong, and what to do; absent when nothing is. */
  readonly problem?: string;
}

/** A stack as `--json` prints it. */
export interface SecretsReport {
  readonly stack: string;
  readonly nomadAddress: string;
  /** Whether every secret is there and well. */
  readonly complete: boolean;
  /** `filled` and `secret` are of this run: how it got its value, and with `--show` what was made. */
  readonly secrets: readonly (Status & { readonly filled?: string; readonly secret?: string })[];
  readonly notes: readonly string[];
}

/** How each secret stands. */
export function statusesOf(needs: readonly Need[], variables: Variables, circumstances: Circumstances): Status[] {
  return needs.map((need) => ({ ...need, ...stateOf(need, needs, variables, circumstances) }));
}

function stateOf(
  need: Need,
  needs: readonly Need[],
  variables: Variables,
  circumstances: Circumstances,
): Pick<Status, "state" | "problem"> {
  if (variables.isUnseen(need)) return { state: "unseen" };
  const value = variables.value(need);
  if (value === "") {
    return {
      state: variables.has(need) ? "empty" : "missing",
      problem: remedyOf(need, needs, variables, circumstances),
    };
  }
  const given = circumstances.given?.[need.path]?.[need.key];
  if (given !== undefined && given !== value) {
    const replace = `to replace it: ${rotation(need, needs) ?? setCommand(need)}`;
    return { state: "differs", problem: `has another value already; not overwritten; ${replace}` };
  }
  const malformed = refusal(need, value);
  if (malformed) {
    // As a second hash it would keep bitcoind from starting all the same.
    const again = () => `delete the key, and ${remedyOf(need, needs, variables, circumstances)}`;
    const remedy = need.source === "rpc-hash" ? again() : (rotation(need, needs) ?? setCommand(need));
    return { state: "malformed", problem: `${malformed}; ${remedy}` };
  }
  const twin = twinsOf(need, needs).find((one) => variables.value(one) !== "" && variables.value(one) !== value);
  if (twin) {
    const problem = `is not what ${twin.key} in ${twin.path} is, and both must be the same: store the right one in all places with ${setCommand(need)}`;
    return { state: "mismatch", problem };
  }
  const password = passwordOf(need, needs);
  if (need.source !== "rpc-hash" || !password || variables.value(password) === "") return { state: "present" };
  const hashes = [value, variables.value(need, successor(need))];
  if (hashes.some((hash) => belongsTo(hash, variables.value(password)))) return { state: "present" };
  const problem = `was made from another password than ${password.key} in ${password.path}: ${rotation(need, needs)} makes both anew`;
  return { state: "mismatch", problem };
}

/** Alby Hub's script refuses others, since a database password becomes part of a URL. */
const URL_SAFE = /^[A-Za-z0-9._~-]+$/;
/** Base64 too, as Bitcoin Core's own script makes it. */
const RPC_SAFE = /^[A-Za-z0-9._~+/=-]+$/;

/** Why a value is refused, without the value; nothing is known of the values of keys that no construct declares. */
export function refusal({ source, declared }: Need, value: string): string | undefined {
  if (source === "rpc-hash")
    return isRpcauth(value) ? undefined : "is no salt$hash, and bitcoind would refuse to start";
  const [safe, more] = source === "rpc-password" ? [RPC_SAFE, "+ / = "] : [URL_SAFE, ""];
  return !declared || safe.test(value) ? undefined : `has characters other than A-Z a-z 0-9 . _ ~ ${more}-`;
}

/** The same secret at the paths of other tasks. */
export function twinsOf(need: Need, needs: readonly Need[]): Need[] {
  const { namespace, sameAs } = need;
  return sameAs === undefined
    ? []
    : needs.filter((one) => one !== need && one.namespace === namespace && one.sameAs === sameAs);
}

/** What stores the owner's value in place of another. */
function setCommand({ path, key }: Need): string {
  return `homelab secrets set ${path} ${key}`;
}

function remedyOf(need: Need, needs: readonly Need[], variables: Variables, { held, unasked }: Circumstances): string {
  const twin = twinsOf(need, needs).find((one) => variables.value(one) !== "");
  if (twin) return `homelab secrets init copies it from ${twin.path}`;
  switch (need.source) {
    case "random": {
      const why = held.get(need);
      return why
        ? `${why}, so init makes no new one: store the one it has with ${setCommand(need)}`
        : "homelab secrets init makes it";
    }
    case "owner":
      return unasked ? `${unasked}: give it with --stdin or run it on a terminal` : "homelab secrets init asks for it";
    case "rpc-hash":
      return passwordOf(need, needs)
        ? "homelab secrets init makes it from the password"
        : `homelab secrets init --show makes it, and shows the password of ${need.rpcUser}, which is kept nowhere else`;
    case "rpc-password": {
      const hash = hashesOf(need, needs).find((one) => variables.value(one) !== "");
      if (!hash) return "homelab secrets init makes it, and its hash";
      return `it cannot be found again from its hash: ${rotation(need, needs)} makes both anew`;
    }
  }
}

/** How a password that has a hash in the homelab is replaced, or that hash: only both together. */
export function rotation(need: Need, needs: readonly Need[]): string | undefined {
  const password = need.source === "rpc-hash" ? passwordOf(need, needs) : need;
  if (password?.source !== "rpc-password" || hashesOf(password, needs).length === 0) return undefined;
  return `homelab secrets rotate ${password.rpcUser}`;
}

/** The key that bitcoind reads beside a hash, while a password is changed. */
function successor({ key }: Need): string {
  return `${key}_next`;
}

/** The password that a hash is made from, when it has a reader in the homelab. */
export function passwordOf(hash: Need, needs: readonly Need[]): Need | undefined {
  return needs.find(({ source, rpcUser }) => source === "rpc-password" && rpcUser === hash.rpcUser);
}

export function hashesOf(password: Need, needs: readonly Need[]): Need[] {
  return needs.filter(({ source, rpcUser }) => source === "rpc-hash" && rpcUser === password.rpcUser);
}
