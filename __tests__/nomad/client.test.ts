import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NomadClient } from "../../nomad/client";
import { Duration } from "../../nomad/duration";
import { NomadError } from "../../nomad/nomad-error";

const servers: Server[] = [];
const folder = mkdtempSync(join(tmpdir(), "client-"));
const file = (name: string) => join(folder, name);

afterAll(async () => {
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  rmSync(folder, { recursive: true });
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** A server that gives one answer to everything, and what it was asked. */
async function answering(status: number, body: string, type = "application/json") {
  const asked: Asked[] = [];
  const port = await listen(
    http.createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk) => chunks.push(chunk));
      request.on("end", () => {
        const { method, url, headers } = request;
        asked.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
        response.writeHead(status, { "content-type": type }).end(body);
      });
    }),
  );
  return { address: `http://127.0.0.1:${port}`, asked };
}

async function failure(promise: Promise<unknown>): Promise<NomadError> {
  const error = await promise.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(NomadError);
  return error as NomadError;
}

describe("a request", () => {
  test("names path, namespace and query, each encoded as a whole, and nothing of the environment", async () => {
    const { address, asked } = await answering(200, '{"ID":"a"}');
    const client = new NomadClient(`${address}/`, { NOMAD_NAMESPACE: "stray", NOMAD_REGION: "stray" });
    expect(await client.get(["job", "a/b c", "versions"], { namespace: "bit coin", query: { diffs: true } })).toEqual({
      ID: "a",
    });
    expect(asked[0]).toMatchObject({ method: "GET", url: "/v1/job/a%2Fb%20c/versions?namespace=bit+coin&diffs=true" });
    expect(asked[0]?.headers["x-nomad-token"]).toBeUndefined();
  });

  test("leaves out what has no value", async () => {
    const { address, asked } = await answering(200, "[]");
    await new NomadClient(address, {}).get(["nodes"], { query: { prefix: undefined } });
    expect(asked[0]?.url).toBe("/v1/nodes");
  });

  test("carries the token in a header alone, and writes JSON", async () => {
    const { address, asked } = await answering(200, "");
    const client = new NomadClient(address, { NOMAD_TOKEN: "the-token" });
    expect(await client.put(["var", "p"], { Items: { key: "Zürich" } }, { query: { cas: 0 } })).toBeUndefined();
    expect(asked[0]).toMatchObject({ method: "PUT", url: "/v1/var/p?cas=0", body: '{"Items":{"key":"Zürich"}}' });
    expect(asked[0]?.headers).toMatchObject({ "x-nomad-token": "the-token", "content-type": "application/json" });
  });

  test("keeps the path of an address behind a proxy", async () => {
    const { address, asked } = await answering(200, "[]");
    await new NomadClient(`${address}/nomad/`, {}).get(["nodes"]);
    expect(asked[0]?.url).toBe("/nomad/v1/nodes");
  });
});

describe("an answer that refuses", () => {
  const refused = async (status: number, body: string, environment = {}, needs?: string) => {
    const { address } = await answering(status, body, "text/plain");
    const error = await failure(new NomadClient(address, environment).get(["var", "p"], { needs }));
    return { status: error.status, message: error.message.replace(address, "") };
  };

  test("names the capability that is missing, and whether there was a token", async () => {
    const needs = 'the capability "read"';
    expect(await refused(403, "Permission denied", {}, needs)).toEqual({
      status: 403,
      message: 'GET /v1/var/p: Permission denied: NOMAD_TOKEN is not set; this takes the capability "read"',
    });
    expect((await refused(403, "Permission denied", { NOMAD_TOKEN: "t0k3n" }, needs)).message).toBe(
      'GET /v1/var/p: Permission denied: the token in NOMAD_TOKEN is unknown or has too few rights; this takes the capability "read"',
    );
  });

  test("says that there is no leader", async () => {
    expect(await refused(500, "No cluster leader")).toEqual({
      status: 500,
      message: "GET /v1/var/p: the servers have no leader; wait, or see nomad server members",
    });
  });

  test("says that the server speaks TLS", async () => {
    expect((await refused(400, "Client sent an HTTP request to an HTTPS server.\n")).message).toBe(
      "GET /v1/var/p: Nomad speaks TLS here; its address begins with https://",
    );
  });

  test("gives its first line, and its status by name when it says nothing", async () => {
    expect((await refused(404, "variable not found\nmore")).message).toBe("GET /v1/var/p: 404 variable not found");
    expect((await refused(502, "")).message).toBe("GET /v1/var/p: 502 Bad Gateway");
  });

  test("gives the entries of a list of errors", async () => {
    const list = '2 errors occurred:\n\t* job "x" is in nonexistent namespace "y"\n\t* and more\n\n';
    expect((await refused(500, list)).message).toContain('500 job "x" is in nonexistent namespace "y"; and more');
  });

  test("of a conflict repeats nothing, since it holds the variable as it is", async () => {
    const { message } = await refused(409, '{"Items":{"password":"hunter2"}}');
    expect(message).toBe("GET /v1/var/p: 409 Conflict");
  });

  test("that is no JSON is not Nomad's", async () => {
    expect((await refused(200, "<html>")).message).toBe(
      "GET /v1/var/p: the answer is not JSON; is this the address of Nomad?",
    );
  });
});

