import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { NomadClient } from "../../nomad/client";
import { Duration } from "../../nomad/duration";
import { nodesOf } from "../../nomad/live";
import { readLog } from "../../nomad/logs";
import { planJob } from "../../nomad/plan";
import { job, stackFile, synthesized, task } from "./project";
import { told } from "./told";

const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close();
});

/** A server that answers like this, and how often it was asked. */
async function nomad(answer: RequestListener, timeout?: Duration) {
  let asked = 0;
  const server = createServer((request, response) => {
    asked++;
    answer(request, response);
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { address, client: new NomadClient(address, { NOMAD_TOKEN: "a-token" }, timeout), asked: () => asked };
}

const one = job("one", [task("main", "name:1", [100, 128])]);

describe("a Nomad that is not well", () => {
  test("without a leader for a moment is asked again", async () => {
    let turn = 0;
    const { client, asked } = await nomad((_, response) => {
      if (turn++ < 2) response.writeHead(500).end("No cluster leader");
      else response.end("[]");
    });
    expect(await nodesOf(client)).toEqual([]);
    expect(asked()).toBe(3);
  });

  test("without a leader for good is given up after three tries, in words", async () => {
    const { client, asked } = await nomad((_, response) => response.writeHead(500).end("No cluster leader"));
    await expect(planJob(client, one)).rejects.toThrow("the servers have no leader; wait, or see nomad server members");
    expect(asked()).toBe(3);
  });

  test("that cuts the connection in the middle of an answer is asked again", async () => {
    let turn = 0;
    const { client } = await nomad((request, response) => {
      if (turn++ > 0) {
        response.end("[]");
      } else {
        response.writeHead(200, { "content-length": 100 }).write("[");
        setTimeout(() => request.socket.destroy(), 10);
      }
    });
    expect(await nodesOf(client)).toEqual([]);
  });

  test("that does not answer is not waited for without end, and not asked again", async () => {
    const { client, asked } = await nomad(() => {}, Duration.milliseconds(200));
    await expect(nodesOf(client)).rejects.toThrow("did not answer within 0.2 s");
    expect(asked()).toBe(1);
    (servers.at(-1) as Server).closeAllConnections();
  });

  test("to which a token has expired is not asked again, and the token is told of", async () => {
    const { client, asked } = await nomad((_, response) => response.writeHead(403).end("ACL token expired"));
    await expect(planJob(client, one)).rejects.toThrow(
      'ACL token expired: the token in NOMAD_TOKEN is unknown or has too few rights; this takes the capability "plan-job" in namespace "bitcoin"',
    );
    expect(asked()).toBe(1);
  });

  test("that cuts a log in its middle has shown what came before, and says so", async () => {
    const { client } = await nomad((request, response) => {
      response.write("first line\n");
      setTimeout(() => request.socket.destroy(), 50);
    });
    const seen: string[] = [];
    const read = async () => {
      const place = { allocation: { ID: "a", Namespace: "bitcoin" }, task: "main", stream: "stdout" as const };
      for await (const piece of readLog(client, place, { follow: true, signal: new AbortController().signal })) {
        seen.push(piece);
      }
    };
    await expect(read()).rejects.toMatchObject({ name: "NomadError", passing: true });
    expect(seen.join("")).toBe("first line\n");
  });

  test("that answers slowly is waited for with a word", async () => {
    const { address } = await nomad((_, response) => {
      setTimeout(() => response.writeHead(403).end("Permission denied"), 3_500);
    });
    const folder = synthesized({ homelab: { ...stackFile([one]), provider: { nomad: [{ address }] } } });
    const { code, err } = await told(["drift"], folder);
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(
        new RegExp(`^asking ${address} \\([23] s\\)\nerror: GET ${address}/v1/var/homelab/pause: `),
      ),
    ]);
  });

  test.each([
    "status",
    "drift",
    "guard",
    "rebalance",
    "restart one",
    "pause --reason x",
    "resume",
    "node-lost a",
    "logs one",
  ])("that is not there is told of in one line by %s", async (line) => {
    const { address } = await nomad(() => {});
    servers.at(-1)?.close();
    const folder = synthesized({ homelab: { ...stackFile([one]), provider: { nomad: [{ address }] } } });
    const words = line.split(" ");
    expect(await told(words, folder)).toEqual({
      code: 1,
      out: "",
      err: `error: Nomad at ${address} cannot be reached: nothing listens there (ECONNREFUSED)\n`,
    });
  });

  test("is never asked twice to change something", async () => {
    const { client, asked } = await nomad((_, response) => response.writeHead(500).end("No cluster leader"));
    await expect(client.put(["job", "one", "scale"], {})).rejects.toThrow("no leader");
    expect(asked()).toBe(1);
  });
});
