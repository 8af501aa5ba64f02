import fc from "fast-check";
import { LIMIT, markdown } from "../../review/markdown";
import { readPlan, readState } from "../../review/plan";
import { reviewPlan } from "../../review/review";
import { reviewState } from "../../review/state";
import { changed, fixture, printed, type RawPlan, reviewOf, reviewOfChange } from "./plans";

/** Unlike anything else in a plan, in any part of eight letters. */
const secretText = fc
  .array(fc.constantFrom(..."QXZJWVKY"), { minLength: 12, maxLength: 30 })
  .map((letters) => letters.join(""));

/** Every leaf below `marks`, by the path it stands at. */
type Tree = { [key: string]: unknown };

function hide(tree: Tree, path: readonly string[], secret: string, marks: Tree): void {
  const [first = "", ...rest] = path;
  if (rest.length === 0) {
    tree[first] = secret;
    marks[first] = true;
    return;
  }
  const [below, marked] = [{ ...(tree[first] as Tree) }, { ...(marks[first] as Tree) }];
  tree[first] = below;
  marks[first] = marked;
  hide(below, rest, secret, marked);
}

/** Attributes of the kinds of resources that are judged, and of one that is not. */
const PLACES: readonly [address: string, path: readonly string[]][] = [
  ["nomad_job.bitcoin", ["jobspec"]],
  ["nomad_job.bitcoin", ["name"]],
  ["nomad_job.electrs", ["hcl2", "vars"]],
  ["nomad_csi_volume_registration.bitcoin-data", ["secrets"]],
  ["nomad_csi_volume_registration.bitcoin-data", ["secrets", "password"]],
  ["nomad_csi_volume_registration.bitcoin-data", ["context", "share"]],
  ["nomad_csi_volume_registration.bitcoin-data", ["volume_id"]],
  ["nomad_csi_volume_registration.bitcoin-data", ["parameters", "token"]],
  ["nomad_csi_volume_registration.bitcoin-data", ["capability"]],
  ["nomad_csi_volume_registration.bitcoin-data", ["namespace"]],
  ["nomad_namespace.namespace", ["name"]],
  ["nomad_namespace.namespace", ["meta", "note"]],
  ["nomad_scheduler_config.scheduler", ["scheduler_algorithm"]],
  ["terraform_data.paint", ["input", "color"]],
  ["terraform_data.paint", ["input"]],
];

const ACTIONS = [["create"], ["update"], ["delete"], ["delete", "create"], ["no-op"]];

describe("a sensitive value", () => {
  test("of whatever attribute, before or after, and whatever is done with it, is never printed", () => {
    const side = fc.constantFrom("before", "after", "both");
    fc.assert(
      fc.property(
        fc.constantFrom(...PLACES),
        fc.constantFrom(...ACTIONS),
        side,
        secretText,
        ([address, path], actions, where, secret) => {
          const text = changed("other-providers", (plan) => {
            const one = plan.resource_changes.find((change) => change.address === address);
            if (!one) throw new Error(`no ${address}`);
            const { change } = one;
            change.actions = [...actions];
            for (const when of ["before", "after"] as const) {
              const values = change[when] as Tree | null;
              const marks = `${when}_sensitive` as const;
              if (typeof change[marks] !== "object" || change[marks] === null) change[marks] = {};
              if (values && (where === "both" || where === when)) hide(values, path, secret, change[marks] as Tree);
            }
            if (actions[0] === "create") change.before = null;
            if (actions.length === 1 && actions[0] === "delete") change.after = null;
          });
          expect(printed(reviewPlan(readPlan(text))).includes(secret.slice(0, 8))).toBe(false);
        },
      ),
      { numRuns: 40 },
    );
  });

  test("of the output homelab is never printed", () => {
    const secret = "QXZJWVKYQXZJ";
    const text = changed("acknowledged", (plan) => {
      const output = plan.output_changes as { homelab: RawPlan };
      output.homelab = JSON.parse(JSON.stringify(output.homelab).replaceAll("a build of my own", secret));
      output.homelab.after_sensitive = true;
      output.homelab.before_sensitive = true;
    });
    expect(text).toContain(secret);
    expect(printed(reviewPlan(readPlan(text)))).not.toContain(secret);
  });

  test("of a real plan is never printed", () => {
    for (const name of ["sensitive", "secret-in-job"]) {
      expect(fixture(name)).toContain("correct-horse");
      expect(printed(reviewOf(name))).not.toContain("correct-horse");
    }
    expect(fixture("state")).toContain("correct-horse");
    expect(JSON.stringify(reviewState(readState(fixture("state"))))).not.toContain("correct-horse");
  });
});

