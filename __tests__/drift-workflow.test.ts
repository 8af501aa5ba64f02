import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";

/** The scripts of drift.yml as GitHub runs them, with a `gh` that answers what a test says and notes what it is asked. */
const { env, jobs } = parse(readFileSync(".github/workflows/drift.yml", "utf8"));
const scriptOf = (job: string, name: string): string =>
  jobs[job].steps.find((step: { name?: string }) => step.name === name).run;

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "drift-"));
  writeFileSync(join(folder, "gh"), GH);
  chmodSync(join(folder, "gh"), 0o755);
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Answers with the first file whose name stands in the command line. */
const GH = `#!/usr/bin/env node
const { appendFileSync, existsSync, readFileSync } = require("node:fs");
const line = process.argv.slice(2).join(" ");
appendFileSync("asked", line + "\\n");
const answers = existsSync("answers.json") ? JSON.parse(readFileSync("answers.json", "utf8")) : [];
const [, answer] = answers.find(([words]) => line.includes(words)) ?? [];
if (answer === null) process.exit(1);
if (answer) console.log(answer);
`;

function run(script: string, answers: readonly (readonly [string, string | null])[], environment: object) {
  writeFileSync(join(folder, "answers.json"), JSON.stringify(answers));
  writeFileSync(join(folder, "script"), script);
  const { status, stdout, stderr } = spawnSync("bash", ["-e", "script"], {
    cwd: folder,
    env: {
      ...env,
      REPOSITORY: "me/homelab",
      RUN: "https://run/7",
      ...environment,
      PATH: `${folder}:${process.env.PATH}`,
    },
    encoding: "utf8",
  });
  const asked = existsSync(join(folder, "asked")) ? readFileSync(join(folder, "asked"), "utf8").trim().split("\n") : [];
  return { status, out: stdout + stderr, did: asked.filter((line) => /^issue (create|edit|close)/.test(line)) };
}

describe("the issue of a difference", () => {
  const script = scriptOf("compare", "Open, update or close the issue");
  const conclude = (CODE: string, open: string, BACKUP_CODE = "0", red = "") =>
    run(
      script,
      [
        ["The backup is red", red],
        ["issue list", open],
      ],
      { CODE, BACKUP_CODE },
    );
  beforeEach(() => {
    writeFileSync(join(folder, "drift.txt"), "homelab at http://nomad: 1 difference\n".repeat(4000));
  });

  test("is opened when the cluster differs, with what differs, cut to what a body may have", () => {
    expect(conclude("2", "")).toMatchObject({
      status: 0,
      did: ["issue create --repo me/homelab --title The cluster is not as the code says --body-file body.md"],
    });
    const body = readFileSync(join(folder, "body.md"), "utf8");
    expect(body).toMatch(/^```\nhomelab at http:\/\/nomad: 1 difference\n[\s\S]*\n```\n\nSeen by https:\/\/run\/7\n$/);
    expect(body.length).toBeLessThan(65_536);
  });

  test("is updated while it is open", () => {
    expect(conclude("2", "12").did).toEqual(["issue edit 12 --repo me/homelab --body-file body.md"]);
  });

  test("is closed when nothing differs any more, and none is opened then", () => {
    expect(conclude("0", "12").did).toEqual([
      "issue close 12 --repo me/homelab --comment It is as the code says again: https://run/7",
    ]);
    rmSync(join(folder, "asked"));
    expect(conclude("0", "").did).toEqual([]);
  });

  test("is another one while the backup is red, whether the cluster differs or not", () => {
    writeFileSync(join(folder, "backup.txt"), "albyhub 27 h older than 26 h\n");
    expect(conclude("0", "", "2").did).toEqual([
      "issue create --repo me/homelab --title The backup is red --body-file body.md",
    ]);
    expect(readFileSync(join(folder, "body.md"), "utf8")).toContain("albyhub 27 h older than 26 h");
    rmSync(join(folder, "asked"));
    expect(conclude("2", "12", "2", "13").did).toEqual([
      "issue edit 12 --repo me/homelab --body-file body.md",
      "issue edit 13 --repo me/homelab --body-file body.md",
    ]);
    rmSync(join(folder, "asked"));
    expect(conclude("0", "", "0", "13").did).toEqual([
      "issue close 13 --repo me/homelab --comment The backup is not red any more: https://run/7",
    ]);
  });
});

