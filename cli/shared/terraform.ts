import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { assertReadable, withoutConnection } from "./connection";

/** Kept beside the stack's file, so that exactly what was reviewed can be applied. */
export const PLAN_FILE = "review.tfplan";

/** A plan that Terraform has made of a synthesized stack. */
export interface MadePlan {
  /** As `terraform show -json` prints it. */
  readonly json: string;
  /** Terraform's own words when it could not finish the plan. */
  readonly failure?: string;
}

/**
 * Initializes a stack's folder where that is needed, and plans, by Terraform itself.
 *
 * @param folder of the stack's `cdk.tf.json`.
 * @throws with Terraform's words when there is no plan at all.
 */
export async function makePlan(folder: string): Promise<MadePlan> {
  const file = join(folder, PLAN_FILE);
  rmSync(file, { force: true });
  const plan = () => terraform(folder, "plan", "-input=false", `-out=${PLAN_FILE}`);
  // A folder that was initialized before is tried as it is: initializing takes as long as planning.
  const isInitialized = existsSync(join(folder, ".terraform"));
  let planned = isInitialized ? await plan() : undefined;
  if (!planned || (planned.code !== 0 && !existsSync(file) && /terraform init/.test(planned.err))) {
    const { code, err } = await terraform(folder, "init", "-input=false");
    if (code !== 0) throw new Error(`terraform init failed: ${err}`);
    planned = await plan();
  }
  if (planned.code !== 0 && !existsSync(file)) throw new Error(`terraform plan failed: ${planned.err}`);
  const shown = await terraform(folder, "show", "-json", PLAN_FILE);
  if (shown.code !== 0) throw new Error(`terraform show failed: ${shown.err}`);
  return { json: shown.out, ...(planned.code !== 0 && { failure: planned.err }) };
}

/** The state of a stack as `terraform show -json` prints it, from whatever backend. */
export async function showState(folder: string): Promise<string> {
  if (!existsSync(join(folder, ".terraform"))) {
    const { code, err } = await terraform(folder, "init", "-input=false");
    if (code !== 0) throw new Error(`terraform init failed: ${err}`);
  }
  const { code, out, err } = await terraform(folder, "show", "-json");
  if (code !== 0) throw new Error(`terraform show failed: ${err}`);
  return out;
}

/** The versions of providers, by their addresses, as Terraform locked them when it was initialized. */
export function lockedVersions(folder: string): ReadonlyMap<string, string> {
  const file = join(folder, ".terraform.lock.hcl");
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  return new Map(
    [...text.matchAll(/^provider "([^"]+)" \{\n\s*version\s*=\s*"([^"]+)"/gm)].map(([, name = "", version = ""]) => [
      name,
      version,
    ]),
  );
}

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function terraform(folder: string, command: string, ...args: string[]): Promise<Ran> {
  assertReadable(process.env);
  // Each run ends within a second: it has better to do than to collect its garbage often.
  const env = { GOGC: "400", ...process.env, CHECKPOINT_DISABLE: "1", TF_IN_AUTOMATION: "1" };
  const flags = command === "show" ? [] : ["-no-color"];
  return new Promise((done, fail) => {
    const child = spawn("terraform", [`-chdir=${folder}`, command, ...flags, ...args], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [out, err]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on("data", (chunk) => out.push(chunk));
    child.stderr.on("data", (chunk) => err.push(chunk));
    child.on("error", ({ message }) =>
      fail(new Error(`terraform cannot be run (${message}); install Terraform ≥ 1.5`)),
    );
    child.on("close", (code) =>
      done({
        code: code ?? 1,
        out: Buffer.concat(out).toString(),
        err: withoutConnection(Buffer.concat(err).toString().trim(), process.env),
      }),
    );
  });
}
