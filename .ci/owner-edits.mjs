#!/usr/bin/env node
// Makes an owner's edits on a copy of this project, each by itself and then all together. A new version leaves
// `npm test` green; any other edit fails main.test.ts alone, and `npm test -- -u` fixes it; `npm run synth` always
// exits with 0. Finally the owner's files are made unreadable, and still no other test fails. About ten minutes.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";

const require = createRequire(import.meta.url);
require("../__tests__/cluster/typescript");
const { copyProject } = require("../__tests__/fixture-project");

const TEST = "__tests__/main.test.ts";
const SNAPSHOT = "__tests__/__snapshots__/main.test.ts.snap";
const WHAT_TO_DO = "Read the diff; if it is what you meant, accept it: npm test -- -u";
const MAIN = "main.ts";
const INVENTORY = "ansible/inventory.yml";

/** @throws when the text does not hold `from`. */
function replace(text, from, to) {
  const edited = text.replaceAll(from, to);
  if (edited === text) throw new Error(`there is no ${from}`);
  return edited;
}

/** An edit of one file: pairs of what to replace, and with what. */
const edit =
  (file, ...pairs) =>
  (files) => ({ ...files, [file]: pairs.reduce((text, [from, to]) => replace(text, from, to), files[file]) });

const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;
const HOSTS = { pinode1: "attic", pinode2: "cellar", pinode3: "kitchen", pinode4: "garage" };

const OWN = `import { Construct } from "constructs";
import { BitcoinNode, CsiVolume, type HomelabStack, Memory, type NfsCsiPlugin } from "../constructs";

/** A second node, for trying things out. */
export class Regtest extends Construct {
  constructor(stack: HomelabStack, id: string, plugin: NfsCsiPlugin) {
    super(stack, id);
    new BitcoinNode(this, "node", {
      jobId: "regtest",
      chain: "regtest",
      image: "bitcoin/bitcoin:31.1",
      metaVersion: 1,
      dbcache: Memory.mebibytes(100),
      memory: Memory.gibibytes(1),
      memoryMax: Memory.gibibytes(3),
      data: new CsiVolume(this, "data", { volumeId: "regtest-data", holds: "chain", plugin }),
    });
  }
}
`;

const VERSIONS = {
  "metaVersion of every service": edit(MAIN, ["metaVersion: 1,", "metaVersion: 2,"]),
  "tag of every image": edit(
    MAIN,
    ["bitcoin/bitcoin:31.1", "bitcoin/bitcoin:31.2"],
    [/electrs:v0\.11\.1@sha256:\w+/g, `electrs:v0.11.2@${DIGEST}`],
    [/hub:v1\.24\.0@sha256:\w+/g, `hub:v1.24.8@${DIGEST}`],
    ["busybox:1.37.0-musl", `busybox:1.37.1-musl@${DIGEST}`],
    ["restic/restic:0.18.1", "restic/restic:0.18.2"],
    ["postgres:17.6", "postgres:17.7"],
    ["nfsplugin:v4.13.4", "nfsplugin:v4.13.5"],
  ),
};

