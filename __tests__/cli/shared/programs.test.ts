import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:net";
import { albyHub, bitcoinProgress, electrs } from "../../../cli/shared/programs";

const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close();
});

async function listening(server: Server): Promise<{ host: string; port: number }> {
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

/** Where nothing listens. */
async function nobody() {
  const server = createServer();
  const endpoint = await listening(server);
  await new Promise((done) => server.close(done));
  return endpoint;
}

describe("bitcoind's log", () => {
  const at = "2026-01-02T03:04:05Z";
  const start = [`${at} Bitcoin Core version v31.1.0 (release build)`, `${at} init message: Loading block index…`];
  const tip = (height: number, progress: string) =>
    `${at} UpdateTip: new best=00000000000000000001 height=${height} version=0x2fffe000 log2_work=95.1 tx=1200000000 date='${at}' progress=${progress} cache=12.3MiB(90000txo)`;

  const best = (height: number, progress: string) =>
    `${at} Loaded best chain: hashBestChain=00000000000000000001 height=${height} date=${at} progress=${progress}`;

  test.each([
    ["nothing", [], { phase: "starting" }],
    ["a start", start, { phase: "starting", text: "Loading block index…" }],
    [
      "a node that has loaded",
      [...start, `${at} init message: Done loading`],
      { phase: "running", text: "Loading block index…" },
    ],
    [
      "a node that has loaded its chain to the end",
      [
        ...start,
        best(930_000, "0.999998"),
        `${at} init message: Verifying blocks…`,
        `${at} init message: Done loading`,
      ],
      { phase: "synced", height: 930_000 },
    ],
    [
      "a node that has loaded the part that it has",
      [tip(930_000, "1.000000"), ...start, best(500_000, "0.412345"), `${at} init message: Done loading`],
      { phase: "blocks", height: 500_000, progress: 0.412345 },
    ],
    [
      "headers",
      [
        `${at} Pre-synchronizing blockheaders, height: 2000 (~0.25%)`,
        `${at} Synchronizing blockheaders, height: 400000 (~43.21%)`,
      ],
      { phase: "headers", progress: 0.4321 },
    ],
    [
      "an initial sync",
      [tip(1, "0.000001"), tip(500_000, "0.412345")],
      { phase: "blocks", height: 500_000, progress: 0.412345 },
    ],
    [
      "the tip",
      [tip(900_000, "0.412345"), tip(930_000, "1.000000")],
      { phase: "synced", height: 930_000, progress: 1 },
    ],
    [
      "a restart after the tip",
      [tip(930_000, "1.000000"), ...start],
      { phase: "starting", text: "Loading block index…" },
    ],
    [
      "a stop",
      [tip(930_000, "1.000000"), `${at} Shutdown: In progress...`],
      { phase: "stopping", height: 930_000, progress: 1 },
    ],
  ])("with %s is understood", (_, lines, progress) => {
    expect(bitcoinProgress(lines)).toMatchObject(progress);
  });

  test("of another program says nothing", () => {
    expect(bitcoinProgress(["height=5 progress=1", "UpdateTip", "{}"])).toEqual({ phase: "starting" });
  });
});

describe("electrs", () => {
  /** An Electrum server that answers each method so, in pieces and with news in between. */
  const answering = (answers: Record<string, object>) =>
    listening(
      createServer((socket) => {
        socket.on("error", () => {});
        socket.on("data", async (chunk) => {
          const news = '{"jsonrpc":"2.0","method":"blockchain.headers.subscribe","params":[]}';
          const told = String(chunk)
            .trim()
            .split("\n")
            .map((line) => JSON.parse(line))
            .filter(({ method }) => answers[method])
            .map(({ id, method }) => `${JSON.stringify({ jsonrpc: "2.0", id, ...answers[method] })}\n${news}\n`)
            .join("");
          for (let at = 0; at < told.length; at += 50) {
            socket.write(told.slice(at, at + 50));
            await new Promise((done) => setTimeout(done, 2));
          }
        });
      }),
    );
  const version = { result: ["electrs/0.11.1", "1.4"] };

  test("with a complete index serves a tip", async () => {
    const ping = { result: null };
    const server = await answering({
      "server.version": version,
      "blockchain.headers.subscribe": { result: { height: 930_000 } },
      "server.ping": ping,
    });
    expect(await electrs(server)).toEqual({ known: true, ready: true, height: 930_000 });
  });

  test("that indexes serves the height of a part, and is not ready", async () => {
    const ping = { error: { code: -32603, message: "unavailable index" } };
    const server = await answering({
      "server.version": version,
      "blockchain.headers.subscribe": { result: { height: 4000 } },
      "server.ping": ping,
    });
    expect(await electrs(server)).toEqual({ known: true, ready: false, height: 4000 });
  });

  test("that takes connections and never answers is not known", async () => {
    expect(await electrs(await answering({}))).toEqual({
      known: false,
      problem: "it takes connections and does not answer",
    });
  }, 15_000);

  test("where nothing listens cannot be asked", async () => {
    const { known, problem } = await electrs(await nobody());
    expect([known, problem]).toEqual([
      false,
      expect.stringContaining("cannot be asked from here: connect ECONNREFUSED"),
    ]);
  });
});

describe("Alby Hub", () => {
  const answering = (body: string) => listening(http.createServer((_, response) => response.end(body)));

  test("says whether Lightning runs and whether it is set up", async () => {
    const hub = await answering('{"running":true,"setupCompleted":true,"network":"bitcoin"}');
    expect(await albyHub(hub)).toEqual({ known: true, running: true, setUp: true });
  });

  test("is not known by a page that loads", async () => {
    expect(await albyHub(await answering('{"status":"ok"}'))).toEqual({
      known: false,
      problem: "its answer is not that of Alby Hub",
    });
    expect((await albyHub(await answering("<html>"))).known).toBe(false);
    expect((await albyHub(await nobody())).problem).toContain("it does not answer: connect ECONNREFUSED");
  });
});
