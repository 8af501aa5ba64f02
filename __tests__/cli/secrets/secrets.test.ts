import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { Testing } from "cdktf";
import { belongsTo, rpcauth } from "../../../cli/secrets/rpcauth";
import { askHidden, confirm } from "../../../cli/shared/prompt";
import { buildHomelab } from "../../homelab-fixture";
import { FakeNomad } from "../fake-nomad";
import { job, stackFile, synthesized, task } from "../project";
import { toldOfSecrets } from "../told";

const BITCOIND = "nomad/jobs/bitcoin/bitcoin/bitcoind";
const ELECTRS = "nomad/jobs/electrs/electrs/electrs";
const HUB = "nomad/jobs/albyhub/albyhub/albyhub";
const PLANTED = "planted-by-the-owner";

let nomad: FakeNomad;
let lab: string;
let withLaptop: string;

/** The fixture homelab, synthesized for the fake Nomad. */
function synthesizeFor(address: string, laptop: boolean): string {
  const { bitcoin, stack } = buildHomelab();
  if (laptop) bitcoin.rpcUser("laptop", ["getblockcount"]);
  const outdir = Testing.fullSynth(stack);
  const file = join(outdir, "stacks/homelab/cdk.tf.json");
  writeFileSync(file, readFileSync(file, "utf8").replaceAll("http://127.0.0.1:4646", address));
  return outdir;
}

beforeAll(async () => {
  nomad = await FakeNomad.start();
  lab = synthesizeFor(nomad.address, false);
  withLaptop = synthesizeFor(nomad.address, true);
});
beforeEach(() => nomad.reset());
afterAll(() => nomad.stop());

interface Setting {
  readonly outdir?: string;
  readonly env?: Record<string, string>;
  readonly stdin?: string;
}

/** Runs `homelab secrets …`: what it prints, and its exit code. */
function secrets(args: string, { outdir = lab, ...rest }: Setting = {}) {
  return toldOfSecrets(outdir, args, rest);
}

const given = (path: string, key: string, value: string) => JSON.stringify({ [path]: { [key]: value } });
const database = { stdin: given(HUB, "database_password", PLANTED) };