const OTHERS = {
  "other host names": edit(INVENTORY, ...Object.entries(HOSTS)),
  "another NAS": edit(
    INVENTORY,
    ["nas_address: 192.168.68.50", "nas_address: 192.168.68.60"],
    ["/mnt/homelab-general", "/volume1/homelab"],
  ),
  "another CIDR": edit(INVENTORY, ["192.168.68.0/24", "192.168.64.0/20"]),
  "less memory": edit(INVENTORY, ["nomad_memory: 8GiB", "nomad_memory: 7GiB"]),
  "more memory": edit(INVENTORY, [/nomad_memory: \dGiB/g, "nomad_memory: 16GiB"]),
  signet: edit(MAIN, [/(new BitcoinNode\(.*)/g, '$1\n  chain: "signet",']),
  "hub and backup removed": edit(
    MAIN,
    [/const backup = new CsiVolume\([\s\S]*?(?=app\.synth)/g, ""],
    ["AlbyHub, Backup, ", ""],
  ),
  "a construct of one's own": (files) => ({
    ...edit(
      MAIN,
      ["\n\nconst app", '\nimport { Regtest } from "./own/regtest";\n\nconst app'],
      ["app.synth();", 'new Regtest(homelab, "regtest", plugin);\n\napp.synth();'],
    )(files),
    "own/regtest.ts": OWN,
  }),
};

const all = (files) => Object.values({ ...VERSIONS, ...OTHERS }).reduce((edited, one) => one(edited), files);

const unreadable = () => ({
  [MAIN]: 'throw new Error("main.ts is the owner\'s");\n',
  [INVENTORY]: "the inventory is the owner's\n",
  "own/unreadable.ts": 'throw new Error("own/ is the owner\'s");\n',
  "ansible/group_vars/all.yml": "nomad_memory: the group's variables are the owner's\n",
  "ansible/host_vars/pinode1.yml": "ansible_host: the host's variables are the owner's\n",
});

const copy = mkdtempSync(join(tmpdir(), "owner-"));
process.on("exit", () => rmSync(copy, { recursive: true, force: true }));
copyProject(copy);
const read = (file) => readFileSync(join(copy, file), "utf8");
const write = (file, text) => {
  mkdirSync(dirname(join(copy, file)), { recursive: true });
  writeFileSync(join(copy, file), text);
};

function npm(...args) {
  const env = { ...process.env, CI: "true", CHECKPOINT_DISABLE: "1", DISABLE_VERSION_CHECK: "1" };
  const { status, stdout, stderr } = spawnSync("npm", args, { cwd: copy, env, encoding: "utf8", maxBuffer: 1e9 });
  return { status, text: stdout + stderr };
}

/** @returns the files with failing tests, and all that `npm test` printed. */
function runTests(...args) {
  const { text } = npm("test", "--silent", "--", "--json", "--outputFile=result.json", ...args);
  const { testResults } = JSON.parse(read("result.json"));
  rmSync(join(copy, "result.json"));
  return {
    failed: testResults.filter(({ status }) => status === "failed").map(({ name }) => relative(copy, name)),
    text,
  };
}

/** The whole of `npm test`. What an edit breaks fails twice; what missed a bound on a busy machine does not. */
function runAllTests() {
  const { failed, text } = runTests();
  const others = failed.filter((file) => file !== TEST);
  const again = others.length > 0 ? runTests(...others) : { failed: [], text: "" };
  return { failed: failed.filter((file) => file === TEST || again.failed.includes(file)), text: text + again.text };
}

let deviates = false;
/** Prints the outcome of an edit, and all that the tests printed when it is not the expected one. */
function report(name, outcome, expected, text) {
  const right = outcome === expected;
  deviates ||= !right;
  console.log(`${right ? "ok   " : "WRONG"} ${name.padEnd(30)} ${outcome}`);
  if (!right) console.log(`      expected: ${expected}\n${text}`);
}

const result = ({ failed }) => (failed.length === 0 ? "green" : `fails ${failed.join(", ")}`);
const FAILS = `npm test fails ${TEST}`;

if (npm("test", "--silent", "--", "-u", TEST).status !== 0) throw new Error("the fixture homelab does not pass");
const files = { [MAIN]: read(MAIN), [INVENTORY]: read(INVENTORY) };
const snapshot = read(SNAPSHOT);

/** Puts the fixture homelab back, with these changes. */
function put(changed) {
  for (const folder of ["own", "ansible/group_vars", "ansible/host_vars"]) {
    rmSync(join(copy, folder), { recursive: true, force: true });
  }
  for (const [file, text] of Object.entries({ ...files, [SNAPSHOT]: snapshot, ...changed })) write(file, text);
}

function tried(name, change) {
  put(change(files));
  const first = runAllTests();
  const synth = () => `npm run synth: ${npm("run", "--silent", "synth").status}`;
  if (name in VERSIONS) {
    report(name, `npm test ${result(first)}; ${synth()}`, "npm test green; npm run synth: 0", first.text);
    return;
  }
  const [advice = "no advice"] = first.text.match(/Read the diff;.*/) ?? [];
  npm("test", "--silent", "--", "-u", TEST);
  const second = runTests(TEST);
  const outcome = `npm test ${result(first)} ("${advice}"); after -u ${result(second)}; ${synth()}`;
  report(name, outcome, `${FAILS} ("${WHAT_TO_DO}"); after -u green; npm run synth: 0`, first.text + second.text);
}

for (const [name, change] of Object.entries({ ...VERSIONS, ...OTHERS, "all of it together": all })) tried(name, change);
put(unreadable());
const blind = runAllTests();
report("all of it unreadable", `npm test ${result(blind)}`, FAILS, blind.text);
if (deviates) process.exitCode = 1;
