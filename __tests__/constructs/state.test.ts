import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, TerraformResource, TerraformStack } from "cdktf";
import { keepState, type State } from "../../constructs/state";
import { describeWith, postgresBinaries } from "../tools";

describe("state", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "state-"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const backend = (outdir: string, state: State) => {
    const app = new App({ outdir });
    keepState(new TerraformStack(app, "homelab"), state);
    app.synth();
    return JSON.parse(readFileSync(join(outdir, "stacks", "homelab", "cdk.tf.json"), "utf8")).terraform.backend;
  };

  test.each(["cdktf.out", "deep/er/out"])("is local beside cdktf.json, wherever synthesis writes: %s", (folder) => {
    const outdir = join(directory, folder);
    mkdirSync(outdir, { recursive: true });
    const { path } = backend(outdir, "local").local;
    expect(path.startsWith("..")).toBe(true);
    expect(join(outdir, "stacks", "homelab", path)).toBe(join(process.cwd(), "terraform.homelab.tfstate"));
  });

  test("in PostgreSQL names no connection string", () => {
    expect(backend(directory, "pg")).toEqual({ pg: { schema_name: "terraform_homelab" } });
  });
});

describeWith(["postgres", "terraform"], "state in a real PostgreSQL", () => {
  const PASSWORD = "not-to-be-found-anywhere";
  let directory: string;
  let connection: string;
  let holder: ChildProcess | undefined;

  const asPostgres = (command: string, ...args: string[]) => {
    const root = process.getuid?.() === 0;
    const path = join(postgresBinaries() as string, command);
    const [program, rest] = root ? ["setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", path]] : [path, []];
    return execFileSync(program, [...rest, ...args], { stdio: "pipe", env: { ...process.env, HOME: directory } });
  };

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "pg-"));
    const data = join(directory, "data");
    mkdirSync(data);
    if (process.getuid?.() === 0) execFileSync("chown", ["-R", "65534:65534", directory]);
    asPostgres("initdb", "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8");
    // A socket in its own folder and no TCP port: nothing else on the machine can be met.
    asPostgres(
      "pg_ctl",
      "-D",
      data,
      "-w",
      "-o",
      `-k ${directory} -c listen_addresses=''`,
      "-l",
      join(directory, "log"),
      "start",
    );
    connection = `postgres://postgres:${PASSWORD}@/postgres?host=${directory}&sslmode=disable`;
  });
  afterAll(() => {
    if (holder?.pid) process.kill(-holder.pid, "SIGKILL");
    asPostgres("pg_ctl", "-D", join(directory, "data"), "-m", "immediate", "stop");
    rmSync(directory, { recursive: true, force: true });
  });

  /** The backend of a homelab around the built-in `terraform_data`, which needs no provider. */
  const synthesize = (input: string, sleep = 0) => {
    const outdir = join(directory, "out");
    const app = new App({ outdir });
    const stack = new TerraformStack(app, "homelab");
    keepState(stack, "pg");
    const data = new TerraformResource(stack, "data", { terraformResourceType: "terraform_data" });
    data.addOverride("input", input);
    if (sleep > 0) {
      data.addOverride("triggers_replace", input);
      data.addOverride("provisioner", [{ "local-exec": { command: `sleep ${sleep}` } }]);
    }
    app.synth();
    return join(outdir, "stacks", "homelab");
  };
  const environment = () => ({ ...process.env, PG_CONN_STR: connection, CHECKPOINT_DISABLE: "1" });
  const terraform = (cwd: string, ...args: string[]) =>
    spawnSync("terraform", [...args, "-no-color", "-input=false"], { cwd, encoding: "utf8", env: environment() });

  test("a second run finds the first one's state, one run at a time, and no password reaches a file", async () => {
    const cwd = synthesize("first");
    expect(terraform(cwd, "init").stdout).toContain("successfully initialized");
    expect(terraform(cwd, "apply", "-auto-approve").stdout).toContain("1 added");
    expect(terraform(cwd, "plan").stdout).toContain("No changes");

    synthesize("second", 20);
    holder = spawn("terraform", ["apply", "-auto-approve", "-no-color", "-input=false"], {
      cwd,
      env: environment(),
      detached: true,
    });
    await new Promise<void>((resolve, reject) => {
      holder?.stdout?.on("data", (text) => String(text).includes("Provisioning") && resolve());
      holder?.on("exit", () => reject(new Error("the run that holds the lock ended before it was met")));
    });
    const refused = terraform(cwd, "apply", "-auto-approve", "-lock-timeout=0s");
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain("Error acquiring the state lock");

    const files = readdirSync(join(directory, "out"), { recursive: true, withFileTypes: true }).filter((f) =>
      f.isFile(),
    );
    const guilty = files
      .filter((f) => readFileSync(join(f.parentPath, f.name)).includes(PASSWORD))
      .map(({ name }) => name);
    expect(files.length).toBeGreaterThan(1);
    expect(guilty).toEqual([]);
  });
});
