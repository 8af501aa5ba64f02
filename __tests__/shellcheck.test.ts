import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Job, Task } from "../.gen/nomad/job";
import { copyBackJob } from "../cli/backup/copy-back";
import type { HomelabStack } from "../constructs";
import { addBackup, buildHomelab, synthesize } from "./homelab-fixture";
import { describeWith } from "./tools";

const withBackup = (changes: Parameters<typeof buildHomelab>[0] = {}, props: Parameters<typeof addBackup>[1] = {}) =>
  addBackup(buildHomelab({ backup: {}, ...changes }), props);

/** Homelabs whose scripts, or the values in them, differ. */
const HOMELABS: Readonly<Record<string, () => { readonly stack: HomelabStack }>> = {
  "as it is": () => withBackup(),
  "without a backup": () => buildHomelab(),
  "at its first start": () => buildHomelab({ albyHub: { firstStart: true } }),
  "unlocked by hand": () => buildHomelab({ albyHub: { unlock: "by-hand" } }),
  "with electrs that reads REST": () => buildHomelab({ electrs: { image: "getumbrel/electrs:v0.12.0" } }),
  "with a repository elsewhere": () =>
    withBackup({}, { repository: "s3:https://s3.example.org/a", repositoryKeys: ["AWS_ACCESS_KEY_ID", "AWS_REGION"] }),
  "with Terraform's state in PostgreSQL": () => withBackup({ stack: { state: "pg" } }, { terraformState: {} }),
  "without snapshots of Nomad's state": () => withBackup({}, { snapshots: undefined }),
  "with nothing but the cluster to take": () => addBackup(buildHomelab(), { sets: [] }),
};

/** A script of a task, with the names of the variables that come from outside. */
interface Script {
  readonly name: string;
  readonly text: string;
  /** What TypeScript gives. */
  readonly header: readonly string[];
  /** What Nomad gives. */
  readonly environment: readonly string[];
}

function scriptsOf(job: Job): Script[] {
  const { MetaRequired = [], MetaOptional = [] } = job.ParameterizedJob ?? {};
  const meta = [...Object.keys(job.Meta ?? {}), ...MetaRequired, ...MetaOptional].map((key) => `NOMAD_META_${key}`);
  return (job.TaskGroups[0]?.Tasks ?? []).flatMap((task) =>
    textsOf(task).map(([place, text]) => ({
      name: `${job.ID}/${task.Name}/${place}`,
      text,
      header: [...headerOf(text).matchAll(/^([A-Z][A-Z0-9_]*)='/gm)].map(([, name = ""]) => name),
      environment: [
        ...["ALLOC_DIR", "TASK_DIR", "SECRETS_DIR", "TASK_NAME"].map((name) => `NOMAD_${name}`),
        ...(task.Identity?.Env ? ["NOMAD_TOKEN"] : []),
        ...Object.keys(task.Env ?? {}),
        ...meta,
      ],
    })),
  );
}

/** The assignments that a script begins with. */
function headerOf(text: string): string {
  return /^#!.*\n(?:[A-Z][A-Z0-9_]*='(?:[^']|'\\'')*'\n)*/.exec(text)?.[0] ?? "";
}

/**
 * What is checked: the script with unknown values, since shellcheck accepts an unquoted variable when it sees a harmless
 * value, and with its environment, so that it knows every variable that the script may read.
 */
function checked({ text, header, environment }: Script): string {
  const given = header.map((name) => `${name}=$1\n`);
  const exported = environment.map((name) => `export ${name}="$1"\n`);
  return ["#!/bin/sh\n", ...exported, ...given, text.slice(headerOf(text).length)].join("");
}

/** The scripts that a task renders, and those in its command line. */
function textsOf({ Templates = [], Config }: Task): [place: string, text: string][] {
  const rendered = Templates.map(({ DestPath = "", EmbeddedTmpl = "" }): [string, string] => [DestPath, EmbeddedTmpl]);
  const args = [Config.args ?? []].flat();
  const lines = args.filter((_, index) => args[index - 1] === "-c");
  return [
    ...rendered.filter(([, text]) => text.startsWith("#!/bin/sh\n")),
    ...lines.map((line): [string, string] => ["args", `#!/bin/sh\n${line}\n`]),
  ];
}

const jobs = Object.entries(HOMELABS).flatMap(([homelab, build]) =>
  Object.values(synthesize(build().stack).jobs).map((job) => ({ homelab, job })),
);
const copy = jobs.find(({ job }) => job.ID === "backup-copy") ?? { homelab: "", job: { ID: "none" } as Job };
jobs.push({ ...copy, job: { ...copyBackJob(copy.job, "albyhub", "20261126T230000Z"), ID: "backup-copy-back" } });

const scripts = jobs.flatMap(({ homelab, job }) => scriptsOf(job).map((script) => ({ ...script, homelab })));

describe("the scripts that tasks run", () => {
  test("are all found", () => {
    const found = new Set(scripts.map(({ name }) => name));
    expect([...found].sort()).toEqual([
      "albyhub/albyhub/local/entry",
      "albyhub/busybox/args",
      "albyhub/channel-backups/local/channel-backups",
      "albyhub/probe/args",
      "albyhub/probe/local/www/cgi-bin/health",
      "backup-check/report/local/report",
      "backup-check/restic/local/restic",
      "backup-copy-back/copy/local/copy",
      "backup-copy/copy/local/copy",
      "backup-copy/report/local/report",
      "backup-drill/database/local/database",
      "backup-drill/report/local/report",
      "backup-drill/restic/local/restic",
      "backup-restore/database/local/database",
      "backup-restore/report/local/report",
      "backup-restore/restic/local/restic",
      "backup/database/local/database",
      "backup/report/local/report",
      "backup/restic/local/restic",
      "electrs/busybox/args",
      "electrs/electrs/local/entry",
      "electrs/probe/args",
      "electrs/probe/local/www/cgi-bin/health",
    ]);
    const run = jobs.flatMap(({ job }) =>
      (job.TaskGroups[0]?.Tasks ?? []).flatMap(({ Name, Config }) =>
        [Config.entrypoint ?? [], Config.args ?? []]
          .flat(2)
          .flatMap((word) => (word.startsWith("/local/") ? [`${job.ID}/${Name}${word}`] : [])),
      ),
    );
    expect(run.length).toBeGreaterThan(50);
    expect(run.filter((script) => !found.has(script))).toEqual([]);
  });

  test("use every .sh file", () => {
    const files = ["cli", "constructs", "model", "nomad"].flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".sh"))
        .map((name) => join(folder, name)),
    );
    expect(files.length).toBeGreaterThan(20);
    const longest = (file: string) =>
      readFileSync(file, "utf8")
        .split("\n")
        .filter((line) => !line.startsWith("#"))
        .reduce((one, other) => (other.length > one.length ? other : one));
    expect(files.filter((file) => !scripts.some(({ text }) => text.includes(longest(file))))).toEqual([]);
  });

  test("assign no variable of their environment", () => {
    expect(
      scripts.flatMap(({ name, header, environment }) =>
        header.filter((one) => environment.includes(one)).map((one) => `${name}: ${one}`),
      ),
    ).toEqual([]);
  });
});