describe("what looks like a secret", () => {
  test("is never printed, wherever in a job it stands, and its change is told", () => {
    fc.assert(
      fc.property(secretText, secretText, fc.constantFrom("Env", "args", "Templates", "Meta"), (old, now, where) => {
        const put = (secret: string) => (task: Tree, _: unknown, job: Tree) => {
          if (where === "Env") task.Env = { RPC_PASSWORD: secret };
          if (where === "args") Object.assign(task.Config as Tree, { args: [`--rpcpassword=${secret}`] });
          if (where === "Templates")
            task.Templates = [{ DestPath: "local/x", EmbeddedTmpl: `user=me\npassword=${secret}\n` }];
          if (where === "Meta") job.Meta = { api_token: secret };
        };
        const review = reviewOfChange(put(now) as never, { before: put(old) as never });
        const text = printed(review);
        expect(text).not.toContain(old.slice(0, 8));
        expect(text).not.toContain(now.slice(0, 8));
        if (old !== now) expect(review.services[0]?.fields).toHaveLength(1);
      }),
      { numRuns: 30 },
    );
  });
});

/** Every place in a value, by its keys. */
function placesIn(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, member]) => placesIn(member, [...path, key]))];
}

describe("a job that lacks anything at all", () => {
  test("is reviewed all the same", () => {
    const hub = JSON.parse(fixture("memory-cut")) as RawPlan;
    const jobspec = String(
      hub.resource_changes.find(({ address }) => address === "nomad_job.albyhub")?.change.after?.jobspec,
    );
    const places = placesIn(JSON.parse(jobspec)).filter((path) => path.length > 0);
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.boolean(), (path, isNull) => {
        const text = changed("memory-cut", (plan) => {
          const one = plan.resource_changes.find(({ address }) => address === "nomad_job.albyhub");
          const job = JSON.parse(jobspec);
          const parent = path.slice(0, -1).reduce((tree, key) => tree[key], job);
          const last = path.at(-1) ?? "";
          if (isNull) parent[last] = null;
          else if (Array.isArray(parent)) parent.splice(Number(last), 1);
          else delete parent[last];
          if (one?.change.after) one.change.after.jobspec = JSON.stringify(job);
          if (one) one.change.actions = ["update"];
        });
        const review = reviewPlan(readPlan(text));
        expect(review.services.map(({ address }) => address)).toContain("nomad_job.albyhub");
        expect(printed(review)).not.toMatch(/NaN|\[object/);
      }),
      { numRuns: 40 },
    );
  });
});

/** Values that nobody would write, and each of which Terraform or Nomad once took. */
const absurd = fc.oneof(
  fc.constantFrom(
    1e18,
    -1e18,
    1e308,
    -1,
    0,
    0.5,
    2 ** 53,
    "nan",
    "Infinity",
    "-1",
    "",
    " ",
    "${x}",
    "\u0000",
    "__proto__",
  ),
  fc.constantFrom<unknown>(null, true, false, [], {}, [null], [[]], { "": null }, { Name: {} }, [{}], ["x"], [1]),
  fc.string({ maxLength: 40 }),
  fc.double(),
  fc.jsonValue({ maxDepth: 3 }),
);