describe("no answer", () => {
  test("names the address when nothing listens there", async () => {
    const server = http.createServer();
    const port = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    const { message, status } = await failure(new NomadClient(`http://127.0.0.1:${port}`, {}).get(["nodes"]));
    expect(message).toBe(`Nomad at http://127.0.0.1:${port} cannot be reached: nothing listens there (ECONNREFUSED)`);
    expect(status).toBeUndefined();
  });

  test("names a host whose name nobody knows", async () => {
    const { message } = await failure(new NomadClient("http://pinode2.invalid:4646", {}).get(["nodes"]));
    expect(message).toMatch(/^Nomad at http:\/\/pinode2\.invalid:4646 cannot be reached: its name /);
  });

  test("is not waited for without end", async () => {
    const port = await listen(http.createServer(() => {}));
    const client = new NomadClient(`http://127.0.0.1:${port}`, {}, Duration.milliseconds(100));
    expect((await failure(client.get(["nodes"]))).message).toBe(
      `Nomad at http://127.0.0.1:${port} did not answer within 0.1 s; is it the right address?`,
    );
    (servers.at(-1) as http.Server).closeAllConnections();
  });

  test("is told apart from one that ends half way", async () => {
    const port = await listen(
      http.createServer((request, response) => {
        response.writeHead(200, { "content-length": 100 }).write("{");
        request.socket.end();
      }),
    );
    const { message } = await failure(new NomadClient(`http://127.0.0.1:${port}`, {}).get(["nodes"]));
    expect(message).toMatch(/cannot be reached: the connection was cut \(ECONNRESET\)$/);
  });

  test("comes in place of TLS where there is none", async () => {
    const { address } = await answering(200, "{}");
    const { message } = await failure(new NomadClient(address.replace("http", "https"), {}).get(["nodes"]));
    expect(message).toMatch(/ does not speak TLS; its address begins with http:\/\/ \(\w+\)$/);
  });
});

describe("the address", () => {
  const synthesized = "http://pinode2.local:4646";

  test.each([
    [synthesized, undefined],
    [undefined, synthesized],
    [synthesized, `${synthesized}/`],
    [`${synthesized}/`, synthesized],
    [synthesized, "http://PINODE2.local:4646"],
  ])("is %s when NOMAD_ADDR is %s", (written, NOMAD_ADDR) => {
    expect(NomadClient.ofStack("homelab", written, { NOMAD_ADDR }).address).toBe(synthesized);
  });

  test("of the environment must be the one that was synthesized", () => {
    expect(() =>
      NomadClient.ofStack("homelab", synthesized, { NOMAD_ADDR: "http://me:hunter2@127.0.0.1:4646" }),
    ).toThrow(
      new Error(
        "NOMAD_ADDR is http://127.0.0.1:4646, but stack homelab was synthesized for http://pinode2.local:4646: " +
          "unset NOMAD_ADDR, or correct the address in the code and run npm run synth",
      ),
    );
  });

  test("must come from somewhere", () => {
    expect(() => NomadClient.ofStack("homelab", undefined, {})).toThrow("stack homelab names no address of Nomad");
  });

  test.each(["pinode2.local:4646", "unix:///run/nomad.sock", "4646", ""])("is a URL of HTTP, unlike %j", (address) => {
    expect(() => new NomadClient(address, {})).toThrow("the address of Nomad begins with http:// or https://");
  });
});

const openssl = (() => {
  try {
    execFileSync("openssl", ["version"], { stdio: "ignore" });
    return true;
  } catch {
    process.stderr.write("skipped: TLS: no openssl here\n");
    return false;
  }
})();

