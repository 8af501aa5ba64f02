import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { type Command, CommanderError, Option } from "commander";
import {
  type Allowance,
  COMMIT_FORMAT,
  type Commit,
  readAllowance,
  readApproval,
  readCommits,
  readTrailers,
} from "../../review/allow";
import { contextOf } from "../../review/context";
import { startsFromNothing, stateDoubtful } from "../../review/lost-state";
import { LIMIT, markdown } from "../../review/markdown";
import { readPlan, readState, type State } from "../../review/plan";
import { type Review, reviewPlan } from "../../review/review";
import { codeOf, reviewState, type StateNote } from "../../review/state";
import { lines } from "../../review/text";
import { stateText } from "../../review/words";
import { scrub } from "../../rules/shared/scrub";
import { Session } from "../shared/session";
import { isSynthesized, readSynthesized, type Synthesized } from "../shared/synthesized";
import { ENVIRONMENT } from "../shared/target";
import { lockedVersions, makePlan, showState } from "../shared/terraform";
import { printableJson, type Style, WIDTH, wrap } from "../shared/text";
import type { Verb } from "../shared/verb";
import { deployedBefore } from "./evidence";
import { type Asked, liveOf } from "./live";

interface Options {
  readonly plan?: string;
  readonly state?: true | string;
  readonly nomad?: true;
  readonly allow?: readonly Allowance[];
  readonly commits?: string;
  readonly approved?: string;
  readonly format: "markdown" | "json" | "text";
  readonly stack?: string;
}

const HELP = `
Exit codes: 0 safe (nothing, or only what is new and what restarts), 1 the review itself failed, 2 needs an
acknowledgement, 3 refused. docs/review.md lists all findings.

Without --plan it makes the plan itself, of what was synthesized, and keeps it as review.tfplan beside cdk.tf.json: apply
that file, and what was reviewed is what happens. A plan made elsewhere is given as terraform show -json prints it.
With --nomad what restarts is no expectation but the plan of Nomad's own scheduler, and a plan is refused while a deploy
must not go on.
${ENVIRONMENT}`;

export const review: Verb = {
  examples: [
    ["homelab review", "what the code as it was synthesized will do to the node, in words"],
    [
      "homelab review --allow memory-lowered:nomad_job.bitcoin='measured for a month'",
      "the same, with a finding accepted",
    ],
    [
      "terraform show -json p | homelab review --plan - --format markdown",
      "of any plan, as a comment for a pull request",
    ],
    ["homelab review --state", "what is odd in Terraform's state"],
  ],
  register: (program: Command) =>
    program
      .command("review")
      .summary("what a plan will do to the node, in words")
      .description(
        "Makes a Terraform plan and says what restarts, for how long, who notices, and whether the chain or money is at " +
          "risk. Changes nothing.",
      )
      .option("--plan <file>", "review this plan, as terraform show -json prints it; - for standard input")
      .option("--state [file]", "review the state alone: the stack's own, or one as terraform show -json prints it")
      .option("--nomad", "ask the cluster what it would do, and whether a deploy may go on")
      .option("--allow <finding:resource=reason>", "accept a finding; may be given again", collect)
      .option("--commits <range>", "accept what the trailers Homelab-Allow of these commits say, such as main..HEAD")
      .option("--approved <file>", "accept what only the owner can accept and this review, as --json printed it, shows")
      .addOption(
        new Option("--format <format>", "how to print it").choices(["markdown", "json", "text"]).default("text"),
      )
      .addOption(new Option("--json", "the same as --format json").implies({ format: "json" }))
      .option("--stack <name>", "this stack alone")
      .addHelpText("after", HELP)
      // A command line that is not understood is no finding: it ends with 1, as every failure does.
      .exitOverride((error) => {
        throw error.exitCode === 0 ? error : new CommanderError(1, "homelab.review", error.message);
      })
      .action(run),
};

async function run(options: Options, command: Command): Promise<void> {
  const session = new Session(command);
  if (options.state !== undefined) {
    session.write(await stateReport(options, session.style));
    return;
  }
  const allowances = [
    ...(options.allow ?? []),
    ...(options.commits ? readTrailers(commitsIn(options.commits)) : []),
    ...(options.approved ? readApproval(read(options.approved)) : []),
  ];
  const reviews: { readonly stack: string; readonly review: Review }[] = [];
  for (const { stack, json, target, failure } of await plansOf(options)) {
    if (failure) session.note(scrub(failure));
    const plan = readPlan(json);
    // Of a plan from elsewhere NOMAD_ADDR names the cluster.
    const asked: Asked = options.nomad
      ? await liveOf(target ?? { stack, homelab: contextOf(plan).after.homelab }, plan)
      : { plan, more: startsFromNothing(plan) && target ? stateDoubtful(deployedBefore(target.file)) : [] };
    for (const note of asked.notes ?? []) session.warn(scrub(note));
    reviews.push({ stack, review: reviewPlan(asked.plan, { allowances, ...asked }) });
  }
  session.write(reviewText(reviews, options, session.style));
  const exit = Math.max(...reviews.map(({ review }) => review.exit));
  if (exit > 0) throw new CommanderError(exit, "homelab.review", "the plan is not safe as it is");
}