/** Puts a value into a tree at a path, or takes away what is there. */
function put(tree: unknown, path: readonly string[], value: unknown): unknown {
  const copy = structuredClone(tree);
  const parent = path.slice(0, -1).reduce((below: Tree, key) => below[key] as Tree, copy as Tree);
  const last = path.at(-1) ?? "";
  if (value !== undefined) parent[last] = value;
  else if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete parent[last];
  return copy;
}

/** What Terraform leaves to its providers: anything may stand there. */
function contents(plan: RawPlan): (readonly string[])[] {
  const below = (path: readonly string[]) => {
    const value = path.reduce((tree: Tree, key) => tree?.[key] as Tree, plan as Tree);
    return placesIn(value).map((rest) => [...path, ...rest]);
  };
  const changes = plan.resource_changes.flatMap((_, at) =>
    ["before", "after", "after_unknown"].flatMap((side) => {
      const path = ["resource_changes", `${at}`, "change", side];
      return below(path).filter((one) => one.length > path.length);
    }),
  );
  const outputs = below(["output_changes"]).filter((path) => path.length > 3 && path[2] !== "actions");
  const states = below(["prior_state", "values", "root_module", "resources"]).filter(
    (path) => path[5] === "values" && path.length > 6,
  );
  return [...changes, ...outputs, ...states];
}

describe("a plan of any content", () => {
  const reviewed = (plan: unknown) => {
    const review = reviewPlan(readPlan(JSON.stringify(plan)));
    expect([0, 2, 3]).toContain(review.exit);
    expect(printed(review)).not.toMatch(/NaN|\[object/);
    return review;
  };

  test.each(["memory-cut", "many-dangers", "volume-parameters", "namespace"])("made from %s is reviewed", (name) => {
    const plan = JSON.parse(fixture(name)) as RawPlan;
    const places = contents(plan);
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.option(absurd, { nil: undefined }), (path, value) => {
        reviewed(put(plan, path, value));
      }),
      { numRuns: 20 },
    );
  });

  test("whose jobs are of any content is reviewed, and each of them is told", () => {
    const plan = JSON.parse(fixture("memory-cut")) as RawPlan;
    const at = plan.resource_changes.findIndex(({ address }) => address === "nomad_job.bitcoin");
    const { change } = plan.resource_changes[at] as RawPlan["resource_changes"][number];
    const job = JSON.parse(String(change.after?.jobspec));
    const places = placesIn(job).filter((path) => path.length > 0);
    const edits = fc.array(fc.tuple(fc.constantFrom(...places), absurd), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(edits, fc.boolean(), (edits, isBefore) => {
        let mangled: unknown = job;
        for (const [path, value] of edits) {
          try {
            mangled = put(mangled, path, value);
          } catch {
            // What was to be changed is gone by an earlier change.
          }
        }
        const side = isBefore ? "before" : "after";
        const review = reviewed(
          put(plan, ["resource_changes", `${at}`, "change", side, "jobspec"], JSON.stringify(mangled)),
        );
        expect(review.services.map(({ address }) => address)).toContain("nomad_job.bitcoin");
      }),
      { numRuns: 50 },
    );
  });

  test.each([
    ["Count", 1e18],
    ["Count", -5],
    ["Scaling", { Max: 1e18 }],
  ])("with %s = %p in every group is reviewed at once", (key, value) => {
    const text = changed("memory-cut", (plan) => {
      for (const { type, change } of plan.resource_changes) {
        if (type !== "nomad_job" || !change.after) continue;
        const job = JSON.parse(String(change.after.jobspec));
        for (const group of job.TaskGroups) group[key] = value;
        change.after.jobspec = JSON.stringify(job);
        change.actions = ["update"];
      }
    });
    const started = Date.now();
    const review = reviewed(JSON.parse(text));
    expect(Date.now() - started).toBeLessThan(10_000);
    if (Number(value) !== -5) expect(review.exit).toBe(3);
  });

  test("with a number or text of the wrong kind says where", () => {
    const review = reviewOfChange((_, group) => Object.assign(group, { Count: "many" }));
    expect(review.findings).toEqual([
      expect.objectContaining({
        finding: "spec-unreadable",
        problem: "cannot be read: TaskGroups[0].Count is not a number that Nomad takes, so the apply will fail",
      }),
    ]);
  });
});

