import { type Command, CommanderError } from "commander";
import { NomadClient } from "../nomad/client";
import { askHidden } from "./prompt";
import { type Filled, fill, type Given } from "./secrets-fill";
import { type Need, needsOf } from "./secrets-needs";
import { readOrList, refusal, type SecretsReport, statusesOf, Variables } from "./secrets-state";
import { statusText } from "./secrets-text";
import { readSynthesized, type Synthesized } from "./synthesized";
import { styleFor } from "./text";
import type { Verb } from "./verb";

interface Options {
  readonly stack?: string;
  readonly json?: true;
}

interface InitOptions extends Options {
  readonly show?: true;
  readonly stdin?: true;
}

const HELP = `
Exit codes: 0 all secrets are there, 1 an error, 2 something is missing or wrong. With --json, standard output is
{ stacks: [{ stack, nomadAddress, complete, secrets: [{ namespace, path, key, readBy, state, problem, … }], notes }] }.

Nomad is asked at the address that was synthesized, with NOMAD_TOKEN, NOMAD_CACERT, NOMAD_CLIENT_CERT, NOMAD_CLIENT_KEY,
NOMAD_TLS_SERVER_NAME and NOMAD_SKIP_VERIFY of the environment. With ACLs, init takes a token that may read and write
variables; check one that may read them, or list them, and then it sees variables but not their keys.

What has a value is never overwritten. For another one, change it in Nomad's web interface (Variables) or with nomad var
put; or delete the key there and run init again. The reader takes it at its next restart.

The password of an RPC user, such as electrs, without locking anything out:
  1. in bitcoind's variable, rename the key rpcauth_electrs to rpcauth_electrs_next
  2. delete the variable of electrs, then: homelab secrets init
  3. raise metaVersion of bitcoin and deploy; bitcoind now takes both, and electrs restarts with the new one
  4. delete the key rpcauth_electrs_next`;

export const secrets: Verb = {
  examples: [
    ["homelab secrets check", "what is missing, and who reads it; run before each deploy"],
    ["homelab secrets init", "make what can be made, ask for the rest; before the first deploy, and after"],
    [
      "pass homelab | homelab secrets init --stdin",
      'the same with {"<path>":{"<key>":"<value>"}} instead of questions',
    ],
  ],
  register: (program: Command) => {
    const command = program
      .command("secrets")
      .summary("the Nomad variables that jobs read: check, init")
      .description(
        "Checks and fills the Nomad variables that the synthesized jobs read. Secrets never enter Terraform.",
      )
      .addHelpText("after", HELP);
    withOptions(command.command("check"))
      .summary("name what is missing, empty or wrong")
      .description("Names every key that is missing, empty or wrong, with its readers. Prints no value.")
      .action(async (options: Options, self: Command) => {
        const reports: SecretsReport[] = [];
        for (const target of targetsOf(options, self)) reports.push(await look(target));
        conclude(reports, options, self);
      });
    withOptions(command.command("init"))
      .summary("make what is missing")
      .description(
        "Makes random passwords, and the hashes that bitcoind has of them; asks for what only you know. It overwrites " +
          "nothing, prints no value unless asked, and can be run again at any time.",
      )
      .option("--stdin", 'take values from standard input instead of asking: {"<path>":{"<key>":"<value>"}}')
      .option("--show", "print the passwords that are made, and make those that nothing but this output will hold")
      .action(init);
    return command;
  },
};

function withOptions(command: Command): Command {
  return command.option("--stack <name>", "this stack alone").option("--json", "print it for programs");
}

/** A stack, what it needs, and the way to its Nomad. */
interface Target {
  readonly stack: string;
  readonly needs: readonly Need[];
  readonly notes: readonly string[];
  readonly client: NomadClient;
}

function targetsOf({ stack }: Options, command: Command): Target[] {
  const synthesized = readSynthesized();
  const chosen = synthesized.filter(({ stack: name }) => stack === undefined || name === stack);
  if (chosen.length === 0) {
    throw new Error(
      `there is no stack ${stack}; stacks with jobs: ${synthesized.map(({ stack }) => stack).join(", ")}`,
    );
  }
  return chosen.map(({ stack, nomadAddress, ...rest }: Synthesized) => {
    const client = NomadClient.ofStack(stack, nomadAddress);
    for (const warning of client.warnings) warn(command, warning);
    return { stack, client, ...needsOf(rest) };
  });
}