function collect(text: string, before: readonly Allowance[] = []): readonly Allowance[] {
  return [...before, readAllowance(text)];
}

interface StackPlan {
  readonly stack: string;
  readonly json: string;
  readonly target?: Synthesized;
  readonly failure?: string;
}

async function plansOf({ plan, stack, nomad }: Options): Promise<StackPlan[]> {
  if (plan === undefined) {
    const made: StackPlan[] = [];
    for (const target of stacks(stack))
      made.push({ stack: target.stack, target, ...(await makePlan(dirname(target.file))) });
    return made;
  }
  const json = read(plan);
  const target = nomad && isSynthesized() ? stacks(stack)[0] : ifAny(() => stacks(stack)[0]);
  return [{ stack: stack ?? "homelab", json, ...(target && { target }) }];
}

/** A plan may come from elsewhere, and be reviewed where nothing was synthesized. */
function ifAny<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch {
    return undefined;
  }
}

function stacks(name: string | undefined): readonly Synthesized[] {
  // What goes from the code altogether, or cannot be read, is what a review is for.
  const all = readSynthesized(undefined, undefined, { withoutJobs: true, withoutUnreadable: true });
  const chosen = all.filter(({ stack }) => name === undefined || stack === name);
  if (chosen.length > 0) return chosen;
  throw new Error(`there is no stack ${name}; stacks with Nomad: ${all.map(({ stack }) => stack).join(", ")}`);
}

function read(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    throw new Error(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function commitsIn(range: string): Commit[] {
  if (range.startsWith("-")) throw new Error(`--commits ${range}: write a range of commits, such as main..HEAD`);
  try {
    const options = ["-c", "trailer.separators=:", "log", "--no-show-signature", `--format=${COMMIT_FORMAT}`];
    return readCommits(
      execFileSync("git", [...options, range, "--"], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
        maxBuffer: 2 ** 26,
      }),
    );
  } catch (error) {
    throw new Error(
      `--commits ${range}: git cannot list them (${String((error as { stderr?: string }).stderr ?? error).trim()})`,
    );
  }
}

function reviewText(
  reviews: readonly { readonly stack: string; readonly review: Review }[],
  { format }: Options,
  style: Style,
): string {
  if (format === "json") {
    return `${printableJson({ stacks: reviews.map(({ stack, review }) => ({ stack, ...review })) })}\n`;
  }
  if (format === "markdown") {
    const limit = Math.floor(LIMIT / reviews.length) - 1;
    return reviews.map(({ stack, review }) => markdown(review, { stack, limit })).join("\n");
  }
  return reviews.map(({ review }) => terminal(review, style)).join("\n");
}

function terminal(review: Review, { bold, dim, red, green, yellow }: Style): string {
  const paint = { safe: green, warning: yellow, danger: red, heading: bold, plain: (text: string) => text, dim };
  const text = lines(review).flatMap(({ text, kind, indent }) => {
    const space = " ".repeat(indent);
    const broken = wrap(text, WIDTH - indent).map((line) => space + paint[kind](line));
    return kind === "heading" ? ["", ...broken] : broken;
  });
  return `${text.join("\n")}\n`;
}

interface StateReport {
  readonly stack: string;
  readonly terraformVersion: string;
  /** With their versions, where Terraform has locked them. */
  readonly providers: readonly string[];
  readonly notes: readonly StateNote[];
}

/** A state from a file is read without code where nothing was synthesized. */
async function stateReports({ state, stack }: Options): Promise<StateReport[]> {
  if (typeof state === "string" && !isSynthesized()) return [report(stack ?? "homelab", readState(read(state)))];
  const reports: StateReport[] = [];
  for (const target of stacks(stack)) {
    const folder = dirname(target.file);
    const text = typeof state === "string" ? read(state) : await showState(folder);
    reports.push(report(target.stack, readState(text), JSON.parse(read(target.file)), lockedVersions(folder)));
  }
  return reports;
}

function report(
  stack: string,
  state: State,
  config?: Parameters<typeof codeOf>[0],
  versions: ReadonlyMap<string, string> = new Map(),
): StateReport {
  const { terraformVersion, resources } = state;
  const notes = reviewState(state, config && codeOf(config));
  const providers = [...new Set(resources.map(({ provider }) => provider))].sort();
  return {
    stack,
    terraformVersion,
    providers: providers.map((name) => [name, versions.get(name)].filter(Boolean).join(" ")),
    notes,
  };
}

async function stateReport(options: Options, { bold }: Style): Promise<string> {
  const reports = await stateReports(options);
  const { format } = options;
  if (format === "json") return `${printableJson({ stacks: reports })}\n`;
  return reports
    .map(({ stack, terraformVersion, providers, notes }) => {
      const head = `state of ${stack}: Terraform ${terraformVersion}${providers.length > 0 ? `, ${providers.join(", ")}` : ""}`;
      const told = notes.map((note) => (format === "markdown" ? `- ${stateText(note)}` : `  ${stateText(note)}`));
      const all = told.length > 0 ? told : ["  nothing is odd"];
      return `${[format === "markdown" ? `### ${head}\n` : bold(head), ...all].join("\n")}\n`;
    })
    .join("\n");
}