describe("check", () => {
  test("names every key that is missing, with path, readers and remedy, and ends with 2", async () => {
    const { code, out, err } = await secrets("check");
    expect(out).toBe(`homelab at ${nomad.address}: 4 of 4 secrets are missing or wrong
  ${BITCOIND} in namespace bitcoin, read by bitcoin/bitcoin/bitcoind
    rpcauth_electrs missing (salt$hash of the RPC password of electrs): homelab secrets init makes it from the password
  ${ELECTRS} in namespace bitcoin, read by electrs/electrs/electrs
    bitcoin_rpc_password missing (password of the RPC user electrs): homelab secrets init makes it, and its hash
  ${HUB} in namespace bitcoin, read by albyhub/albyhub/albyhub
    database_password missing (password of the PostgreSQL role albyhub): homelab secrets init asks for it
    auto_unlock_password missing (password that unlocks the hub at its start): homelab secrets init makes it
  albyhub has no identity, so a second cluster could start a hub on its work directory: homelab secrets init makes one
`);
    expect({ code, err }).toEqual({ code: 2, err: "" });
  });

  test("tells an empty key from a missing one", async () => {
    nomad.put(HUB, { database_password: "" });
    const { stacks } = JSON.parse((await secrets("check --json")).out);
    expect(stacks[0].complete).toBe(false);
    const states = stacks[0].secrets.map(({ key, state }: Record<string, string>) => [key, state]);
    expect(Object.fromEntries(states)).toMatchObject({ database_password: "empty", auto_unlock_password: "missing" });
  });

  test("ends with 0 when all is there, and writes nothing", async () => {
    await secrets("init --stdin", database);
    nomad.writes = [];
    expect(await secrets("check")).toEqual({
      code: 0,
      out: `homelab at ${nomad.address}: all 4 secrets are there\n`,
      err: "",
    });
    expect(nomad.writes).toEqual([]);
  });

  test("says when a hash was made from another password", async () => {
    await secrets("init --stdin", database);
    nomad.put(ELECTRS, { bitcoin_rpc_password: "another" });
    const { code, out } = await secrets("check");
    expect(code).toBe(2);
    expect(out.replaceAll(/\s+/g, " ")).toContain(
      "rpcauth_electrs mismatch (salt$hash of the RPC password of electrs): was made from another password than " +
        `bitcoin_rpc_password in ${ELECTRS}: homelab secrets rotate electrs makes both anew`,
    );
  });

  test("is content while a password is changed, when the second hash belongs to it", async () => {
    await secrets("init --stdin", database);
    nomad.put(BITCOIND, { rpcauth_electrs: rpcauth("old"), rpcauth_electrs_next: rpcauth("new") });
    nomad.put(ELECTRS, { bitcoin_rpc_password: "new" });
    expect((await secrets("check")).code).toBe(0);
  });

  test("names values that their reader would refuse, without them", async () => {
    await secrets("init --stdin", database);
    nomad.put(HUB, { ...nomad.items(HUB), database_password: "p@ss/word" });
    nomad.put(BITCOIND, { rpcauth_electrs: "electrs:salt$hash" });
    const { code, out } = await secrets("check");
    expect(code).toBe(2);
    expect(out).toMatch(/database_password malformed .*: has characters other than A-Z a-z 0-9/);
    expect(out).toMatch(/rpcauth_electrs malformed .*: is no salt\$hash/);
    expect(out).not.toContain("p@ss");
  });

  test("with a token that may list but not read sees variables, and says that it sees no keys", async () => {
    await secrets("init --stdin", database);
    nomad.capabilities = new Set(["list"]);
    const { code, out } = await secrets("check");
    expect(code).toBe(0);
    expect(out).toContain(`${HUB} is there, but this token may not read it: its keys are not checked`);
  });

  test("with a token that may do nothing names the capability", async () => {
    nomad.capabilities.clear();
    const { code, out, err } = await secrets("check");
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(
      /^error: GET .*: Permission denied: NOMAD_TOKEN is not set; this takes the capability "read" for variables at nomad\/jobs\/\S+ in namespace "bitcoin"\n$/,
    );
  });

  test("with a token that may list, and sees nothing, does not claim that nothing is there", async () => {
    nomad.capabilities = new Set(["list"]);
    expect((await secrets("check")).err).toContain("is missing, or hidden from this token");
  });
});

