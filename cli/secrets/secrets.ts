import { type Command, CommanderError } from "commander";
import { readVariable, replaceItem } from "../../nomad/variable";
import { confirm } from "../shared/prompt";
import { type Need, type Needs, needsOf } from "../shared/secret-needs";
import { Session } from "../shared/session";
import { type Target, withOptions } from "../shared/target";
import type { Verb } from "../shared/verb";
import { type Filled, fill } from "./fill";
import { identityNotes, makeIdentities, makeIdentitiesIfAllowed, registerAdopt } from "./identity";
import { heldSecrets } from "./in-use";
import { ask, nonInteractiveReason, readGiven, readValue, unread, warnOfPlainHttp } from "./input";
import { registerRotate } from "./rotate";
import { type Circumstances, rotation, type SecretsReport, statusesOf, twinsOf } from "./state";
import { statusText } from "./text";
import { readOrList, Variables } from "./variables";

interface InitOptions {
  readonly show?: true;
  readonly stdin?: true;
  readonly identity?: true;
}

interface SetOptions {
  readonly yes?: true;
}

const CODES = `
Exit codes: 0 all secrets are there, 1 an error, 2 something is missing or wrong. With --json, standard output is
{ stacks: [{ stack, nomadAddress, complete, secrets: [{ namespace, path, key, readBy, state, problem, … }], notes }] }.`;

const HELP_SET = `
Exit codes: 0 stored, or it had this value already, 1 an error. With --json, standard output is
{ namespace, path, key, readBy, stored }.`;

const HELP = `${CODES}

Nomad is asked at the address that was synthesized, with NOMAD_TOKEN, NOMAD_CACERT, NOMAD_CLIENT_CERT, NOMAD_CLIENT_KEY,
NOMAD_TLS_SERVER_NAME and NOMAD_SKIP_VERIFY of the environment. With ACLs, init takes a token that may read and write
variables, and read jobs; set one that may read and write them; check one that may read them, or list them, and then it
sees variables but not their keys.

init overwrites nothing. set overwrites one key and keeps the others; nomad var put would replace the whole variable. The
reader takes a new value at its next restart. To change a password, by what it is for:

A database, such as Alby Hub's:
  1. in PostgreSQL: ALTER ROLE albyhub PASSWORD …, or in psql \\password albyhub, which leaves no trace in its history
  2. homelab secrets set nomad/jobs/albyhub/albyhub/albyhub database_password
  3. raise metaVersion of albyhub and deploy

What unlocks Alby Hub. The hub keeps the one it was set up with, so never delete the key: another one locks it out.
  1. change the unlock password in the hub
  2. homelab secrets set nomad/jobs/albyhub/albyhub/albyhub auto_unlock_password

What opens the backup is restic's, and homelab secrets set alone would lock the backup out: restic key passwd first.

An RPC user, such as electrs: homelab secrets rotate electrs. It turns nobody away.

init also makes the homelab's identity, with which a hub claims its work directory, so that no other cluster's hub starts on
it. It is no secret, and nothing waits for it.`;