(openssl ? describe : describe.skip)("TLS", () => {
  const run = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
  const tls = (name: string) => ({ cert: readFileSync(file(`${name}.pem`)), key: readFileSync(file(`${name}.key`)) });
  let address: string;
  let strict: string;

  /** A CA of the cluster, as `nomad tls ca create` makes it, and certificates of a server and a client. */
  beforeAll(async () => {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    run("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=homelab CA", "-days", "2");
    for (const [name, alternative] of [
      ["server", "DNS:server.global.nomad"],
      ["client", "DNS:client.global.nomad"],
    ] as const) {
      writeFileSync(file(`${name}.ext`), `subjectAltName=${alternative}`);
      run("req", ...key, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
      const ca = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
      run("x509", "-req", "-in", `${name}.csr`, ...ca, "-out", `${name}.pem`, "-days", "2", "-extfile", `${name}.ext`);
    }
    const ok: http.RequestListener = (_, response) => response.end('"ok"');
    const ca = readFileSync(file("ca.pem"));
    address = `https://127.0.0.1:${await listen(https.createServer(tls("server"), ok))}`;
    const asks = { ...tls("server"), ca, requestCert: true, rejectUnauthorized: true };
    strict = `https://127.0.0.1:${await listen(https.createServer(asks, ok))}`;
  });

  const trusted = () => ({ NOMAD_CACERT: file("ca.pem"), NOMAD_TLS_SERVER_NAME: "server.global.nomad" });

  test("with the CA of the cluster and the name of its servers", async () => {
    expect(await new NomadClient(address, trusted()).get(["nodes"])).toBe("ok");
  });

  test("with a CA that is not known names NOMAD_CACERT", async () => {
    const { message } = await failure(new NomadClient(address, {}).get(["nodes"]));
    expect(message).toBe(
      `Nomad at ${address} has a certificate of an unknown authority: set NOMAD_CACERT to the file with its CA ` +
        "(UNABLE_TO_VERIFY_LEAF_SIGNATURE)",
    );
  });

  test("with another name in the certificate names NOMAD_TLS_SERVER_NAME and the names that would do", async () => {
    const { message } = await failure(new NomadClient(address, { NOMAD_CACERT: file("ca.pem") }).get(["nodes"]));
    expect(message).toBe(
      `Nomad at ${address} has a certificate for other names: set NOMAD_TLS_SERVER_NAME to one of ` +
        "DNS:server.global.nomad (ERR_TLS_CERT_ALTNAME_INVALID)",
    );
  });

  test("with a client certificate where one is asked for", async () => {
    const own = { NOMAD_CLIENT_CERT: file("client.pem"), NOMAD_CLIENT_KEY: file("client.key") };
    expect(await new NomadClient(strict, { ...trusted(), ...own }).get(["nodes"])).toBe("ok");
  });

  test("without the client certificate that is asked for names both variables", async () => {
    const { message } = await failure(new NomadClient(strict, trusted()).get(["nodes"]));
    expect(message).toContain(
      "wants another client certificate: set NOMAD_CLIENT_CERT and NOMAD_CLIENT_KEY (ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED)",
    );
  });

  test("unchecked only when asked for, and with a warning", async () => {
    const client = new NomadClient(address, { NOMAD_SKIP_VERIFY: "true" });
    expect(await client.get(["nodes"])).toBe("ok");
    expect(client.warnings).toEqual([`NOMAD_SKIP_VERIFY is set: whoever answers at ${address} is taken for Nomad`]);
    expect(new NomadClient(address, { NOMAD_SKIP_VERIFY: "false" }).warnings).toEqual([]);
    expect(new NomadClient("http://127.0.0.1:4646", { NOMAD_SKIP_VERIFY: "1" }).warnings).toEqual([]);
  });

  test("with a file that is not there, or half a pair, fails before any request", () => {
    expect(() => new NomadClient(address, { NOMAD_CACERT: "/nowhere.pem" })).toThrow(
      "NOMAD_CACERT = /nowhere.pem cannot be read (ENOENT); correct it",
    );
    expect(() => new NomadClient(address, { NOMAD_CLIENT_CERT: file("client.pem") })).toThrow(
      "NOMAD_CLIENT_CERT and NOMAD_CLIENT_KEY belong together: set both or none",
    );
  });
});