describe("init", () => {
  test("makes what can be made, names the rest, and prints no value", async () => {
    const { code, out, err } = await secrets("init");
    expect({ code, err }).toEqual({ code: 2, err: "" });
    expect(out).toBe(`made bitcoin_rpc_password in ${ELECTRS}
made auto_unlock_password in ${HUB}
made rpcauth_electrs in ${BITCOIND}; bitcoin takes it at its next start
made homelab_identity in nomad/jobs/albyhub: albyhub claims its work directory at its next start
homelab at ${nomad.address}: 1 of 4 secrets is missing or wrong
  ${HUB} in namespace bitcoin, read by albyhub/albyhub/albyhub
    database_password missing (password of the PostgreSQL role albyhub): standard input is no terminal: give it with
      --stdin or run it on a terminal
`);
    for (const value of nomad.values()) expect(out).not.toContain(value);
  });

  test("makes passwords of 256 bits that fit into a URL, and the hash that belongs to them", async () => {
    await secrets("init");
    const { bitcoin_rpc_password: password = "" } = nomad.items(ELECTRS);
    expect(password).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(nomad.items(HUB).auto_unlock_password).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(nomad.items(HUB).auto_unlock_password).not.toBe(password);
    expect(belongsTo(nomad.items(BITCOIND).rpcauth_electrs ?? "", password)).toBe(true);
  });

  test("changes nothing when run again", async () => {
    await secrets("init --stdin", database);
    const before = nomad.values();
    nomad.writes = [];
    expect((await secrets("init")).code).toBe(0);
    expect(nomad.writes).toEqual([]);
    expect(nomad.values()).toEqual(before);
  });

  test("keeps the other keys of a variable, and those that have a value", async () => {
    nomad.put(HUB, { auto_unlock_password: "the owner's", foreign: "kept" });
    await secrets("init --stdin", database);
    expect(nomad.items(HUB)).toEqual({
      auto_unlock_password: "the owner's",
      foreign: "kept",
      database_password: PLANTED,
    });
  });

  test("fills a key that is empty", async () => {
    nomad.put(HUB, { auto_unlock_password: "" });
    await secrets("init");
    expect(nomad.items(HUB).auto_unlock_password).toHaveLength(43);
  });

  test("reads again when somebody else writes in between, and keeps what they wrote", async () => {
    let turns = 3;
    nomad.beforeWrite = (path) => {
      if (path === ELECTRS && turns-- > 0) nomad.put(ELECTRS, { turn: String(turns) });
    };
    await secrets("init");
    expect(nomad.items(ELECTRS)).toEqual({ turn: "0", bitcoin_rpc_password: expect.stringMatching(/^.{43}$/) });
  });

  test("makes the hash from the password of whoever came first", async () => {
    nomad.beforeWrite = (path) => {
      if (path === ELECTRS && !nomad.items(ELECTRS).bitcoin_rpc_password) {
        nomad.put(ELECTRS, { bitcoin_rpc_password: "theirs" });
      }
    };
    const { out } = await secrets("init");
    expect(out).not.toContain(`made bitcoin_rpc_password`);
    expect(belongsTo(nomad.items(BITCOIND).rpcauth_electrs ?? "", "theirs")).toBe(true);
  });

  test("gives up when somebody else never ends to write", async () => {
    nomad.beforeWrite = (path) => nomad.put(path, { turn: "again" });
    const { code, err } = await secrets("init");
    expect(code).toBe(1);
    expect(err).toBe(
      `error: somebody else keeps writing ${ELECTRS} in namespace bitcoin; try again when that has ended\n`,
    );
  });

  test.each([1, 2, 3, 4, 5])("interrupted before write %d, is finished by a second run", async (write) => {
    nomad.failFrom = write;
    const first = await secrets("init --stdin", database);
    expect(first).toMatchObject({ code: 1, err: expect.stringContaining("the servers have no leader") });
    expect(nomad.writes).toHaveLength(write - 1);
    nomad.failFrom = Number.POSITIVE_INFINITY;
    expect((await secrets("init --stdin", database)).code).toBe(0);
    expect(nomad.writes).toHaveLength(5);
  });

  test("writes a password before its hash, which can be made from it at any time", async () => {
    await secrets("init");
    const paths = nomad.writes.map((write) => write.split(" ")[0]);
    expect(paths.indexOf(ELECTRS)).toBeLessThan(paths.indexOf(BITCOIND));
  });

  test("makes the hash of a password that is there", async () => {
    nomad.put(ELECTRS, { bitcoin_rpc_password: "old+base64/with=" });
    await secrets("init --stdin", database);
    expect(belongsTo(nomad.items(BITCOIND).rpcauth_electrs ?? "", "old+base64/with=")).toBe(true);
    expect((await secrets("check")).code).toBe(0);
  });

  test("touches no hash whose password is lost, and says how to change both", async () => {
    const hash = rpcauth("lost");
    nomad.put(BITCOIND, { rpcauth_electrs: hash });
    const { code, out } = await secrets("init --stdin", database);
    expect(code).toBe(2);
    expect(out.replaceAll(/\s+/g, " ")).toContain(
      "bitcoin_rpc_password missing (password of the RPC user electrs): it cannot be found again from its hash: " +
        "homelab secrets rotate electrs makes both anew",
    );
    expect(nomad.items(BITCOIND)).toEqual({ rpcauth_electrs: hash });
    expect(nomad.items(ELECTRS)).toEqual({});
  });

  test("makes a new pair beside the old hash when its key was renamed, as it told", async () => {
    const hash = rpcauth("lost");
    nomad.put(BITCOIND, { rpcauth_electrs_next: hash });
    expect((await secrets("init --stdin", database)).code).toBe(0);
    expect(nomad.items(BITCOIND).rpcauth_electrs_next).toBe(hash);
    const { bitcoin_rpc_password: password = "" } = nomad.items(ELECTRS);
    expect(belongsTo(nomad.items(BITCOIND).rpcauth_electrs ?? "", password)).toBe(true);
  });

  test("can run when neither variables nor namespace exist", async () => {
    expect(nomad.values()).toEqual([]);
    expect((await secrets("init --stdin", database)).code).toBe(0);
  });

  test("names the capability that a token lacks", async () => {
    nomad.capabilities.delete("write");
    const { code, err } = await secrets("init", { env: { NOMAD_TOKEN: PLANTED } });
    expect(code).toBe(1);
    expect(err).toMatch(/the token in NOMAD_TOKEN .* too few rights; this takes the capability "write" for variables/);
    expect(err).not.toContain(PLANTED);
  });

  test("does not take a token that may only list for one that sees all is there", async () => {
    await secrets("init --stdin", database);
    nomad.capabilities = new Set(["list"]);
    expect((await secrets("init")).err).toContain('this takes the capability "read"');
  });
});

