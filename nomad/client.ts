import { readFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import { Duration } from "./duration";
import { explainFailure, explainStatus, NomadError } from "./nomad-error";

type Environment = Readonly<Record<string, string | undefined>>;

export interface RequestOptions {
  /** Always said and never taken from the environment: a stray NOMAD_NAMESPACE must not change what is meant. */
  readonly namespace?: string;
  /** More parameters of the query string; those without a value are left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** The ACL capability that it takes, for the message of a 403, such as `"read-job" in namespace "bitcoin"`. */
  readonly needs?: string;
  /** Whether asking twice does no harm, though it is not a plain read. */
  readonly repeatable?: boolean;
  /** How long to wait for the whole answer. @default Duration.seconds(30) */
  readonly timeout?: Duration;
}

/** Nomad itself waits 5 s for a leader before it says that there is none. */
const TIMEOUT = Duration.seconds(30);

/** Nomad refuses more than 100 connections of one host (`http_max_conns_per_client`). */
const CONNECTIONS = 20;

/** An answer has no more bytes: thousands of allocations have less. */
const LIMIT = 64 * 2 ** 20;

/** How long to wait before a second and a third try. */
const RETRIES = [Duration.milliseconds(500), Duration.milliseconds(1_500)];

/**
 * Nomad's HTTP API, with NOMAD_TOKEN, NOMAD_CACERT, NOMAD_CLIENT_CERT, NOMAD_CLIENT_KEY, NOMAD_TLS_SERVER_NAME and
 * NOMAD_SKIP_VERIFY of the environment, as Nomad's own CLI and the Terraform provider take them.
 *
 * @see https://developer.hashicorp.com/nomad/api-docs
 */
export class NomadClient {
  /** Without a trailing slash, and without user name and password, which a URL might hold. */
  readonly address: string;
  /** What the user should know of the connection. */
  readonly warnings: readonly string[];

  private readonly token: string | undefined;
  private readonly agent: http.Agent;

  /**
   * The client for a synthesized stack.
   *
   * @param synthesized address in the provider block; absent when it names none.
   * @throws when NOMAD_ADDR is another address, when there is none at all, or when a certificate cannot be read.
   */
  static ofStack(stack: string, synthesized: string | undefined, environment: Environment = process.env): NomadClient {
    const [written, wanted] = [synthesized, environment.NOMAD_ADDR].map((one) => one && plainAddress(one));
    if (written && wanted && written !== wanted) {
      throw new Error(
        `NOMAD_ADDR is ${wanted}, but stack ${stack} was synthesized for ${written}: unset NOMAD_ADDR, ` +
          "or correct the address in the code and run npm run synth",
      );
    }
    const address = written || wanted;
    if (!address) throw new Error(`stack ${stack} names no address of Nomad: set NOMAD_ADDR, such as ${EXAMPLE}`);
    return new NomadClient(address, environment);
  }

  /** @throws when the address is none, or a certificate cannot be read. */
  constructor(
    address: string,
    environment: Environment = process.env,
    private readonly timeout = TIMEOUT,
  ) {
    this.address = plainAddress(address);
    this.token = environment.NOMAD_TOKEN || undefined;
    const secure = this.address.startsWith("https:");
    const tls = secure ? tlsOptions(environment) : {};
    const pool = { maxSockets: CONNECTIONS };
    this.agent = secure ? new https.Agent({ ...tls, ...pool }) : new http.Agent(pool);
    const unchecked = `NOMAD_SKIP_VERIFY is set: whoever answers at ${this.address} is taken for Nomad`;
    this.warnings = tls.rejectUnauthorized === false ? [unchecked] : [];
  }

  /**
   * Reads. When the connection is cut, or the servers have no leader for a moment, it is tried three times.
   *
   * @param path what follows `/v1/`, in parts, each encoded as a whole, slashes too: `["job", "a/b", "versions"]`.
   * @throws NomadError without an answer, and for every status but 2xx.
   */
  get<T>(path: readonly string[], options: RequestOptions = {}): Promise<T> {
    return this.request("GET", path, { repeatable: true, ...options });
  }

  /** Writes, or asks with a body; otherwise as {@link get}. */
  put<T>(path: readonly string[], body: unknown, options: RequestOptions = {}): Promise<T> {
    return this.request("PUT", path, options, JSON.stringify(body));
  }

  /** Removes; otherwise as {@link get}. */
  delete<T>(path: readonly string[], options: RequestOptions = {}): Promise<T> {
    return this.request("DELETE", path, options);
  }

  /**
   * Reads what may have no end, piece by piece. Once it has begun to answer there is no
   * limit of time: it goes on when there is something to say.
   *
   * @param signal ends it, without an error.
   * @throws NomadError for every status but 2xx, and when the connection is cut.
   */
  async *stream(path: readonly string[], options: RequestOptions, signal: AbortSignal): AsyncGenerator<Buffer> {
    const url = this.url(path, options);
    const { request } = url.protocol === "https:" ? https : http;
    const headers = this.token ? { "x-nomad-token": this.token } : {};
    try {
      const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
        const sent = request(url, { headers, agent: this.agent, signal }, (answer) => {
          clearTimeout(deadline);
          resolve(answer);
        });
        const slow = Object.assign(new Error("no answer"), { code: "ABORT_ERR" });
        const deadline = setTimeout(() => sent.destroy(slow), this.timeout.toMilliseconds());
        sent.on("error", (error) => {
          clearTimeout(deadline);
          reject(error);
        });
        sent.end();
      });
      const { statusCode = 0 } = response;
      if (statusCode >= 200 && statusCode <= 299) {
        yield* response as AsyncIterable<Buffer>;
        return;
      }
      // What a stream refuses is told in a line.
      const text = await collect(response, 2 ** 16);
      throw this.refused(`GET ${this.address}/v1/${path.join("/")}`, statusCode, text, options);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof NomadError) throw error;
      throw new NomadError(explainFailure(error as NodeJS.ErrnoException, this.address, this.timeout), undefined, true);
    }
  }

  private async request<T>(method: string, path: readonly string[], options: RequestOptions, body?: string) {
    const delays = options.repeatable ? RETRIES : [];
    for (const delay of delays) {
      try {
        return await this.once<T>(method, path, options, body);
      } catch (error) {
        if (!(error instanceof NomadError && error.passing)) throw error;
        await new Promise((resolve) => setTimeout(resolve, delay.toMilliseconds()));
      }
    }
    return this.once<T>(method, path, options, body);
  }

  private async once<T>(method: string, path: readonly string[], options: RequestOptions, body?: string): Promise<T> {
    const { timeout = this.timeout } = options;
    const { status, text } = await this.send(method, this.url(path, options), timeout, body);
    const place = `${method} ${this.address}/v1/${path.join("/")}`;
    if (status < 200 || status > 299) throw this.refused(place, status, text, options);
    try {
      return (text === "" ? undefined : JSON.parse(text)) as T;
    } catch {
      throw new NomadError(`${place}: the answer is not JSON; is this the address of Nomad?`, status);
    }
  }

  private url(path: readonly string[], { namespace, query }: RequestOptions): URL {
    const url = new URL(`${this.address}/v1/${path.map(encodeURIComponent).join("/")}`);
    for (const [name, value] of Object.entries({ namespace, ...query })) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    return url;
  }

  private refused(place: string, status: number, text: string, { needs }: RequestOptions): NomadError {
    return new NomadError(
      `${place}: ${explainStatus(status, text, { hasToken: this.token !== undefined, needs })}`,
      status,
      status === 429 || status >= 502 || text.includes("No cluster leader"),
    );
  }

  private send(method: string, url: URL, timeout: Duration, body?: string): Promise<{ status: number; text: string }> {
    const { agent, token } = this;
    const headers = {
      accept: "application/json",
      ...(token && { "x-nomad-token": token }),
      ...(body !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
    };
    const { request } = url.protocol === "https:" ? https : http;
    return new Promise((resolve, reject) => {
      const fail = (error: NodeJS.ErrnoException) =>
        reject(new NomadError(explainFailure(error, this.address, timeout), undefined, error.code === "ECONNRESET"));
      const sent = request(
        url,
        { method, headers, agent, signal: AbortSignal.timeout(timeout.toMilliseconds()) },
        (response) => {
          const { statusCode = 0 } = response;
          collect(response, LIMIT).then((text) => resolve({ status: statusCode, text }), fail);
        },
      );
      sent.on("error", fail);
      sent.end(body);
    });
  }
}

