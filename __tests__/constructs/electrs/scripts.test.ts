import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { join } from "node:path";
import { electrsHealth, electrsSilence } from "../../../constructs/electrs/electrs";
import { buildHomelab, type Changes, synthesize, templateOf } from "../../homelab-fixture";
import { describeWith } from "../../tools";
import { type Container, container, ENVIRONMENT, kill, untilTrue } from "../container";

let box: Container;
beforeEach(() => {
  box = container("electrs");
});
afterEach(() => rmSync(box.root, { recursive: true }));

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
/** Takes connections, and answers each line with this. */
async function listening(answer = ""): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.write(answer));
  }).listen(0, "127.0.0.1");
  servers.push(server);
  await new Promise((done) => server.on("listening", done));
  return (server.address() as AddressInfo).port;
}

describeWith(["busybox"], "the start script of electrs", () => {
  let running: ChildProcess | undefined;
  afterEach(() => kill(running));

  /** Runs the script until it ends, or until it says that it waits; the program prints its arguments. */
  const start = (addresses: string, changes: Changes = {}, toml = 'network = "bitcoin"\n') =>
    new Promise<string>((done) => {
      box.put("secrets/electrs.toml", toml);
      const { electrs } = synthesize(buildHomelab(changes).stack).jobs;
      box.put("local/bitcoind", addresses);
      box.put("bin/electrs", '#!/bin/sh\necho "$@"\n');
      chmodSync(join(box.root, "bin/electrs"), 0o755);
      box.put("local/entry", box.here(templateOf(electrs, "local/entry")));
      const PATH = `${join(box.root, "bin")}:${ENVIRONMENT.PATH}`;
      running = spawn("busybox", ["sh", join(box.root, "local/entry")], { env: { PATH }, detached: true });
      let printed = "";
      const read = (text: Buffer) => {
        printed += text;
        if (printed.includes("waiting for")) done(printed);
      };
      running.stdout?.on("data", read);
      running.stderr?.on("data", read);
      running.on("close", (status) => done(`${status} ${printed}`));
    });
  const state = () => box.read("alloc/data/electrs");

  test("takes both addresses of the first instance that answers, and none of another", async () => {
    const port = await listening();
    const dead = "127.0.0.1:11 127.0.0.1:1\n127.0.0.1:12 127.0.0.1:2\n";
    const told = await start(`${dead}127.0.0.1:13 127.0.0.1:${port}\n127.0.0.1:14 127.0.0.1:4\n`);
    expect(told).toBe(
      `0 --skip-default-conf-files --conf ${box.root}/secrets/electrs.toml --daemon-rpc-addr 127.0.0.1:13 --daemon-p2p-addr 127.0.0.1:${port}\n`,
    );
    expect(state()).toMatch(/^started \d+ 127\.0\.0\.1:13\n$/);
  });

  test("asks RPC, and passes no address of P2P, where blocks are read over REST", async () => {
    const port = await listening();
    const changes = { electrs: { image: "getumbrel/electrs:v0.12.0" }, bitcoin: { image: "bitcoin/bitcoin:31.1" } };
    const told = await start(`127.0.0.1:1\n127.0.0.1:${port}\n`, changes as Changes);
    expect(told).toMatch(new RegExp(`--daemon-rpc-addr 127.0.0.1:${port}\n$`));
  });

  test.each([
    ["127.0.0.1:11 127.0.0.1:1\n127.0.0.1:12 127.0.0.1:2\n", "bitcoind at 127.0.0.1:1 or bitcoind at 127.0.0.1:2"],
    ["", "bitcoind at an address that Nomad does not know yet"],
  ])("says for whom it waits: %j", async (addresses, whom) => {
    expect(await start(addresses)).toBe(`entry: waiting for ${whom}\n`);
    await untilTrue(() => box.has("alloc/data/electrs"));
    expect(state()).toMatch(new RegExp(`^waiting \\d+ ${whom}\n$`));
  });

  test("leaves the reason where the probe reads it when a secret is missing", async () => {
    const toml = "the Nomad variable nomad/jobs/e/e/e has no value under the key k\n";
    expect(await start("", {}, toml)).toMatch(
      /^1 entry: refuses to start: the Nomad variable nomad\/jobs\/e\/e\/e has no value/,
    );
    expect(state()).toMatch(/^refused \d+ the Nomad variable nomad\/jobs\/e\/e\/e has no value under the key k\n$/);
  });
});

describeWith(["busybox"], "the probe of electrs", () => {
  let now: number;
  beforeEach(() => {
    now = Math.floor(Date.now() / 1000);
  });
  const ago = (seconds: number) => now - seconds;
  const clock = (at: number) => `${new Date(at * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  const state = (text: string) => box.put("alloc/data/electrs", `${text}\n`);
  const answered = (at: number) => box.put("alloc/data/electrs-answered", `${at}\n`);
  const health = async (answer?: string) => box.probe(electrsHealth(await listening(answer)));
  const silence = () => box.probe(electrsSilence());
  const READY = '{"id":1,"jsonrpc":"2.0","result":null}\n';
  const INDEXING = '{"id":1,"jsonrpc":"2.0","error":{"code":-32603,"message":"unavailable index"}}\n';

  test("is content with an electrs that answers, and records when it did", async () => {
    state(`started ${ago(60)} 127.0.0.1:8332`);
    expect(await health(READY)).toBe("200 the index is complete");
    expect(Number(box.read("alloc/data/electrs-answered"))).toBeGreaterThan(ago(5));
    expect(await silence()).toBe("200 has answered a moment ago");
  });

  test.each([
    ["without a word", undefined],
    ["that says so", INDEXING],
  ])(
    "never calls for a restart of a first indexing %s, however long",
    async (_, answer) => {
      state(`started ${ago(200_000)} 127.0.0.1:8332`);
      expect(await health(answer)).toBe(`503 not ready: indexing since ${clock(ago(200_000))}`);
      expect(await silence()).toBe("200 has not been ready since its start");
    },
    20_000,
  );

  test("says since when it is silent, and calls for a restart after five minutes of that", async () => {
    state(`started ${ago(90_000)} 127.0.0.1:8332`);
    answered(ago(290));
    expect(await health()).toBe(`503 silent since ${clock(ago(290))}, was ready before`);
    expect(await silence()).toBe("200 has answered a moment ago");
    answered(ago(301));
    expect(await silence()).toBe(`503 silent since ${clock(ago(301))}, was ready before`);
  }, 20_000);

  test("does not interrupt one that catches up after a restart, and says that it was ready", async () => {
    answered(ago(5000));
    state(`started ${ago(4000)} 127.0.0.1:8332`);
    expect(await health()).toBe(
      `503 not ready since its start at ${clock(ago(4000))}, and was ready until ${clock(ago(5000))}`,
    );
    expect(await silence()).toBe("200 has not been ready since its start");
  }, 20_000);

  test("tells waiting from a refusal, which fails the check that counts", async () => {
    state(`waiting ${ago(120)} bitcoind at 127.0.0.1:8335`);
    expect(await health()).toBe(`503 not ready: waiting since ${clock(ago(120))} for bitcoind at 127.0.0.1:8335`);
    expect(await silence()).toMatch(/^200/);
    state(`refused ${ago(120)} the Nomad variable a has no value under the key k`);
    for (const told of [await health(), await silence()]) {
      expect(told).toBe("503 refuses to start: the Nomad variable a has no value under the key k");
    }
  }, 30_000);
});