describe("an RPC user outside of the homelab", () => {
  test("gets a password that is shown once, when asked, and kept nowhere", async () => {
    const { code, out } = await secrets("init --stdin --show", { ...database, outdir: withLaptop });
    expect(code).toBe(0);
    const [, password = ""] = /password of laptop: (\S+)\n/.exec(out) ?? [];
    expect(password).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(belongsTo(nomad.items(BITCOIND).rpcauth_laptop ?? "", password)).toBe(true);
    expect(nomad.values()).not.toContain(password);
    expect((await secrets("init --show", { outdir: withLaptop })).out).not.toContain(password);
  });

  test("gets none without --show, and the owner is told", async () => {
    const { code, out } = await secrets("init --stdin", { ...database, outdir: withLaptop });
    expect(code).toBe(2);
    expect(out.replaceAll(/\s+/g, " ")).toContain(
      "homelab secrets init --show makes it, and shows the password of laptop, which is kept nowhere else",
    );
    expect(nomad.items(BITCOIND)).not.toHaveProperty("rpcauth_laptop");
  });

  test("keeps its password to itself when the owner gives its hash", async () => {
    await secrets("init --stdin", { outdir: withLaptop, stdin: given(BITCOIND, "rpcauth_laptop", rpcauth("mine")) });
    expect(belongsTo(nomad.items(BITCOIND).rpcauth_laptop ?? "", "mine")).toBe(true);
  });
});

describe("--show", () => {
  test("prints what was made, and never what the owner gave", async () => {
    const { out } = await secrets("init --stdin --show", database);
    expect(out).toContain(nomad.items(ELECTRS).bitcoin_rpc_password);
    expect(out).toContain(nomad.items(HUB).auto_unlock_password);
    expect(out).not.toContain(PLANTED);
  });

  test("in JSON too, even when the run then fails", async () => {
    nomad.failFrom = 2;
    const { code, out } = await secrets("init --show --json");
    expect(code).toBe(1);
    const { filled } = JSON.parse(out);
    expect(filled).toMatchObject([{ how: "made", secret: nomad.items(ELECTRS).bitcoin_rpc_password }]);
  });

  test("left out, no value is in JSON", async () => {
    const { out } = await secrets("init --stdin --json", database);
    const [{ complete, secrets: statuses }] = JSON.parse(out).stacks;
    expect(complete).toBe(true);
    const filled = statuses.map(({ key, filled: how }: Record<string, string>) => [key, how]);
    expect(Object.fromEntries(filled)).toEqual({
      rpcauth_electrs: "made",
      bitcoin_rpc_password: "made",
      auto_unlock_password: "made",
      database_password: "given",
    });
    for (const value of nomad.values()) expect(out).not.toContain(value);
  });
});

