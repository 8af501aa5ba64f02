import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Testing } from "cdktf";
import { belongsTo } from "../../cli/secrets/rpcauth";
import { NomadClient } from "../../nomad/client";
import { addItem } from "../../nomad/variable";
import { buildHomelab } from "../homelab-fixture";
import { describeWith } from "../tools";
import { until } from "./command";
import { endAgent, freePort, startAgent } from "./loopback-agent";

const BITCOIND = "nomad/jobs/bitcoin/bitcoin/bitcoind";
const ELECTRS = "nomad/jobs/electrs/electrs/electrs";
const HUB = "nomad/jobs/albyhub/albyhub/albyhub";
const PLANTED = "planted-by-the-owner";

/** A Nomad server without clients on loopback. */
class Server {
  static async start(folder: string, options: string): Promise<Server> {
    const [http, rpc, serf] = await Promise.all([freePort(), freePort(), freePort()]);
    const agent = startAgent({ folder, http, rpc, serf, options: `log_level = "TRACE"\n${options}` });
    const server = new Server(`http://127.0.0.1:${http}`, agent);
    await until("the agent answers", 30, () => server.send("GET", "agent/health?type=server"));
    return server;
  }

  token = "";

  private constructor(
    readonly address: string,
    private readonly agent: ChildProcess,
  ) {}

