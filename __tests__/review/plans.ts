import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { Job, Task, TaskGroup } from "../../.gen/nomad/job";
import { markdown } from "../../review/markdown";
import { readPlan } from "../../review/plan";
import { type Review, type ReviewOptions, reviewPlan } from "../../review/review";
import { lines } from "../../review/text";

const FOLDER = join(__dirname, "../fixtures/plans");

const plans = new Map<string, string>();

/** A plan that real Terraform made; see its folder's make.mjs. */
export function fixture(name: string): string {
  const text = plans.get(name) ?? gunzipSync(readFileSync(join(FOLDER, `${name}.json.gz`))).toString();
  plans.set(name, text);
  return text;
}

export function reviewOf(name: string, options?: ReviewOptions): Review {
  return reviewPlan(readPlan(fixture(name)), options);
}

/** Findings as short lines, `finding resource`. */
export function findingsOf({ findings }: Review): string[] {
  return findings.map(({ finding, resource }) => `${finding} ${resource}`);
}

/** Everything that is ever printed of a review. */
export function printed(review: Review): string {
  const terminal = lines(review).map(({ text }) => text);
  return [markdown(review), JSON.stringify(review), ...terminal].join("\n");
}

export type RawPlan = {
  resource_changes: {
    address: string;
    mode: string;
    type: string;
    name: string;
    provider_name: string;
    action_reason?: string;
    change: {
      actions: string[];
      before: Record<string, unknown> | null;
      after: Record<string, unknown> | null;
      after_unknown: unknown;
      before_sensitive: unknown;
      after_sensitive: unknown;
    };
  }[];
  output_changes?: Record<string, unknown>;
  [key: string]: unknown;
};

/** A real plan, with a change of a test's own. */
export function changed(name: string, change: (plan: RawPlan) => void): string {
  const plan = JSON.parse(fixture(name)) as RawPlan;
  change(plan);
  return JSON.stringify(plan);
}

export type JobEdit = (task: Task, group: TaskGroup, job: Job) => unknown;

/**
 * The review of a stack that does not describe itself, in which one job changes; the plan is a real one of no changes.
 *
 * @param id of the job: bitcoin, electrs or albyhub.
 */
export function reviewOfChange(
  edit: JobEdit,
  { id = "bitcoin", before = () => {} }: { id?: string | undefined; before?: JobEdit } = {},
): Review {
  return reviewPlan(
    readPlan(
      changed("no-op", (plan) => {
        delete plan.output_changes;
        const found = plan.resource_changes.find(({ address }) => address === `nomad_job.${id}`);
        if (!found?.change.before || !found.change.after) throw new Error(`no job ${id}`);
        const apply = (values: Record<string, unknown>, change: JobEdit) => {
          const job = JSON.parse(String(values.jobspec)) as Job;
          const [group] = job.TaskGroups;
          const task = group?.Tasks.find(({ Lifecycle }) => !Lifecycle);
          if (!group || !task) throw new Error("no task");
          change(task, group, job);
          values.jobspec = JSON.stringify(job);
        };
        apply(found.change.before, before);
        apply(found.change.after, before);
        apply(found.change.after, edit);
        found.change.actions = ["update"];
      }),
    ),
  );
}