describe("--stdin", () => {
  test.each([
    ["no JSON", PLANTED],
    ["a list", `["${PLANTED}"]`],
    ["a value in place of keys", `{"${HUB}":"${PLANTED}"}`],
    ["a number", `{"${HUB}":{"database_password":1}}`],
    ["nothing", ""],
    ["null", "null"],
  ])("refuses %s, without repeating it", async (_, stdin) => {
    const { code, out, err } = await secrets("init --stdin", { stdin });
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toBe('error: standard input is not {"<path>":{"<key>":"<value>"}} in JSON\n');
    expect(nomad.writes).toEqual([]);
  });

  test.each([
    ["a key that nobody reads", given(HUB, "database_passwort", PLANTED), /nobody reads database_passwort in/],
    ["a path that nobody reads", given("nomad/jobs/x", "k", PLANTED), /nobody reads k in nomad\/jobs\/x/],
    ["a value that breaks a URL", given(HUB, "database_password", `${PLANTED}/`), /has characters other than/],
    ["an empty value", given(HUB, "database_password", ""), /is empty; give another/],
    ["a hash in another form", given(BITCOIND, "rpcauth_electrs", `electrs:${PLANTED}`), /is no salt\$hash/],
  ])("refuses %s before anything is written", async (_, stdin, message) => {
    const { code, out, err } = await secrets("init --stdin", { stdin });
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(message);
    expect(err).not.toContain(PLANTED);
    expect(nomad.writes).toEqual([]);
  });

  test("gives a lost password back when it belongs to the hash, and refuses it when not", async () => {
    nomad.put(BITCOIND, { rpcauth_electrs: rpcauth(PLANTED) });
    const wrong = await secrets("init --stdin", { stdin: given(ELECTRS, "bitcoin_rpc_password", "other") });
    expect(wrong.err).toContain(
      `the value given for bitcoin_rpc_password in ${ELECTRS} does not belong to rpcauth_electrs in ${BITCOIND}`,
    );
    expect(nomad.writes).toEqual([]);
    await secrets("init --stdin", { stdin: given(ELECTRS, "bitcoin_rpc_password", PLANTED) });
    expect(nomad.items(ELECTRS)).toEqual({ bitcoin_rpc_password: PLANTED });
  });

  test("takes a password in place of one that would be made", async () => {
    await secrets("init --stdin", { stdin: given(HUB, "auto_unlock_password", PLANTED) });
    expect(nomad.items(HUB).auto_unlock_password).toBe(PLANTED);
  });

  test("overwrites nothing, and says so", async () => {
    await secrets("init --stdin", { stdin: given(HUB, "database_password", "first") });
    const { code, out } = await secrets("init --stdin", database);
    expect(code).toBe(2);
    expect(out.replaceAll(/\s+/g, " ")).toContain(
      "database_password differs (password of the PostgreSQL role albyhub): has another value already; not overwritten; " +
        `to replace it: homelab secrets set ${HUB} database_password`,
    );
    expect(nomad.items(HUB).database_password).toBe("first");
    expect(out).not.toContain(PLANTED);
  });
});

describe("a password that its service has already", () => {
  const ran = [{ TaskGroup: "albyhub", TaskStates: { albyhub: { State: "dead", StartedAt: "2026-01-01T00:00:00Z" } } }];

  test("is not made anew when it has gone from Nomad, since another one would lock the hub", async () => {
    nomad.jobs.set("albyhub", { Stop: false, allocations: ran });
    const { code, out } = await secrets("init --stdin", database);
    expect(code).toBe(2);
    expect(out.replaceAll(/\s+/g, " ")).toContain(
      "auto_unlock_password missing (password that unlocks the hub at its start): albyhub has run already, so init " +
        `makes no new one: store the one it has with homelab secrets set ${HUB} auto_unlock_password`,
    );
    expect(nomad.items(HUB)).toEqual({ database_password: PLANTED });
    expect((await secrets("check")).out.replaceAll(/\s+/g, " ")).toContain("store the one it has with");
  });

  test.each([
    [
      "never started, such as one that waits for this secret",
      { Stop: false, allocations: waiting("0001-01-01T00:00:00Z") },
    ],
    ["was stopped", { Stop: true, allocations: ran }],
  ])("is made when the job %s", async (_, albyhub) => {
    nomad.jobs.set("albyhub", albyhub);
    expect((await secrets("init --stdin", database)).code).toBe(0);
  });

  function waiting(StartedAt: string) {
    return [{ TaskGroup: "albyhub", TaskStates: { albyhub: { State: "pending", StartedAt } } }];
  }

  test("is not made by a token that may not see whether the job has run", async () => {
    nomad.capabilities.delete("read-job");
    const { out } = await secrets("init --stdin", database);
    expect(out.replaceAll(/\s+/g, " ")).toContain(
      'this token may not see whether albyhub has run already, which takes the capability "read-job" in namespace "bitcoin"',
    );
    expect(nomad.items(HUB)).toEqual({ database_password: PLANTED });
  });
});

