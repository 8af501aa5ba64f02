import { type Command, CommanderError } from "commander";
import { Session } from "../shared/session";
import { ENVIRONMENT, withOptions } from "../shared/target";
import type { Verb } from "../shared/verb";
import { driftOf } from "./model";
import { driftText } from "./text";

const HELP = `
Exit codes: 0 no difference, 1 an error, 2 something differs. With --json, standard output is
{ stacks: [{ stack, nomadAddress, differs, pause, differences: [{ kind, namespace, name, problem, fields:
[{ field, live, code }], updates: [{ group, restarts, starts, stops }] }] }] }.

Compared are jobs (by the plan of Nomad's own scheduler), jobs and volumes that the code does not know in the namespaces
it manages, volumes, namespaces and the scheduler's settings. Mount options of a volume are not: Nomad hides them.
With ACLs it takes read and plan-job in the namespaces, read for operator and plugin, and read of the Nomad variable
homelab/pause: the policy reader of the server role.
${ENVIRONMENT}`;

export const drift: Verb = {
  examples: [
    ["homelab drift", "what in Nomad is not as the code says; Terraform sees none of what was done by hand"],
    ["homelab drift --json | jq '.stacks[].differences'", "the same for programs"],
  ],
  register: (program: Command) =>
    withOptions(program.command("drift"))
      .summary("what in Nomad differs from the code")
      .description(
        "Compares the synthesized jobs, volumes, namespaces and scheduler settings with the live ones. Changes nothing.",
      )
      .addHelpText("after", HELP)
      .action(async (_options: unknown, command: Command) => {
        const session = new Session(command);
        const targets = session.targets();
        const reports = await session.looking(targets, () =>
          Promise.all(targets.map((target) => driftOf(target, target.client))),
        );
        session.print({ stacks: reports }, (style) => reports.map((one) => driftText(one, style)).join("\n"));
        if (reports.some(({ differs }) => differs)) throw new CommanderError(2, "homelab.drift", "something differs");
      }),
};
