import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { transformSync } from "@swc/core";

/** Stands for cdktf: it fails as Terraform does, once it is told to end. */
const CDKTF = `#!/bin/sh
trap 'exit 7' TERM
printf '%s' "$TF_LOG_PATH" > log-path
echo '2026-11-28T12:00:00Z [ERROR] vertex "nomad_job.hub" error: Root object was present, but now absent' > "$TF_LOG_PATH"
echo ready
while :; do sleep 0.1; done
`;

/** Stands for what follows the services: it says that it runs, and goes on until it is ended, or its parent has gone. */
const FOLLOWER = `require("node:fs").writeFileSync("follower", process.argv.slice(2).join(" ") + " " + process.pid);
const parent = process.ppid;
setInterval(() => process.ppid === parent || process.exit(), 100);
`;

/** Whatever a failed test leaves. */
const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});

/** The last step of a deploy in a folder of its own, where `cdktf` is this script. */
function deploy(cdktf?: string) {
  const folder = mkdtempSync(join(tmpdir(), "deploy-test-"));
  for (const name of ["bin/deploy.js", "dist/cli/shared/terraform-words.js", "path/cdktf"]) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
  }
  copyFileSync("bin/deploy.js", join(folder, "bin/deploy.js"));
  const words = readFileSync("cli/shared/terraform-words.ts", "utf8");
  const { code } = transformSync(words, { jsc: { parser: { syntax: "typescript" } }, module: { type: "commonjs" } });
  writeFileSync(join(folder, "dist/cli/shared/terraform-words.js"), code);
  writeFileSync(join(folder, "dist/cli/homelab.js"), FOLLOWER);
  if (cdktf) writeFileSync(join(folder, "path/cdktf"), cdktf, { mode: 0o755 });
  const PATH = cdktf ? `${join(folder, "path")}:${process.env.PATH}` : join(folder, "path");
  const { TF_LOG: _, ...env } = process.env;
  const child = spawn(process.execPath, ["bin/deploy.js"], { cwd: folder, env: { ...env, PATH } });
  started.push(child);
  const said = { out: "", err: "" };
  child.stdout.on("data", (chunk) => {
    said.out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    said.err += chunk;
  });
  return { folder, child, said, closed: once(child, "close") };
}

test("a deploy that is told to end waits for Terraform, explains it, and ends as it does", async () => {
  const { folder, child, said, closed } = deploy(CDKTF);
  await once(child.stdout, "data");
  child.kill("SIGINT");
  await new Promise((done) => setTimeout(done, 500));
  expect([child.exitCode, child.signalCode]).toEqual([null, null]);
  child.kill("SIGTERM");
  expect(await closed).toEqual([7, null]);
  expect(said.err).toMatch(/^\nIn other words:\n {2}.*nomad_job\.hub/);
  expect(existsSync(dirname(readFileSync(join(folder, "log-path"), "utf8")))).toBe(false);
  rmSync(folder, { recursive: true });
});

test("a deploy without cdktf says so once", async () => {
  const { folder, said, closed } = deploy();
  expect(await closed).toEqual([1, null]);
  expect(said.err).toBe("error: cdktf cannot be run (spawn cdktf ENOENT); run npm ci\n");
  rmSync(folder, { recursive: true });
});

test("a deploy keeps the exit code and the output of cdktf, and follows the services until it ends", async () => {
  const { folder, said, closed } = deploy("#!/bin/sh\nuntil [ -s follower ]; do sleep 0.05; done; echo told; exit 3\n");
  expect([await closed, said.out]).toEqual([[3, null], "told\n"]);
  const [, command, pid] = /^(.*) (\d+)$/.exec(readFileSync(join(folder, "follower"), "utf8")) ?? [];
  expect(command).toBe("status --follow");
  const runs = () => {
    try {
      return process.kill(Number(pid), 0);
    } catch {
      return false;
    }
  };
  for (const end = Date.now() + 10_000; runs() && Date.now() < end; ) await new Promise((done) => setTimeout(done, 50));
  expect(runs()).toBe(false);
  rmSync(folder, { recursive: true });
});