describe("set", () => {
  const set = (key: string, stdin: string, more = "") => secrets(`set ${HUB} ${key}${more}`, { stdin });

  test("stores a value from standard input, and says when it is taken", async () => {
    nomad.put(HUB, { foreign: "kept" });
    expect(await set("database_password", `${PLANTED}\n`)).toEqual({
      code: 0,
      out: `stored database_password in ${HUB}; albyhub takes it at the next restart: raise metaVersion\n  and deploy\n`,
      err: "",
    });
    expect(nomad.items(HUB)).toEqual({ foreign: "kept", database_password: PLANTED });
  });

  test("overwrites only when told so", async () => {
    nomad.put(HUB, { database_password: "first" });
    expect(await set("database_password", PLANTED)).toMatchObject({
      code: 1,
      err: `error: database_password in ${HUB} has another value already; not overwritten; --yes overwrites it\n`,
    });
    expect(nomad.items(HUB).database_password).toBe("first");
    expect((await set("database_password", PLANTED, " --yes")).code).toBe(0);
    expect(nomad.items(HUB).database_password).toBe(PLANTED);
  });

  test("writes nothing when the value is there", async () => {
    nomad.put(HUB, { database_password: PLANTED });
    expect((await set("database_password", PLANTED)).out).toBe(`database_password in ${HUB} has this value already\n`);
    expect(nomad.writes).toEqual([]);
  });

  test("leaves what somebody else wrote in the meantime", async () => {
    nomad.put(HUB, { database_password: "first" });
    nomad.beforeWrite = (path) => nomad.put(path, { database_password: "theirs" });
    const { code, err } = await set("database_password", PLANTED, " --yes");
    expect(code).toBe(1);
    expect(err).toBe(
      `error: somebody else changed database_password in ${HUB} in the meantime; it stays as they left it\n`,
    );
    expect(nomad.items(HUB).database_password).toBe("theirs");
  });

  test.each([
    ["no value", "database_password", "", /the value given for database_password in \S+ is empty; give another/],
    ["a value that breaks a URL", "database_password", `${PLANTED}/`, /has characters other than/],
    ["two lines", "database_password", `${PLANTED}\nmore\n`, /has characters other than/],
    ["a key that nobody reads", "passwort", PLANTED, /nobody reads passwort in .*; homelab secrets check --json lists/],
  ])("refuses %s, without repeating it", async (_, key, stdin, message) => {
    const { code, out, err } = await set(key, stdin);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(message);
    expect(err).not.toContain(PLANTED);
    expect(nomad.writes).toEqual([]);
  });

  test.each([
    [ELECTRS, "bitcoin_rpc_password"],
    [BITCOIND, "rpcauth_electrs"],
  ])("refuses half of a pair, %s, and says how both are changed", async (path, key) => {
    const { code, err } = await secrets(`set ${path} ${key}`, { stdin: PLANTED });
    expect(code).toBe(1);
    expect(err).toMatch(/is half of a pair, password and hash of electrs; homelab secrets rotate electrs changes both/);
    expect(nomad.writes).toEqual([]);
  });
});

