import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { copyProject, FIXTURE_INVENTORY, FIXTURE_MAIN } from "./fixture-project";

const { sentenceOf } = require("../bin/synth.js");

const IN_INVENTORY =
  "ansible/inventory.yml:24:15: lan_cidr: the prefix of 192.168.68.0/33 is out of range: write 8 to 30 bits, such as 192.168.68.0/24";
const IN_MAIN =
  'homelab/bitcoin: data = volume "bitcoin-data" holds "index", and this service needs one that holds "chain": ' +
  "pass that volume, or correct `holds`";

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
    const quiet = { CHECKPOINT_DISABLE: "1", DISABLE_VERSION_CHECK: "1", CI: "1", HOMELAB_DEBUG: "" };
    const env = { ...process.env, ...quiet, ...more };
    const { status, stdout, stderr } = spawnSync("sh", ["-c", line], { cwd: folder, env, encoding: "utf8" });
    return { status, stdout, stderr };
  };

  test.each(mistakes)("npm run synth prints one sentence and nothing else: %s", (sentence, text) => {
    writeFileSync(inventory, text);
    expect(run("npm run --silent synth")).toEqual({ status: 1, stdout: "", stderr: `${sentence}\n` });
  });

  test.each(["review", "deploy"])("npm run %s stops with the sentence", (script) => {
    writeFileSync(inventory, right);
    expect(run(`npm run --silent ${script}`)).toEqual({ status: 1, stdout: "", stderr: `${IN_MAIN}\n` });
  });

  test("cdktf synth prints the sentence once, without a stack trace", () => {
    writeFileSync(inventory, right);
    const { status, stdout, stderr } = run("node_modules/.bin/cdktf synth");
    const printed = stdout + stderr;
    expect([status, printed.split(IN_MAIN).length - 1]).toEqual([1, 1]);
    expect(printed).not.toMatch(/^ +at /m);
  });

  test("HOMELAB_DEBUG=1 adds the stack trace", () => {
    writeFileSync(inventory, right);
    const { status, stderr } = run("npm run --silent synth", { HOMELAB_DEBUG: "1" });
    expect([status, stderr]).toEqual([1, expect.stringContaining(`Error: ${IN_MAIN}\n`)]);
    expect(stderr).toMatch(/^ +at .*\/main\.ts:\d+:\d+\)$/m);
  });
});

test("an error that is no owner's mistake names its kind and how to find it", () => {
  expect(sentenceOf(new TypeError("x is not a function"))).toBe(
    "TypeError: x is not a function\nHOMELAB_DEBUG=1 npm run synth shows where this comes from",
  );
});
