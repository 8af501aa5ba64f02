import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { copyProject, FIXTURE_INVENTORY, FIXTURE_MAIN } from "./fixture-project";

const { sentenceOf } = require("../bin/synth.js");

const IN_INVENTORY =
  "ansible/inventory.yml:24:15: lan_cidr: the prefix of 192.168.68.0/33 is out of range: write 8 to 30 bits, such as 192.168.68.0/24";
const WITHOUT_PLACE =
  'homelab/bitcoin: data = volume "bitcoin-data" holds "index", and this service needs one that holds "chain": ' +
  "pass that volume, or correct `holds`";
const IN_MAIN = `main.ts:15:17: ${WITHOUT_PLACE}`;

describe("for a mistake in the inventory, and then one in main.ts,", () => {
  const folder = mkdtempSync(join(tmpdir(), "synth-"));
  const right = readFileSync(FIXTURE_INVENTORY, "utf8");
  const inventory = join(folder, "ansible/inventory.yml");
  const mistakes = [
    [IN_INVENTORY, right.replace("192.168.68.0/24", "192.168.68.0/33")],
    [IN_MAIN, right],
  ] as const;
  beforeAll(() => {
    copyProject(folder);
    const chain = 'volumeId: "bitcoin-data", holds: "chain"';
    writeFileSync(join(folder, "main.ts"), FIXTURE_MAIN.replace(chain, chain.replace("chain", "index")));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const run = (line: string, more: Record<string, string> = {}) => {
    // Terraform warns of a missing configuration file, and cdktf prints it many times.
    const quiet = {
      CHECKPOINT_DISABLE: "1",
      DISABLE_VERSION_CHECK: "1",
      TF_CLI_CONFIG_FILE: "",
      CI: "1",
      HOMELAB_DEBUG: "",
    };
    const env = { ...process.env, ...quiet, ...more };
    const { status, stdout, stderr } = spawnSync("sh", ["-c", line], { cwd: folder, env, encoding: "utf8" });
    return { status, stdout, stderr };
  };

  test.each(mistakes)("npm run synth prints one sentence and nothing else: %s", (sentence, text) => {
    writeFileSync(inventory, text);
    expect(run("npm run --silent synth")).toEqual({ status: 1, stdout: "", stderr: `${sentence}\n` });
  });

  // cdktf's own message about an error annotation tells owners to set this variable.
  test.each(["review", "deploy", "check"])("npm run %s stops with the sentence, whatever is set", (script) => {
    writeFileSync(inventory, right);
    expect(run(`npm run --silent ${script}`, { CDKTF_CONTINUE_SYNTH_ON_ERROR_ANNOTATIONS: "true" })).toEqual({
      status: 1,
      stdout: "",
      stderr: `${IN_MAIN}\n`,
    });
  });

  test("cdktf synth prints the sentence once, without a stack trace", () => {
    writeFileSync(inventory, right);
    const { status, stdout, stderr } = run("node_modules/.bin/cdktf synth");
    const [first, second, ...rest] = (stdout + stderr).split("\n").filter((line) => !/^(.*Synthesizing)?$/.test(line));
    expect([status, first, second]).toEqual([
      1,
      IN_MAIN,
      "so nothing was synthesized, and cdktf reports next that its manifest is missing",
    ]);
    // All of it from cdktf.
    expect(rest.join("\n")).toMatch(/^[^\n]*synthesis failed[^\n]*manifest[^\n]*$/);
  });

  test("HOMELAB_DEBUG=1 adds the stack trace", () => {
    writeFileSync(inventory, right);
    const { status, stderr } = run("npm run --silent synth", { HOMELAB_DEBUG: "1" });
    expect([status, stderr]).toEqual([1, expect.stringContaining(`Error: ${WITHOUT_PLACE}\n`)]);
    expect(stderr).toMatch(/^ +at .*\/main\.ts:\d+:\d+\)$/m);
  });
});

test("a rejected promise of main.ts fails like anything else that it throws", () => {
  const folder = mkdtempSync(join(tmpdir(), "synth-"));
  copyProject(folder);
  writeFileSync(join(folder, "main.ts"), `${FIXTURE_MAIN}\nvoid Promise.reject(new Error("no answer"));\n`);
  const { status, stderr } = spawnSync(process.execPath, ["bin/synth.js", "overview"], {
    cwd: folder,
    encoding: "utf8",
  });
  expect([status, stderr]).toEqual([1, "main.ts:57:21: no answer\n"]);
  rmSync(folder, { recursive: true });
});

test("an error that is no owner's mistake names its kind and how to find it", () => {
  expect(sentenceOf(new TypeError("x is not a function"))).toBe(
    "TypeError: x is not a function\nHOMELAB_DEBUG=1 npm run synth shows where this comes from",
  );
});