describeWith(["shellcheck"], "shellcheck", () => {
  const root = mkdtempSync(join(tmpdir(), "shellcheck-"));

  /** Writes scripts and reads the findings, by the path that each was written to. */
  function findings(texts: readonly (readonly [path: string, text: string])[]): string {
    const paths = texts.map(([path, text]) => {
      mkdirSync(join(root, dirname(path)), { recursive: true });
      writeFileSync(join(root, path), text);
      return path;
    });
    const options = ["--norc", "--format=gcc", "--enable=check-unassigned-uppercase"];
    const { stdout, stderr, error } = spawnSync("shellcheck", [...options, "--", ...paths], {
      cwd: root,
      encoding: "utf8",
    });
    return error ? String(error) : stdout + stderr;
  }

  test("finds nothing in any script of a task", () => {
    const different = new Map(
      scripts.toReversed().map((script) => [checked(script), `${script.name}, ${script.homelab}`]),
    );
    expect(findings([...different].map(([text, name]) => [name, text]))).toBe("");
  }, 180_000);

  test("finds nothing in the scripts of the repository", () => {
    const files = readdirSync(".ci").map((name) => [`.ci/${name}`, readFileSync(`.ci/${name}`, "utf8")] as const);
    const shell = files.filter(([, text]) => /^#!.*sh\n/.test(text));
    expect(shell.map(([file]) => file)).toContain(".ci/run");
    expect(findings(shell)).toBe("");
  });

  test.each([
    ["a variable that nobody assigns", ['echo "$VOLUME"'], "SC2154"],
    ["an assignment that nobody reads", ["VOLUME='a'"], "SC2034"],
    ["a variable without quotes", ['name="a b"', "echo $name"], "SC2086"],
    ["what is not POSIX", ["[[ a = b ]]"], "SC3010"],
  ])("would find %s", (_, lines, code) => {
    expect(findings([[code, ["#!/bin/sh", ...lines, ""].join("\n")]])).toContain(`[${code}]`);
  });
});
