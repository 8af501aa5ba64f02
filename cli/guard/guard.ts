import { type Command, CommanderError } from "commander";
import { guard as ask, type Refusal } from "../../nomad/guard";
import { planJob } from "../../nomad/plan";
import { scrubbed } from "../../rules/shared/scrub";
import { lostState } from "../shared/lost-state";
import { nomadRefusals } from "../shared/nomad-version";
import { needsOf } from "../shared/secret-needs";
import { Session } from "../shared/session";
import { strangersTo } from "../shared/strangers";
import { ENVIRONMENT, type Target, withOptions } from "../shared/target";
import { type Style, WIDTH, wrap } from "../shared/text";
import type { Verb } from "../shared/verb";

/** A stack as `--json` prints it. */
interface GuardReport {
  readonly stack: string;
  readonly nomadAddress: string;
  /** Ids of the jobs that a deploy would change. */
  readonly changes: readonly string[];
  readonly refusals: readonly Refusal[];
  /** What could not be told. */
  readonly notes: readonly string[];
}

const HELP = `
Exit codes: 0 a deploy may go on, 1 an error, 2 it must not. With --json, standard output is
{ stacks: [{ stack, nomadAddress, changes: [job], refusals: [{ reason, job, problem, remedy }], notes: [text] }] }.

It refuses while an allocation of a job that would change is unknown or its node is not ready, since the new version
would run beside it; when another job, of whatever namespace that the token sees, writes the same folder, is a hub on the
same database, or registers the same service; while a pause is on; when a secret is missing; when an agent's Nomad is too
old to run what must have one writer; and when Nomad has what Terraform's state does not know. npm run deploy asks it first. Bare cdktf deploy does not.
${ENVIRONMENT}`;

export const guard: Verb = {
  examples: [["homelab guard && cdktf deploy", "deploy only when nothing speaks against it, as npm run deploy does"]],
  register: (program: Command) =>
    withOptions(program.command("guard"))
      .summary("whether a deploy may go on now")
      .description("Asks Nomad which jobs a deploy would change, and whether that is safe now. Changes nothing.")
      .addHelpText("after", HELP)
      .action(async (_options: unknown, command: Command) => {
        const session = new Session(command);
        const targets = session.targets();
        const reports = scrubbed(await session.looking(targets, () => Promise.all(targets.map(look))));
        for (const note of reports.flatMap(({ notes }) => notes)) session.warn(note);
        session.print({ stacks: reports }, (style) => reports.map((one) => guardText(one, style)).join(""));
        if (reports.some(({ refusals }) => refusals.length > 0)) {
          throw new CommanderError(2, "homelab.refused", "a deploy must not go on");
        }
      }),
};

async function look(target: Target): Promise<GuardReport> {
  const { stack, client, homelab } = target;
  const jobs = homelab.jobs.map(({ job }) => job);
  const plans = await Promise.all(jobs.map((job) => planJob(client, job)));
  const changing = jobs.filter((_, at) => plans[at]?.kind !== "equal");
  const [lost, spoken, strangers, nomad] = await Promise.all([
    lostState(target, client),
    ask(client, { jobs: changing, secrets: needsOf(target).needs }),
    strangersTo(target, changing),
    nomadRefusals(target),
  ]);
  return {
    stack,
    nomadAddress: client.address,
    changes: changing.map(({ ID }) => ID),
    refusals: [
      ...lost,
      ...spoken,
      ...strangers.refusals,
      ...nomad.map((one) => ({ reason: "nomad", ...one }) as const),
    ],
    notes: strangers.notes,
  };
}

function guardText({ stack, nomadAddress, changes, refusals }: GuardReport, { bold, green, red }: Style): string {
  const what = changes.length > 0 ? `a deploy would change ${changes.join(", ")}` : "a deploy would change no job";
  const verdict = refusals.length > 0 ? red("must not go on") : green("may go on");
  const lines = refusals.flatMap(({ problem, remedy }) => [
    ...wrap(problem, WIDTH - 2, "  ").map((line) => `  ${line}`),
    ...wrap(remedy, WIDTH - 4, "  ").map((line) => `    ${line}`),
  ]);
  return `${[`${bold(stack)} at ${nomadAddress}: ${what}; it ${verdict}`, ...lines].join("\n")}\n`;
}