describe("what could not be looked at", () => {
  const script = scriptOf("compare", "Open, update or close the issue");
  const concludes = (CODE: string, BACKUP_CODE: string) => run(script, [["issue list", "12"]], { CODE, BACKUP_CODE });

  test.each([
    ["1", "2"],
    ["", "2"],
  ])("leaves its own issue as it is, and keeps the backup's (drift %j)", (code, red) => {
    writeFileSync(join(folder, "backup.txt"), "red\n");
    expect(concludes(code, red)).toMatchObject({
      status: 0,
      did: ["issue edit 12 --repo me/homelab --body-file body.md"],
    });
    expect(readFileSync(join(folder, "body.md"), "utf8")).toContain("red");
  });

  test.each(["1", ""])("leaves its own issue as it is, and keeps that of the cluster (backup %j)", (code) => {
    expect(concludes("0", code)).toMatchObject({
      status: 0,
      did: [expect.stringContaining("issue close 12 --repo me/homelab --comment It is as the code says again")],
    });
  });

  test("keeps no other step from running", () => {
    const steps = ["Look at the backup", "Open, update or close the issue"];
    const all = jobs.compare.steps as { name?: string; if?: string }[];
    expect(steps.map((name) => all.find((step) => step.name === name)?.if)).toEqual(
      Array(2).fill("${{ !cancelled() }}"),
    );
  });
});

describe("the look at the backup", () => {
  const script = scriptOf("compare", "Look at the backup").replace(
    "node dist/cli/homelab.js backup status",
    "sh look.sh",
  );

  test.each([
    [0, "", true, "0"],
    [2, "", true, "2"],
    [1, "error: Nomad at http://nomad cannot be reached", false, "1"],
    [1, "error: stack homelab has no job backup: add new Backup(…) to main.ts", true, "0"],
  ])("that ends with %d and %j: the run succeeds is %s", (code, words, succeeds, told) => {
    writeFileSync(join(folder, "look.sh"), `echo looked; echo '${words}' >&2; exit ${code}`);
    const { status } = run(script, [], { GITHUB_OUTPUT: join(folder, "output") });
    expect([status === 0, readFileSync(join(folder, "output"), "utf8")]).toEqual([succeeds, `code=${told}\n`]);
  });
});

describe("the comparison", () => {
  const script = scriptOf("compare", "Compare").replace("node dist/cli/homelab.js drift", "sh drift.sh");
  const compare = (code: number) => {
    writeFileSync(join(folder, "drift.sh"), `echo compared; echo warned >&2; exit ${code}`);
    const ran = run(script, [], { GITHUB_OUTPUT: join(folder, "output") });
    return [ran.status === 0, ran.out, readFileSync(join(folder, "output"), "utf8")];
  };

  test.each([
    [0, true],
    [2, true],
    [1, false],
    [137, false],
  ])("that ends with %d: the run succeeds is %s", (code, succeeds) => {
    expect(compare(code)).toEqual([succeeds, "compared\nwarned\n", `code=${code}\n`]);
  });
});

describe("the watch over the runs", () => {
  const script = scriptOf("watch", "Fail when no comparison succeeded in 8 days");
  const old = ["workflows/drift.yml --jq", "2020-01-01T00:00:00Z"] as const;
  const watch = (...answers: (readonly [string, string | null])[]) => run(script, answers, {});

  test("is content when one of the last runs compared", () => {
    const { status, out } = watch(
      ["runs/1/jobs", "0"],
      ["runs/2/jobs", "1"],
      ["workflows/drift.yml/runs", "1\n2\n3"],
      old,
    );
    expect([status, out]).toEqual([0, "run 2 compared\n"]);
    expect(readFileSync(join(folder, "asked"), "utf8")).toMatch(/-f created=>=\d{4}-\d\d-\d\dT/);
  });

  test("fails loudly when none did, or there was none", () => {
    for (const runs of ["1\n2", ""]) {
      const { status, out } = watch(["/jobs", "0"], ["workflows/drift.yml/runs", runs], old);
      expect([status, out]).toEqual([1, expect.stringMatching(/^::error::no comparison succeeded since \d{4}-/)]);
    }
  });

  test("fails when GitHub cannot be asked", () => {
    expect(watch(["runs/1/jobs", null], ["workflows/drift.yml/runs", "1"], old).status).toBe(1);
  });

  test("is patient with a workflow that is younger", () => {
    const young = ["workflows/drift.yml --jq", new Date().toISOString()] as const;
    expect(watch(["workflows/drift.yml/runs", ""], young)).toMatchObject({ status: 0 });
  });
});