  /** Asks as the cluster's manager; of a refusal it gives status and text. */
  async send<T>(method: string, path: string, body?: unknown): Promise<T | string> {
    const headers = this.token ? { "X-Nomad-Token": this.token } : undefined;
    const response = await fetch(`${this.address}/v1/${path}`, { method, headers, body: JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) return `${response.status} ${text}`;
    return text && (JSON.parse(text) as T);
  }

  async items(path: string): Promise<Record<string, string>> {
    const variable = await this.send<{ Items: Record<string, string> }>("GET", `var/${path}?namespace=bitcoin`);
    return typeof variable === "string" ? {} : variable.Items;
  }

  async forget(...paths: string[]): Promise<void> {
    for (const path of paths) await this.send("DELETE", `var/${path}?namespace=bitcoin`);
  }

  /** A token that may do this in the namespace: `read-job`, and what the others say, with variables. */
  async tokenFor(...capabilities: string[]): Promise<string> {
    const name = `only-${capabilities.join("-")}`;
    const [jobs, variables] = [true, false].map((one) =>
      JSON.stringify(capabilities.filter((capability) => (capability === "read-job") === one)),
    );
    const Rules = `namespace "bitcoin" {
      capabilities = ${jobs}
      variables { path "nomad/jobs/*" { capabilities = ${variables} } }
    }`;
    await this.send("PUT", `acl/policy/${name}`, { Name: name, Rules });
    const token = await this.send<{ SecretID: string }>("PUT", "acl/token", {
      ...{ Name: name, Type: "client", Policies: [name] },
    });
    return typeof token === "string" ? token : token.SecretID;
  }

  stop(): Promise<void> {
    return endAgent(this.agent, "SIGKILL");
  }
}

describeWith(["nomad"], "the secrets of the homelab on a real Nomad", () => {
  const folder = mkdtempSync(join(tmpdir(), "secrets-"));
  const home = join(folder, "home");
  let server: Server;
  let outdir: string;

  const synthesizeFor = (address: string) => {
    const { bitcoin, stack } = buildHomelab();
    bitcoin.rpcUser("laptop", ["getblockcount"]);
    const directory = Testing.fullSynth(stack);
    const file = join(directory, "stacks/homelab/cdk.tf.json");
    writeFileSync(file, readFileSync(file, "utf8").replaceAll("http://127.0.0.1:4646", address));
    return directory;
  };

  beforeAll(async () => {
    mkdirSync(home);
    server = await Server.start(
      join(folder, "server"),
      "server {\n enabled = true\n bootstrap_expect = 1\n}\nacl { enabled = true }",
    );
    await until("a leader", 60, async () => {
      const token = await server.send<{ SecretID: string }>("PUT", "acl/bootstrap");
      if (typeof token === "string") throw new Error(token);
      server.token = token.SecretID;
      return true;
    });
    outdir = synthesizeFor(server.address);
  });

  afterAll(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs the program as a process of its own, whose only folder for anything is `home`. */
  async function secrets(args: readonly string[], { stdin = "", env = {}, token = server.token } = {}) {
    const child = spawn(process.execPath, [join(__dirname, "cli.js"), "secrets", ...args], {
      cwd: home,
      env: {
        ...{ PATH: process.env.PATH, HOME: home, TMPDIR: home, XDG_CACHE_HOME: home },
        ...{ CDKTF_OUTDIR: outdir, NOMAD_TOKEN: token, ...env },
      },
    });
    const printed = { out: "", err: "" };
    child.stdout.on("data", (chunk) => {
      printed.out += chunk;
    });
    child.stderr.on("data", (chunk) => {
      printed.err += chunk;
    });
    child.stdin.end(stdin);
    const code = await new Promise((resolve) => child.once("close", resolve));
    return { code, ...printed, argv: child.spawnargs.join(" ") };
  }

  const database = JSON.stringify({ [HUB]: { database_password: PLANTED } });

  test("are made before the namespace exists, and are there when it does", async () => {
    expect(await server.send("GET", "namespace/bitcoin")).toBe("404 Namespace not found");
    expect((await secrets(["check"])).code).toBe(2);

    const { code, out, err } = await secrets(["init", "--stdin", "--show"], { stdin: database });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain("all 5 secrets are there");

    const capabilities = { EnabledTaskDrivers: ["docker"], EnabledNetworkModes: ["bridge"] };
    await server.send("PUT", "namespace/bitcoin", { Name: "bitcoin", Capabilities: capabilities });
    expect((await secrets(["check"])).code).toBe(0);
    expect(await server.items(HUB)).toEqual({
      database_password: PLANTED,
      auto_unlock_password: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
    });
    const { bitcoin_rpc_password: password = "" } = await server.items(ELECTRS);
    expect(belongsTo((await server.items(BITCOIND)).rpcauth_electrs ?? "", password)).toBe(true);
  });

  test("are in no argument, no output, no file and no log", async () => {
    await server.forget(HUB, ELECTRS, BITCOIND);
    const run = await secrets(["init", "--stdin"], { stdin: database });
    const [hub, electrs] = [await server.items(HUB), await server.items(ELECTRS)];
    const values = [...Object.values(hub), ...Object.values(electrs)];
    expect(values).toHaveLength(3);
    for (const value of values) {
      expect(run.argv + run.out + run.err).not.toContain(value);
      expect(filesWith(value, folder)).toEqual([]);
      expect(filesWith(value, outdir)).toEqual([]);
    }
    expect(filesWith(server.token, home)).toEqual([]);
    expect(run.argv + run.out + run.err).not.toContain(server.token);
  });

  test("belong together when many owners make them at once", async () => {
    await server.forget(HUB, ELECTRS, BITCOIND);
    const runs = await Promise.all(Array.from({ length: 5 }, () => secrets(["init", "--stdin"], { stdin: database })));
    expect(runs.map(({ code, err }) => [code, err])).toEqual(Array(5).fill([2, ""]));
    const made = runs.flatMap(({ out }) => out.split("\n").filter((line) => line.startsWith("made bitcoin_rpc")));
    expect(made).toHaveLength(1);
    const { bitcoin_rpc_password: password = "" } = await server.items(ELECTRS);
    expect(belongsTo((await server.items(BITCOIND)).rpcauth_electrs ?? "", password)).toBe(true);
    expect((await secrets(["init", "--show"])).code).toBe(0);
  });

  test("lose no key when several writers add theirs at once", async () => {
    const client = new NomadClient(server.address, { NOMAD_TOKEN: server.token });
    const ref = { namespace: "bitcoin", path: "nomad/jobs/several/writers/at-once" };
    const keys = ["a", "b", "c", "d"];
    const written = await Promise.all(keys.map((key) => addItem(client, ref, key, `value of ${key}`)));
    expect(written.map(({ written: one }) => one)).toEqual([true, true, true, true]);
    expect(Object.keys(await server.items(ref.path)).sort()).toEqual(keys);
  });

  test("are seen, not read, by a token that may only list them", async () => {
    const { code, out } = await secrets(["check"], { token: await server.tokenFor("list") });
    expect(code).toBe(0);
    expect(out.match(/is there, but this token may not read it/g)).toHaveLength(3);
  });

  test("are made by a token that may read and write them, and read jobs, and no more", async () => {
    await server.forget(HUB, ELECTRS, BITCOIND);
    const token = await server.tokenFor("read", "write", "read-job");
    expect((await secrets(["init", "--stdin", "--show"], { stdin: database, token })).code).toBe(0);
  });

  test("are not made by one that cannot see whether a service has its password already", async () => {
    await server.forget(HUB, ELECTRS, BITCOIND);
    const token = await server.tokenFor("read", "write");
    const { code, out } = await secrets(["init", "--stdin", "--show"], { stdin: database, token });
    expect(code).toBe(2);
    expect(out.replaceAll(/\s+/g, " ")).toContain('which takes the capability "read-job" in namespace "bitcoin"');
    expect(await server.items(HUB)).toEqual({ database_password: PLANTED });
  });

  test.each([
    ["read", []],
    ["read", ["write"]],
    ["write", ["read"]],
  ])("need the capability %s, which is named to a token that has %j", async (needed, capabilities) => {
    await server.forget(HUB, ELECTRS, BITCOIND);
    const token =
      capabilities.length > 0 ? await server.tokenFor(...capabilities) : "0d3ad5e4-0000-4000-8000-000000000000";
    const { code, err } = await secrets(["init"], { token });
    expect(code).toBe(1);
    expect(err).toMatch(
      new RegExp(`^error: .*Permission denied: the token in NOMAD_TOKEN .*; this takes the capability "${needed}" for`),
    );
    expect(err).not.toContain(token);
  });

  test("wait for a leader", async () => {
    const lonely = await Server.start(join(folder, "lonely"), "server {\n enabled = true\n bootstrap_expect = 3\n}");
    try {
      const { code, err } = await secrets(["check"], { env: { CDKTF_OUTDIR: synthesizeFor(lonely.address) } });
      expect(code).toBe(1);
      expect(err).toMatch(
        /^(?:asking .*\n)*error: GET .*: the servers have no leader; wait, or see nomad server members\n$/,
      );
    } finally {
      await lonely.stop();
    }
  });
});

/** Files below a folder that hold a text. */
function filesWith(text: string, folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((file) => statSync(file).isFile() && readFileSync(file).includes(text));
}