export const secrets: Verb = {
  examples: [
    ["homelab secrets check", "what is missing, and who reads it; run before each deploy"],
    ["homelab secrets init", "make what can be made, ask for the rest; before the first deploy, and after"],
    [
      "pass homelab | homelab secrets init --stdin",
      'the same with {"<path>":{"<key>":"<value>"}} instead of questions',
    ],
    ["homelab secrets set <path> <key>", "store another value, typed or from standard input; other keys stay"],
    [
      "homelab secrets adopt albyhub 0b0c…",
      "take over the work directory that another homelab's hub has claimed, once that is stopped for good",
    ],
    ["homelab secrets rotate electrs", "another password for an RPC user of bitcoind, without turning it away"],
  ],
  register: (program: Command) => {
    const command = program
      .command("secrets")
      .summary("the Nomad variables that jobs read: check, init, set, rotate, adopt")
      .description(
        "Checks and fills the Nomad variables that the synthesized jobs read. Secrets never enter Terraform.",
      )
      .addHelpText("after", HELP);
    withOptions(command.command("check"))
      .summary("name what is missing, empty or wrong")
      .description("Names every key that is missing, empty or wrong, with its readers. Prints no value.")
      .addHelpText("after", CODES)
      .action(async (_options: unknown, self: Command) => {
        const session = new Session(self);
        const reports: SecretsReport[] = [];
        for (const reader of readersOf(session)) {
          reports.push(await session.looking([reader], () => look(reader)));
        }
        conclude(reports, session);
      });
    withOptions(command.command("init"))
      .summary("make what is missing")
      .description(
        "Makes random passwords, and the hashes that bitcoind has of them; asks for what only you know. It overwrites " +
          "nothing, prints no value unless asked, and can be run again at any time.",
      )
      .option("--stdin", 'take values from standard input instead of asking: {"<path>":{"<key>":"<value>"}}')
      .option("--show", "print the passwords that are made, and make those that nothing but this output will hold")
      .option("--identity", "make the homelab's identity alone, if the token may; npm run deploy does that")
      .addHelpText("after", CODES)
      .action((options: InitOptions, self: Command) => init(options, new Session(self)));
    withOptions(command.command("set <path> <key>"))
      .summary("give one secret another value")
      .description(
        "Stores one value: typed on a terminal, not shown, or else the whole of standard input, without the line end " +
          "after a single line. Every other key of the variable stays as it is. What must have the same value at other " +
          "paths, such as the database's password for the hub and for its backup, is stored there as well.",
      )
      .option("--yes", "overwrite without asking")
      .addHelpText("after", HELP_SET)
      .action((path: string, key: string, options: SetOptions, self: Command) =>
        set({ path, key }, options, new Session(self)),
      );
    registerRotate(command);
    registerAdopt(command);
    return command;
  },
};

/** A stack that reads secrets, and the way to its Nomad. */
interface Reader extends Needs, Pick<Target, "stack" | "client" | "homelab"> {}

function readersOf(session: Session): Reader[] {
  return session
    .targets()
    .map((one) => ({ stack: one.stack, client: one.client, homelab: one.homelab, ...needsOf(one) }));
}

async function look(
  { stack, needs, notes, ...place }: Reader,
  filled: readonly Filled[] = [],
  circumstances: Omit<Circumstances, "held"> = {},
): Promise<SecretsReport> {
  const { client } = place;
  const variables = await Variables.read(client, needs, readOrList);
  const held = await heldSecrets(client, needs, variables);
  const secrets = statusesOf(needs, variables, { ...circumstances, held }).map((status) => {
    const one = filled.find(({ need }) => need.path === status.path && need.key === status.key);
    return { ...status, ...(one && { filled: one.how }), ...(one?.secret && { secret: one.secret }) };
  });
  const complete = secrets.every(({ state }) => state === "present" || state === "unseen");
  return {
    stack,
    nomadAddress: client.address,
    complete,
    secrets,
    notes: [...notes, ...(await identityNotes(place))],
  };
}

async function init(options: InitOptions, session: Session): Promise<void> {
  const readers = readersOf(session);
  if (options.identity) {
    for (const reader of readers) await makeIdentitiesIfAllowed(reader, session);
    return;
  }
  const given = options.stdin ? await readGiven(readers.flatMap(({ needs }) => needs)) : {};
  const unasked = options.stdin ? undefined : nonInteractiveReason();
  const asks = !options.stdin && !unasked;
  const show = options.show ?? false;
  const reports: SecretsReport[] = [];
  const filled: Filled[] = [];
  const tell = (one: Filled) => {
    filled.push(show ? one : { need: one.need, how: one.how });
    session.say(filledText(one, show));
  };
  try {
    for (const reader of readers) {
      warnOfPlainHttp(reader.client, session);
      await fill(reader.client, reader.needs, { given, show, ...(asks && { ask: askForLack }) }, tell);
      await makeIdentities(reader, (text) => session.say(text));
      reports.push(await look(reader, filled, { given, unasked }));
    }
  } catch (error) {
    // A password that is only shown would be lost.
    if (show && filled.length > 0) session.print({ filled });
    throw error;
  }
  conclude(reports, session);
}

