import { type Command, CommanderError } from "commander";
import { scrubbed } from "../../rules/shared/scrub";
import { Session } from "../shared/session";
import { ENVIRONMENT, withOptions } from "../shared/target";
import type { Verb } from "../shared/verb";
import { follow } from "./follow";
import { statusOf } from "./model";
import { statusText } from "./text";

const HELP = `
Exit codes: 0 nothing is bad (what passes by itself, such as an initial sync, is yellow, not bad), 1 an error, 2 something
is bad. What cannot be known is bad. With --json, standard output is { stacks: [{ stack, nomadAddress, mood, well, pause,
nomad, nodes, services, plugins, volumes, absences, backup }] }; a mood is "good", "waiting" or "bad", and that of a stack
is the worst in it; well is false as well while a service waits; memory is in MiB, an uptime in seconds.

While a hub's Lightning node does not run, it says for how long at least, and how long is left until a peer that cheats could
get away with it: red from half of that time on.

The backup is red when a set's newest is older than 26 h, or when a check or a drill has failed; homelab backup --help.
bitcoind's progress is read from its log; electrs and Alby Hub are asked at their own addresses, so run it where these can
be reached. With ACLs it takes the policy reader of the server role.
${ENVIRONMENT}`;

export const status: Verb = {
  examples: [
    ["homelab status", "machines, services, volumes, and whether bitcoind, electrs and Lightning really work"],
    ["homelab status --json | jq '.stacks[].services[] | select(.mood == \"bad\")'", "the same for programs"],
  ],
  register: (program: Command) =>
    withOptions(program.command("status"))
      .summary("how everything is, on one screen")
      .description("Shows machines, services and volumes as they are now, and what the programs say of themselves.")
      .option("--follow", "go on until Ctrl-C, and tell of each service that becomes bad")
      .addHelpText("after", HELP)
      .action(async ({ follow: isFollowed }: { readonly follow?: true }, command: Command) => {
        const session = new Session(command);
        const targets = session.targets();
        if (isFollowed) return follow(targets, (text) => session.note(text));
        // What programs say of themselves may hold a password in a URL.
        const reports = scrubbed(await session.looking(targets, () => Promise.all(targets.map(statusOf))));
        session.print({ stacks: reports }, (style) => reports.map((one) => statusText(one, style)).join("\n"));
        if (reports.some(({ mood }) => mood === "bad")) throw new CommanderError(2, "homelab.bad", "something is bad");
      }),
};