describe("the server", () => {
  test("is the one of the stack; another NOMAD_ADDR is an error that names both", async () => {
    const { code, err } = await secrets("check", { env: { NOMAD_ADDR: "http://127.0.0.1:1" } });
    expect(code).toBe(1);
    expect(err).toContain(
      `NOMAD_ADDR is http://127.0.0.1:1, but stack homelab was synthesized for ${nomad.address}: unset NOMAD_ADDR`,
    );
  });

  test("may be named in NOMAD_ADDR too, and neither NOMAD_NAMESPACE nor NOMAD_REGION matters", async () => {
    const env = { NOMAD_ADDR: `${nomad.address}/`, NOMAD_NAMESPACE: "stray", NOMAD_REGION: "stray" };
    await secrets("init --stdin", { ...database, env });
    expect((await secrets("check")).code).toBe(0);
  });

  test("is not asked before there is a synthesis", async () => {
    const { code, err } = await secrets("check", { outdir: "/nowhere" });
    expect(code).toBe(1);
    expect(err).toMatch(/manifest\.json is not there; run npm run synth first/);
  });

  test("of one stack alone is asked with --stack", async () => {
    expect((await secrets("check --stack homelab")).code).toBe(2);
    expect((await secrets("check --stack other")).err).toBe(
      "error: there is no stack other; stacks with jobs: homelab\n",
    );
  });
});

describe("a project without the output homelab", () => {
  const PEM = "-----BEGIN KEY-----\nab/c+d=\n-----END KEY-----\n";

  const foreign = () => {
    const template = {
      DestPath: "local/wiki",
      EmbeddedTmpl: '{{ with nomadVar "nomad/jobs/wiki" }}{{ .key }}{{ end }}',
    };
    const wiki = job("wiki", [{ ...task("wiki", "wiki:1", [100, 100]), Templates: [template] }]);
    const provider = { nomad: [{ address: nomad.address }] };
    return { outdir: join(synthesized({ apps: { ...stackFile([wiki]), provider } }), "cdktf.out") };
  };

  test("has the keys that its templates name, and only its owner knows their values", async () => {
    const { code, out } = await secrets("init", foreign());
    expect(code).toBe(2);
    expect(out).toBe(`apps at ${nomad.address}: 1 of 1 secrets is missing or wrong
  nomad/jobs/wiki in namespace bitcoin, read by wiki/wiki/wiki
    key missing (no construct declares it): standard input is no terminal: give it with --stdin or run it on a terminal
`);
    expect(nomad.writes).toEqual([]);
  });

  test("may have secrets of any form", async () => {
    const { code, out } = await secrets("init --stdin", { ...foreign(), stdin: given("nomad/jobs/wiki", "key", PEM) });
    expect({ code, out }).toEqual({
      code: 0,
      out: `stored key in nomad/jobs/wiki\napps at ${nomad.address}: the one secret is there\n`,
    });
    expect(nomad.items("nomad/jobs/wiki")).toEqual({ key: PEM });
  });
});

test("help tells the exit codes, the environment, and how a password is changed", async () => {
  const { code, out } = await secrets("--help");
  expect(code).toBe(0);
  expect(out).toContain("Exit codes: 0 all secrets are there, 1 an error, 2 something is missing or wrong.");
  expect(out).toMatch(/NOMAD_TOKEN.*homelab secrets rotate electrs.*homelab secrets check/s);
});

describe("a question", () => {
  test.each([
    ["y", true],
    ["YES", true],
    ["n", false],
    ["", false],
    ["yeah", false],
  ])("answered with %j is a yes: %j", async (keys, expected) => {
    const input = new PassThrough();
    const answer = confirm("sure? ", input, new PassThrough());
    input.write(`${keys}\r`);
    expect(await answer).toBe(expected);
  });

  /** Types into a terminal; what it shows, and the answer. */
  async function typed(keys: string) {
    const [input, output] = [new PassThrough(), new PassThrough()];
    const answer = askHidden("password: ", input, output);
    input.write(keys);
    const value = await answer.catch((error: Error) => error);
    return { value, shown: String(output.read()) };
  }

  test("shows nothing of what is typed", async () => {
    expect(await typed(`${PLANTED}\r`)).toEqual({ value: PLANTED, shown: "password: \n" });
  });

  test("takes a correction", async () => expect((await typed("wrong\x15right\r")).value).toBe("right"));

  test("has an empty answer when nothing is typed, or at the end of the input", async () => {
    expect((await typed("\r")).value).toBe("");
    expect((await typed("\x04")).value).toBe("");
  });

  test("is left with Ctrl-C", async () => expect((await typed(`${PLANTED}\x03`)).value).toBeInstanceOf(Error));
});
