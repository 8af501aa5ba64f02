import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fn, Lazy, Token } from "cdktf";
import fc from "fast-check";
import type { Job } from "../../.gen/nomad/job";
import { escapeTerraform, fromJobspec, toJobspec, unescapeTerraform } from "../../nomad/jobspec";
import { describeWith } from "../tools";

const jobWith = (text: string): Job => ({
  ID: "a",
  Name: "a",
  Namespace: "default",
  Type: "service",
  Meta: { text },
  TaskGroups: [],
});

/** Strings that are rich in what Terraform gives a meaning to. */
const hostile = fc
  .array(
    fc.oneof(fc.constantFrom("$", "%", "{", "}", "${", "%{", "$${", "%%{", '"', "\\", "\n", "\t", "~}"), fc.string()),
  )
  .map((parts) => parts.join(""));

describe("toJobspec", () => {
  test("doubles the opening of an interpolation and leaves other dollars alone", () => {
    expect(escapeTerraform("${a} %{b} $c 100% $$d")).toBe("$${a} %%{b} $c 100% $$d");
  });

  test("is undone by fromJobspec, whatever the strings hold", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        expect(unescapeTerraform(escapeTerraform(text))).toBe(text);
        expect(fromJobspec(toJobspec(jobWith(text)))).toEqual(jobWith(text));
      }),
    );
  });

  test("writes several lines, so that `synth --hcl` makes a heredoc of it", () => {
    expect(toJobspec(jobWith("x")).split("\n").length).toBeGreaterThan(5);
  });

  test.each([
    ["a string token", Token.asString({ resolve: () => "x" }), "job.Meta.text"],
    ["a string with a token inside", `a-${Lazy.stringValue({ produce: () => "x" })}`, "job.Meta.text"],
    ["a Terraform function", Fn.upper("x"), "job.Meta.text"],
    ["a number token", Token.asNumber({ resolve: () => 1 }), "job.Meta.text"],
    ["a list token", Token.asList({ resolve: () => ["x"] }), "job.Meta.text"],
    ["a lazy object", Lazy.anyValue({ produce: () => "x" }), "job.Meta.text"],
  ])("refuses %s and names its place", (_, value, place) => {
    expect(() => toJobspec(jobWith(value as string))).toThrow(`${place} of job "a" is a Terraform reference`);
  });
});

describeWith(["terraform"], "what Terraform evaluates", () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "jobspec-"));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  test("equals what was put in, for 500 strings in one run", () => {
    const texts = [
      ...["${", "$${", "$$${x}", "%{", "%%{if}", "%%%{", "${a}$${b}", "$%{", "%${", "é ₿ 𝄞", 'a"b\\c', "a\nb\r\n", ""],
      ...fc.sample(hostile, 500),
    ];
    const resource = { terraform_data: { jobs: { input: texts.map((text) => toJobspec(jobWith(text))) } } };
    writeFileSync(
      join(directory, "main.tf.json"),
      JSON.stringify({ resource, output: { jobs: { value: "${terraform_data.jobs.output}" } } }),
    );
    const terraform = (...args: string[]) =>
      execFileSync("terraform", args, {
        cwd: directory,
        encoding: "utf8",
        stdio: "pipe",
        env: { ...process.env, CHECKPOINT_DISABLE: "1" },
      });
    terraform("init", "-input=false", "-no-color");
    terraform("apply", "-auto-approve", "-input=false", "-no-color");
    const evaluated = JSON.parse(terraform("output", "-json", "jobs")) as string[];
    expect(evaluated.map((jobspec) => JSON.parse(jobspec).Meta.text)).toEqual(texts);
  });
});