/** A real plan with this many services, each changed in all that can be told at length. */
function plenty(count: number): string {
  return changed("memory-cut", (plan) => {
    const model = plan.resource_changes.find(({ address }) => address === "nomad_job.bitcoin");
    if (!model) throw new Error("no model");
    const { change } = model;
    const copies = Array.from({ length: count }, (_, at) => {
      const id = `service-${String(at).padStart(3, "0")}`;
      const rename = (values: Record<string, unknown> | null) => {
        const job = JSON.parse(String(values?.jobspec));
        return { ...values, name: id, jobspec: JSON.stringify({ ...job, ID: id, Name: id }, null, 2) };
      };
      const [before, after] = [rename(change.before), rename(change.after)];
      return { ...model, address: `nomad_job.${id}`, name: id, change: { ...change, before, after } };
    });
    plan.resource_changes.push(...copies);
  });
}

describe("a review of many services", () => {
  test("of a hundred fits into a comment, and says what it left out; danger is never what is left out first", () => {
    const text = plenty(100);
    const started = process.cpuUsage();
    const review = reviewPlan(readPlan(text));
    const comment = markdown(review);
    const { user, system } = process.cpuUsage(started);
    const seconds = (user + system) / 1e6;
    process.stderr.write(`review of 100 changed services: ${comment.length} characters, ${seconds.toFixed(2)} s\n`);

    expect(review.services).toHaveLength(101);
    expect(comment.length).toBeLessThanOrEqual(LIMIT);
    expect(comment).toContain("<!-- homelab-review homelab -->");
    expect(comment).toMatch(/\*\*Cut, because a comment has at most 65536 characters:\*\* .*job JSON \(101\)/);
    expect(comment.match(/\*\*memory-lowered\*\*/g)).toHaveLength(101);
    // Processor time, since the machine does other things as well: a bound that only a wrong design misses.
    expect(seconds).toBeLessThan(10);
  });

  test("never exceeds a limit, however tight, and always tells the verdict first", () => {
    const review = reviewPlan(readPlan(plenty(12)));
    fc.assert(
      fc.property(fc.integer({ min: 1500, max: LIMIT }), (limit) => {
        const text = markdown(review, { limit });
        expect(text.length).toBeLessThanOrEqual(limit);
        expect(text).toMatch(/^## (?:⚠️|⛔) \*\*/u);
        expect(text.trimEnd()).toMatch(/<!-- homelab-review homelab -->$/);
      }),
      { numRuns: 50 },
    );
  });
});

describe("the text", () => {
  test("does not depend on the order of the plan", () => {
    const reversed = changed("many-dangers", (plan) => void plan.resource_changes.reverse());
    expect(markdown(reviewPlan(readPlan(reversed)))).toBe(markdown(reviewOf("many-dangers")));
  });

  test("does not depend on when the plan was made", () => {
    const later = changed("memory-cut", (plan) => Object.assign(plan, { timestamp: "2030-01-01T00:00:00Z" }));
    expect(markdown(reviewPlan(readPlan(later)))).toBe(markdown(reviewOf("memory-cut")));
  });

  test("lets nothing of a job become markup, a mention or the end of the comment", () => {
    const hostile = "x | y `z` </details> <!-- homelab-review homelab --> @everyone\n## heading";
    const review = reviewOfChange((task) => Object.assign(task, { User: hostile, Env: { A: hostile } }));
    const comment = markdown(review).replaceAll(/```json\n.*?\n```/gs, "");
    const outside = comment.replaceAll(/(`+)(?!`).*?(?<!`)\1(?!`)/gs, "");
    expect(outside).not.toMatch(/@everyone|^## heading|<\/details>\n.*everyone/m);
    expect(comment.match(/^<!-- homelab-review homelab -->$/gm)).toHaveLength(1);
  });
});