function askForLack(need: Need, held?: string): Promise<string> {
  return ask(
    need,
    held ? `${held}: give the one it has; if it was never set up, choose one` : "",
    "leaves it for later",
  );
}

async function set({ path, key }: Pick<Need, "path" | "key">, options: SetOptions, session: Session): Promise<void> {
  const found = readersOf(session).flatMap(({ stack, client, needs }) =>
    needs.filter((one) => one.path === path && one.key === key).map((need) => ({ stack, client, need, needs })),
  );
  const [one] = found;
  if (!one) throw new Error(unread(path, key));
  if (found.length > 1) {
    const places = found.map(({ stack, need }) => `stack ${stack}, namespace ${need.namespace}`);
    throw new Error(`${key} in ${path} is read in several places: ${places.join("; ")}; choose one with --stack`);
  }
  const { client, need, needs } = one;
  const place = `${key} in ${path}`;
  const both = rotation(need, needs);
  if (both) throw new Error(`${place} is half of a pair, password and hash of ${need.rpcUser}; ${both} changes both`);

  warnOfPlainHttp(client, session);
  const places: { readonly one: Need; readonly was: string }[] = [];
  for (const one of [need, ...twinsOf(need, needs)]) {
    places.push({ one, was: (await readVariable(client, one)).items[one.key] ?? "" });
  }
  const asks = process.stdin.isTTY;
  const unasked = nonInteractiveReason();
  if (asks && unasked) throw new Error(`${unasked}, so you cannot be asked; give the value on standard input`);
  // What nobody but the service knows is changed there.
  const note = need.source === "random" ? "the service must have it already: change it there first" : "";
  const value = asks ? await ask(need, note, "changes nothing") : await readValue(need);
  if (value === "") throw new Error(`nothing was typed; ${place} stays as it is`);
  const conclude = (stored: boolean) => {
    const { namespace, readBy } = need;
    session.print({ namespace, path, key, readBy, stored });
  };
  const differing = places.filter(({ was }) => was !== value);
  if (differing.length === 0) {
    session.say(`${place} has this value already`);
    conclude(false);
    return;
  }
  if (differing.some(({ was }) => was !== "") && !options.yes) {
    if (!asks) throw new Error(`${place} has another value already; not overwritten; --yes overwrites it`);
    const where = places.length > 1 ? `; it is written to ${places.length} paths, which must have the same` : "";
    if (!(await confirm(`  it has another value${where}; overwrite it? [y/N] `))) {
      throw new Error(`${place} stays as it is`);
    }
  }
  for (const { one, was } of differing) {
    const { written } = await replaceItem(client, one, one.key, was, value);
    const where = `${one.key} in ${one.path}`;
    if (!written) throw new Error(`somebody else changed ${where} in the meantime; it stays as they left it`);
    const jobs = [...new Set(one.readBy.map((reader) => reader.split("/")[0]))].join(", ");
    session.say(`stored ${where}; ${jobs} takes it at the next restart: raise metaVersion and deploy`);
  }
  conclude(true);
}

function filledText({ need, how, secret }: Filled, show: boolean): string {
  const { key, path, source, rpcUser, readBy } = need;
  const done = `${how === "made" || how === "copied" ? how : "stored"} ${key} in ${path}`;
  const takes = source === "rpc-hash" ? `; ${readBy[0]?.split("/")[0]} takes it at its next start` : "";
  const shown = source === "rpc-hash" ? `\n  password of ${rpcUser}: ${secret}` : `\n  ${secret}`;
  return done + takes + (show && secret ? shown : "");
}

/** Prints how things stand. @throws CommanderError with exit code 2 when something is missing. */
function conclude(reports: readonly SecretsReport[], session: Session): void {
  session.print({ stacks: reports }, (style) => reports.map((one) => statusText(one, style)).join("\n"));
  if (!reports.every(({ complete }) => complete)) {
    throw new CommanderError(2, "homelab.secretsMissing", "secrets are missing");
  }
}
