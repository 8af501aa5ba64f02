import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative, resolve } from "node:path";
import { readSynthesized, type Synthesized } from "../cli/shared/synthesized";
import { RULES } from "../rules";
import { describe as inWords, judge } from "../rules/rule";
import { describeWith } from "./tools";

const { runMain, sentenceOf } = require("../bin/synth.js");

/** The owner's test: the real main.ts with the real inventory. Every other test uses the fixture homelab. */
const WHAT_TO_DO = "Read the diff; if it is what you meant, accept it: npm test -- -u";

/** Stands for images and versions, which may change without notice here: every review shows them. */
const ANY = "(any)";

const outdir = mkdtempSync(join(tmpdir(), "main-"));
afterAll(() => rmSync(outdir, { recursive: true }));

/** An error that jest prints without a stack trace. */
function plainError(message: string): Error {
  return Object.assign(new Error(message), { stack: message });
}

/** @returns the stacks with jobs, or what synth prints for a mistake. */
function synthesize(): { readonly homelabs: readonly Synthesized[]; readonly mistake?: string } {
  process.env.CDKTF_OUTDIR = outdir;
  try {
    runMain(resolve("main.ts"), join(outdir, "manifest.json"));
    return { homelabs: readSynthesized() };
  } catch (error) {
    return { homelabs: [], mistake: sentenceOf(error) };
  } finally {
    delete process.env.CDKTF_OUTDIR;
  }
}

describe("main.ts with the inventory", () => {
  const { homelabs, mistake } = synthesize();
  const files = mistake === undefined ? stackFiles() : [];

  test("matches its snapshot, apart from images and versions", () => {
    if (mistake !== undefined) throw plainError(mistake);
    const stacks = files.map((file) => [basename(dirname(file)), snapshotOf(file, homelabs)]);
    expect(Object.fromEntries(stacks)).toMatchSnapshot();
    // Jest throws a difference after the test has ended.
    for (const error of expect.getState().suppressedErrors) error.stack = `${error.message}\n\n${WHAT_TO_DO}`;
  });
  // One mistake is reported once.
  if (mistake !== undefined) return;

  test("breaks no rule", () => {
    const broken = homelabs
      .filter(({ described }) => described)
      .flatMap(({ homelab }) => judge(homelab, RULES))
      .filter(({ severity, acknowledged }) => severity === "violation" && acknowledged === undefined);
    expect(broken.map(inWords)).toEqual([]);
  });

  test("leaves no CDKTF token unresolved", () => {
    // Text, or the huge number that stands for a token.
    for (const file of files) expect(readFileSync(file, "utf8")).not.toMatch(/TfToken|\d\.\d+e\+(29|30)\d/i);
  });

  describeWith(["go"], "with Nomad's own types", () => {
    test("decodes every job, with no key left over", () => {
      const check = ["run", ".", "check", ...files];
      const { status, stdout, stderr } = spawnSync("go", check, { cwd: "tools/nomad-api", encoding: "utf8" });
      expect([status, stderr]).toEqual([0, ""]);
      expect(stdout).toMatch(/\d+ jobs? in \d+ files?/);
    });
  });
});

function stackFiles(): string[] {
  const { stacks } = JSON.parse(readFileSync(join(outdir, "manifest.json"), "utf8"));
  return Object.values<{ synthesizedStackPath: string }>(stacks).map((stack) =>
    join(outdir, stack.synthesizedStackPath),
  );
}

/** A stack as Terraform reads it, without what depends on the machine, on versions or on CDKTF. */
function snapshotOf(file: string, homelabs: readonly Synthesized[]) {
  const { terraform, ...stack } = JSON.parse(readFileSync(file, "utf8"), (key, value) =>
    key === "//" ? undefined : value,
  );
  const { local } = terraform.backend ?? {};
  if (local) local.path = relative(process.cwd(), resolve(dirname(file), local.path));
  for (const { address, shown } of homelabs.find((homelab) => homelab.file === file)?.jobs ?? []) {
    if (shown) stack.resource.nomad_job[address.replace("nomad_job.", "")].jobspec = masked(shown);
  }
  return { terraform, ...stack };
}

/** A job without its images and its version. */
function masked(job: object) {
  const copy = JSON.parse(JSON.stringify(job), (key, value) =>
    key === "Config" && value?.image ? { ...value, image: ANY } : value,
  );
  if (copy.Meta?.version) copy.Meta.version = ANY;
  return copy;
}
