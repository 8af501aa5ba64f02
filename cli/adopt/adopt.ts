import { writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { type Command, CommanderError } from "commander";
import { VOLUME_TYPES } from "../../model/read-stack";
import { type DriftReport, driftOf } from "../drift/model";
import { differencesText } from "../drift/text";
import { type Import, importsOf } from "../shared/living";
import { Session } from "../shared/session";
import { ENVIRONMENT, withOptions } from "../shared/target";
import { type Style, WIDTH, wrap } from "../shared/text";
import type { Verb } from "../shared/verb";
import { Interrupted } from "../shared/watch";
import { importBlocks, planWith, type ResourceChange } from "./plan";

/** As `--json` prints it. */
interface Adoption {
  readonly stack: string;
  /** What Nomad has already. */
  readonly imports: readonly Import[];
  /** What a deploy would then change in it. */
  readonly differences: DriftReport["differences"];
  /** What Terraform would destroy or replace: nothing, or it must not be adopted so. */
  readonly replaced: readonly (ResourceChange & { readonly remedy: string })[];
  /** Where the import blocks were written. */
  readonly written?: string;
}

const HELP = `
Terraform plans the stack in a folder of its own, with an empty state and an import of each job, volume and namespace that
Nomad has. With --write the import blocks are left beside the synthesized stack, where the next cdktf plan and deploy find
them; or run the commands that are shown, terraform import <address> <id>. After the deploy delete the file.

Exit codes: 0 it can be adopted, nothing would be destroyed or replaced, 1 an error, 2 something would be: change main.ts as
it says. With --json, standard output is { stack, imports, differences, replaced, written }. Needs Terraform. With ACLs it
takes the policy reader of the server role; nothing in Nomad is changed.
${ENVIRONMENT}`;

export const adopt: Verb = {
  examples: [
    ["homelab adopt", "what taking over a cluster that runs already would change, and whether anything is replaced"],
    ["homelab adopt --write", "the same, and leaves the import blocks for the next deploy"],
  ],
  register: (program: Command) =>
    withOptions(program.command("adopt"))
      .summary("take over jobs, volumes and a namespace that live already")
      .description(
        "Compares what lives with what was synthesized, and proves by a plan that an import replaces nothing.",
      )
      .option("--write", "write the import blocks when nothing is replaced")
      .addHelpText("after", HELP)
      .action(({ write }: { readonly write?: true }, command: Command) => run(new Session(command), write === true)),
};

async function run(session: Session, write: boolean): Promise<void> {
  const target = session.target();
  const { stack, client, file } = target;
  const adoption = await session
    .watch(async (watch): Promise<Adoption> => {
      watch.tell(`asking ${client.address}`);
      const [imports, drift] = await Promise.all([importsOf(target, client), driftOf(target, client)]);
      watch.check();
      watch.tell("Terraform plans the stack with the imports");
      const changes = await planWith(file, imports);
      watch.check();
      const replaced = changes
        .filter(({ actions }) => actions.includes("delete"))
        .map((change) => ({ ...change, remedy: remedyOf(change, imports) }));
      const writes = write && replaced.length === 0 && imports.length > 0;
      const place = join(dirname(file), "imports.tf.json");
      if (writes) writeFileSync(place, importBlocks(imports));
      return { stack, imports, differences: drift.differences, replaced, ...(writes && { written: place }) };
    })
    .catch((error: unknown) => {
      if (error instanceof Interrupted) throw new Error("interrupted; nothing is changed");
      throw error;
    });
  session.print(adoption, (style) => adoptionText(adoption, file, style));
  if (adoption.replaced.length > 0) throw new CommanderError(2, "homelab.replaced", "something would be replaced");
}

function remedyOf({ address, because }: ResourceChange, imports: readonly Import[]): string {
  const [id = ""] = imports.find(({ to }) => to === address)?.id.split("@") ?? [];
  if (VOLUME_TYPES.includes(address.split(".")[0] ?? "")) {
    return (
      `in main.ts refer to it instead of registering it: CsiVolume.fromVolumeId(homelab, "${id}", { volumeId: "${id}", ` +
      "holds: …, plugin })"
    );
  }
  const fields = because.length > 0 ? ` in ${because.join(", ")}` : "";
  return `change main.ts until it is the same${fields} as what lives`;
}

function adoptionText(
  { stack, imports, differences, replaced, written }: Adoption,
  file: string,
  style: Style,
): string {
  const { bold, green, red } = style;
  const folder = relative(process.cwd(), dirname(file)) || ".";
  const commands = imports.map(({ to, id }) => `  terraform -chdir=${folder} import ${to} ${id}`);
  const verdict =
    replaced.length > 0
      ? red("must not be adopted so: something would be destroyed or replaced")
      : green("can be adopted: nothing is destroyed, nothing replaced");
  const bad = replaced.flatMap(({ address, actions, because, remedy }) => [
    `  ${address}: ${actions.join(" and ")}${because.length > 0 ? ` because of ${because.join(", ")}` : ""}`,
    ...wrap(remedy, WIDTH - 4, "  ").map((line) => `    ${line}`),
  ]);
  const changes = differencesText(differences, style);
  const lines = [
    `${bold(stack)}: ${verdict}`,
    ...bad,
    ...(changes.length > 0 ? [bold("A deploy would change"), ...changes] : ["A deploy would change nothing"]),
    ...(replaced.length > 0 || imports.length === 0
      ? []
      : written
        ? [`Import blocks: ${written}; then npm run plan, npm run deploy, and delete it`]
        : [bold("Imports"), ...commands]),
  ];
  return `${lines.join("\n")}\n`;
}
