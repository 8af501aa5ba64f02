import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { ask, distinct, ownAddresses, placeOf } from "../../../cli/node-lost/ask";
import { Duration } from "../../../nomad/duration";
import { freePort } from "../../cluster/loopback-agent";

const TIMEOUT = Duration.milliseconds(1_500);
const at = (port: number) => ({ host: "127.0.0.1", port, what: "a port" });

test("a port that is open answers", async () => {
  const server = createServer((socket) => socket.on("error", () => {})).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  expect(await ask([at(port)], TIMEOUT)).toEqual([{ ...at(port), answer: "answers" }]);
  server.close();
});

test("a refused connection is an answer: a machine that is off refuses nothing", async () => {
  const port = await freePort();
  expect(await ask([at(port)], TIMEOUT)).toEqual([{ ...at(port), answer: "refused", code: "ECONNREFUSED" }]);
});

test("where nothing comes back, it is silent, and others need not wait for it", async () => {
  // A program that is stopped takes no connections; as soon as its queue is full, the system answers nothing any more.
  const program = `const s = require("node:net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => { console.log(s.address().port); });`;
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  const waiting: Socket[] = [];
  try {
    const [line] = await once(child.stdout, "data");
    const port = Number(String(line));
    child.kill("SIGSTOP");
    for (let turn = 0; turn < 8; turn++) {
      const socket = new (require("node:net").Socket)() as Socket;
      socket.on("error", () => {});
      socket.connect(port, "127.0.0.1");
      waiting.push(socket);
    }
    await new Promise((done) => setTimeout(done, 200));
    const since = Date.now();
    const refused = await freePort();
    const answers = await ask([at(port), at(refused), at(port)], TIMEOUT);
    expect(answers.map(({ answer }) => answer)).toEqual(["silent", "refused", "silent"]);
    expect(Date.now() - since).toBeLessThan(2 * TIMEOUT.toMilliseconds());
  } finally {
    for (const socket of waiting) socket.destroy();
    child.kill("SIGKILL");
  }
});

test("a question that never leaves this machine is no silence", async () => {
  // The system refuses to connect to a broadcast address.
  const [one] = await ask([{ host: "255.255.255.255", port: 22, what: "SSH" }], TIMEOUT);
  expect(one?.answer).toBe("unasked");
});

test("reads addresses back, and asks each place once", () => {
  expect(placeOf("[fd00::3]:4646", "x")).toEqual({ host: "fd00::3", port: 4646, what: "x" });
  expect(placeOf("10.0.0.3:8080", "x")).toEqual({ host: "10.0.0.3", port: 8080, what: "x" });
  for (const odd of ["", "pinode3", "0.0.0.0:80", "[::]:80", ":80"]) expect(placeOf(odd, "x")).toBeUndefined();
  const twice = [at(80), { ...at(80), what: "another" }, at(80), at(81)];
  expect(distinct(twice)).toEqual([{ ...at(80), what: "a port, another" }, at(81)]);
});

test("the machine that asks knows its own addresses", () => {
  expect([...ownAddresses()]).toContain("127.0.0.1");
});