/** A whole answer. @throws when it is longer than the limit, or cut. */
async function collect(response: http.IncomingMessage, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) {
      response.destroy();
      throw new Error(`its answer has more than ${limit} bytes; is it the right address?`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

const EXAMPLE = "http://127.0.0.1:4646";

function plainAddress(address: string): string {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new Error(`the address of Nomad begins with http:// or https://, such as ${EXAMPLE}; correct it`);
  }
  return url.origin + url.pathname.replace(/\/+$/, "");
}

function tlsOptions(environment: Environment): https.AgentOptions {
  const read = (variable: string): Buffer | undefined => {
    const file = environment[variable];
    if (!file) return undefined;
    try {
      return readFileSync(file);
    } catch (error) {
      throw new Error(`${variable} = ${file} cannot be read (${(error as NodeJS.ErrnoException).code}); correct it`);
    }
  };
  const [ca, cert, key] = [read("NOMAD_CACERT"), read("NOMAD_CLIENT_CERT"), read("NOMAD_CLIENT_KEY")];
  if (!cert !== !key) throw new Error("NOMAD_CLIENT_CERT and NOMAD_CLIENT_KEY belong together: set both or none");
  return {
    ...(ca && { ca }),
    ...(cert && { cert, key }),
    ...(environment.NOMAD_TLS_SERVER_NAME && { servername: environment.NOMAD_TLS_SERVER_NAME }),
    ...(/^(1|t|true)$/i.test(environment.NOMAD_SKIP_VERIFY ?? "") && { rejectUnauthorized: false }),
  };
}
