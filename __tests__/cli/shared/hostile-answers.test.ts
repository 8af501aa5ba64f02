import { createServer as http, type Server } from "node:http";
import { type AddressInfo, createServer as tcp } from "node:net";
import { albyHub, electrs } from "../../../cli/shared/programs";
import { NomadClient } from "../../../nomad/client";

const MEBIBYTE = Buffer.alloc(2 ** 20, 0x20);
const servers: { close(): void }[] = [];
afterAll(() => {
  for (const server of servers) server.close();
});

async function listening(server: Server | ReturnType<typeof tcp>): Promise<{ host: string; port: number }> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

/** Writes for ever, as fast as it is read. */
function flood(write: (chunk: Buffer) => boolean, onDrain: (go: () => void) => void): void {
  const go = () => {
    while (write(MEBIBYTE));
    onDrain(go);
  };
  go();
}

describe("a program that never ends its answer is given up:", () => {
  test("electrs, drop by drop", async () => {
    const at = await listening(
      tcp((socket) => {
        socket.on("error", () => {});
        const timer = setInterval(() => socket.write("x"), 500);
        socket.on("close", () => clearInterval(timer));
      }),
    );
    const start = Date.now();
    expect(await electrs(at)).toEqual({ known: false, problem: expect.stringContaining("does not answer") });
    expect(Date.now() - start).toBeLessThan(9_000);
  }, 20_000);

  test("electrs, as a flood", async () => {
    const at = await listening(
      tcp((socket) => {
        socket.on("error", () => {});
        flood(
          (chunk) => socket.writable && socket.write(chunk),
          (go) => socket.once("drain", go),
        );
      }),
    );
    expect(await electrs(at)).toEqual({ known: false, problem: "its answer has more than 1000000 bytes" });
  });

  test("a hub, as a flood, or elsewhere", async () => {
    const flooding = await listening(
      http((_, response) => {
        response.writeHead(200);
        flood(
          (chunk) => response.writable && response.write(chunk),
          (go) => response.once("drain", go),
        );
      }),
    );
    expect(await albyHub(flooding)).toEqual({
      known: false,
      problem: expect.stringContaining("more than 1000000 bytes"),
    });
    let asked = 0;
    const other = await listening(
      http((_, response) => {
        asked++;
        response.end("{}");
      }),
    );
    const away = await listening(
      http((_, response) => response.writeHead(302, { location: `http://127.0.0.1:${other.port}/` }).end()),
    );
    expect(await albyHub(away)).toMatchObject({ known: false });
    expect(asked).toBe(0);
  });

  test("Nomad, as a flood", async () => {
    const { port } = await listening(
      http((_, response) => {
        response.writeHead(200);
        flood(
          (chunk) => response.writable && response.write(chunk),
          (go) => response.once("drain", go),
        );
      }),
    );
    await expect(new NomadClient(`http://127.0.0.1:${port}`, {}).get(["jobs"])).rejects.toThrow(
      /its answer has more than \d+ bytes/,
    );
  }, 20_000);
});
