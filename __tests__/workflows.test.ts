import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { parse } from "yaml";

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly concurrency?: unknown;
  readonly jobs: Readonly<
    Record<
      string,
      {
        readonly if?: string;
        readonly "runs-on": string | readonly string[];
        readonly permissions?: Readonly<Record<string, string>>;
        readonly environment?: string;
        readonly steps: readonly Step[];
      }
    >
  >;
}

const workflows = Object.fromEntries(
  readdirSync(".github/workflows").map((file) => {
    const text = readFileSync(`.github/workflows/${file}`, "utf8");
    return [file, parse(text) as Workflow];
  }),
);
const jobsOf = (file: string) => Object.values(workflows[file]?.jobs ?? {});

describe("every workflow", () => {
  const texts = readdirSync(".github/workflows").map((file) => [
    file,
    readFileSync(`.github/workflows/${file}`, "utf8"),
  ]);
  const used = texts.flatMap(([file, text = ""]) =>
    [...text.matchAll(/^\s*(?:- )?uses:\s*(.*)$/gm)].map(([, what = ""]) => [file, what] as const),
  );

  test("is read whole", () => {
    const steps = Object.values(workflows).flatMap(({ jobs }) => Object.values(jobs).flatMap(({ steps }) => steps));
    expect(used).toHaveLength(steps.filter(({ uses }) => uses).length);
    expect(used.length).toBeGreaterThan(10);
  });

  test("uses an action by its commit, since a tag can be moved, and names the version", () => {
    const pinned = /^[\w-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/;
    expect(used.filter(([, what]) => !pinned.test(what))).toEqual([]);
  });

  test("uses one version of an action everywhere", () => {
    const actions = new Set(used.map(([, what]) => what.split("@")[0]));
    expect(new Set(used.map(([, what]) => what)).size).toBe(actions.size);
  });

  test("that runs at home asks for the runner with the label, and never for just any", () => {
    const runners = Object.values(workflows).flatMap(({ jobs }) => Object.values(jobs).map((job) => job["runs-on"]));
    const ours = runners.filter((runner) => [runner].flat().includes("self-hosted"));
    expect(ours).toHaveLength(4);
    for (const runner of ours) expect(runner).toEqual(["self-hosted", "homelab"]);
  });
});

describe("workflows that run at home", () => {
  test.each(Object.entries(workflows))("%s never runs the code of a fork there", (_, { on, jobs }) => {
    expect(on).not.toHaveProperty("pull_request_target");
    for (const job of Object.values(jobs)) {
      if (![job["runs-on"]].flat().includes("self-hosted") || !("pull_request" in on)) continue;
      expect(job.if).toContain("github.event.pull_request.head.repo.full_name == github.repository");
    }
  });

  test.each(["plan.yml", "deploy.yml"])("%s may do little, and runs once at a time", (file) => {
    expect(workflows[file]?.permissions).toEqual({});
    expect(workflows[file]?.concurrency).toBeDefined();
    for (const { steps, permissions } of jobsOf(file)) {
      expect(Object.entries(permissions ?? {}).filter(([, may]) => may === "write")).toEqual(
        file === "plan.yml" ? [["pull-requests", "write"]] : [],
      );
      for (const { uses, with: options } of steps) {
        if (uses?.startsWith("actions/checkout@")) expect(options?.["persist-credentials"]).toBe(false);
      }
    }
  });

  test.each(["plan.yml", "deploy.yml"])("%s stops before it plans on a state that a runner cannot reach", (file) => {
    const runs = (jobsOf(file)[0]?.steps ?? []).map(({ run }) => run ?? "");
    const demand = runs.findIndex((run) => /jq --exit-status \.terraform\.backend\.pg .*exit 1/s.test(run));
    expect(demand).toBeGreaterThan(-1);
    expect(demand).toBeLessThan(runs.findIndex((run) => run.includes("homelab.js review")));
  });

  test("only a deploy applies, after the question, and what was reviewed alone", () => {
    const applying = Object.entries(workflows).flatMap(([file, { jobs }]) =>
      Object.entries(jobs).flatMap(([name, { steps, environment }]) =>
        steps.some(({ run }) => /terraform .*apply|cdktf deploy|npm run deploy/.test(run ?? ""))
          ? [[file, name, environment]]
          : [],
      ),
    );
    expect(applying).toEqual([["deploy.yml", "apply", "homelab"]]);
    const run = jobsOf("deploy.yml")
      .flatMap(({ steps }) => steps.map((step) => step.run ?? ""))
      .find((text) => text.includes("apply"));
    expect(run).toMatch(/cmp approved\/review\.json review\.json.*exit 1.*apply -input=false review\.tfplan\n$/s);
  });

  test.each([
    [0, 0, ""],
    [1, 1, ""],
    [2, 1, "::error::the second plan is not empty; see homelab review\n"],
  ])("a second plan that ends with %i ends the deploy with %i, and is not shown", (planned, status, stdout) => {
    const last = jobsOf("deploy.yml").at(-1)?.steps.at(-1)?.run ?? "";
    expect(last).toMatch(/terraform .*plan .*-detailed-exitcode/);
    const terraform = `terraform() { echo "password = hunter"; return ${planned}; }\n`;
    // As GitHub runs a step.
    const ended = spawnSync("bash", ["-e", "-c", terraform + last], { encoding: "utf8" });
    expect(ended).toMatchObject({ status, stdout });
  });

  test("no plan leaves the machine, since it holds the state and secrets in clear", () => {
    const kept = Object.values(workflows).flatMap(({ jobs }) =>
      Object.values(jobs).flatMap(({ steps }) =>
        steps
          .filter(({ uses, with: options }) => uses?.startsWith("actions/upload-artifact@") && options?.path)
          .map(({ with: options }) => String(options?.path).trim()),
      ),
    );
    expect(kept).toEqual(expect.arrayContaining(["review.md", "review.json"]));
    expect(kept.filter((path) => /plan|cdktf\.out|tfstate/.test(path))).toEqual([]);
  });

  test("nobody can put code into a script by a title or a branch", () => {
    for (const { jobs } of Object.values(workflows)) {
      for (const { steps } of Object.values(jobs)) {
        for (const { run } of steps) expect(run ?? "").not.toMatch(/\$\{\{\s*(?:github\.(?:event|head_ref)|inputs)/);
      }
    }
  });
});