async function look({ stack, needs, notes, client }: Target, filled: readonly Filled[] = []): Promise<SecretsReport> {
  const secrets = statusesOf(needs, await Variables.read(client, needs, readOrList)).map((status) => {
    const one = filled.find(({ need }) => need.path === status.path && need.key === status.key);
    return { ...status, ...(one && { filled: one.how }), ...(one?.secret && { secret: one.secret }) };
  });
  const complete = secrets.every(({ state }) => state === "present" || state === "unseen");
  return { stack, nomadAddress: client.address, complete, secrets, notes };
}

async function init(options: InitOptions, command: Command): Promise<void> {
  const { writeOut } = command.configureOutput();
  const targets = targetsOf(options, command);
  const given = options.stdin ? await readGiven(targets) : {};
  const asks = !options.stdin && process.stdin.isTTY && process.stderr.isTTY;
  const show = options.show ?? false;
  const reports: SecretsReport[] = [];
  const filled: Filled[] = [];
  const tell = (one: Filled) => {
    filled.push(show ? one : { need: one.need, how: one.how });
    if (!options.json) writeOut?.(`${filledText(one, show)}\n`);
  };
  try {
    for (const target of targets) {
      const { host, hostname, protocol } = new URL(target.client.address);
      if (protocol === "http:" && !/^(localhost$|127\.|\[::1\])/.test(hostname)) {
        warn(command, `${host} is asked over http://, so the secrets cross the network unencrypted`);
      }
      await fill(target.client, target.needs, { given, show, ...(asks && { ask }) }, tell);
      reports.push(await look(target, filled));
    }
  } catch (error) {
    // A password that is only shown would be lost.
    if (options.json && show && filled.length > 0) writeOut?.(`${JSON.stringify({ filled }, null, 2)}\n`);
    throw error;
  }
  conclude(reports, options, command);
}

function filledText({ need, how, secret }: Filled, show: boolean): string {
  const { key, path, source, rpcUser, readBy } = need;
  const done = `${how === "made" ? "made" : "stored"} ${key} in ${path}`;
  const takes = source === "rpc-hash" ? `; ${readBy[0]?.split("/")[0]} takes it at its next start` : "";
  const shown = source === "rpc-hash" ? `\n  password of ${rpcUser}: ${secret}` : `\n  ${secret}`;
  return done + takes + (show && secret ? shown : "");
}

/** Asks until the answer is fit, or empty. */
async function ask(need: Need): Promise<string> {
  for (;;) {
    const value = await askHidden(
      `${need.key} in ${need.path}: ${need.description}\n  not shown while you type; Enter alone leaves it for later: `,
    );
    const refused = value && refusal(need, value);
    if (!refused) return value;
    process.stderr.write(`  it ${refused}; choose another\n`);
  }
}

/** Values from standard input. No message tells anything of them. */
async function readGiven(targets: readonly Target[]): Promise<Given> {
  if (process.stdin.isTTY) throw new Error("--stdin takes a pipe or a file; leave it out, and you are asked");
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
  let given: unknown;
  try {
    given = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    // The parser's own message would quote the text.
  }
  const objects = [given, ...Object.values(given ?? {})];
  const values = Object.values(given ?? {}).flatMap((items) => Object.values(items ?? {}));
  if (!objects.every(isObject) || !values.every((value) => typeof value === "string")) {
    throw new Error('standard input is not {"<path>":{"<key>":"<value>"}} in JSON');
  }
  const known = targets.flatMap(({ needs }) => needs);
  for (const [path, items] of Object.entries(given as Given)) {
    for (const key of Object.keys(items)) {
      if (known.some((need) => need.path === path && need.key === key)) continue;
      throw new Error(
        `nobody reads ${key} in ${path}, given on standard input; homelab secrets check --json lists what is read`,
      );
    }
  }
  return given as Given;
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Prints how things stand. @throws CommanderError with exit code 2 when something is missing. */
function conclude(reports: readonly SecretsReport[], { json }: Options, command: Command): void {
  const { writeOut, getOutHasColors } = command.configureOutput();
  const style = styleFor(getOutHasColors?.() ?? false);
  writeOut?.(
    json
      ? `${JSON.stringify({ stacks: reports }, null, 2)}\n`
      : reports.map((one) => statusText(one, style)).join("\n"),
  );
  if (!reports.every(({ complete }) => complete)) {
    throw new CommanderError(2, "homelab.secretsMissing", "secrets are missing");
  }
}

function warn(command: Command, text: string): void {
  command.configureOutput().writeErr?.(`warning: ${text}\n`);
}
