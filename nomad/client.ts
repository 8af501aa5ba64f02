import { readFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";

type Environment = Readonly<Record<string, string | undefined>>;

/** Parameters of the query string; those without a value are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface RequestOptions {
  /** Always given and never taken from the environment: a stray NOMAD_NAMESPACE must not change what is meant. */
  readonly namespace?: string;
  readonly query?: Query;
  /** The ACL capability that the request takes, for the message of a 403, such as `read-job in namespace "bitcoin"`. */
  readonly needs?: string;
}

/** A request that failed; the message says what to do, and holds nothing of what was sent. */
export class NomadError extends Error {
  override readonly name = "NomadError";

  constructor(
    message: string,
    /** The HTTP status; absent when there was no answer. */
    readonly status?: number,
  ) {
    super(message);
  }
}

/** Nomad waits 5 s for a leader before it says that there is none. */
const TIMEOUT_MS = 30_000;

/**
 * Nomad's HTTP API, spoken as the Nomad CLI and the Terraform provider speak it: with NOMAD_TOKEN, NOMAD_CACERT,
 * NOMAD_CLIENT_CERT, NOMAD_CLIENT_KEY, NOMAD_TLS_SERVER_NAME and NOMAD_SKIP_VERIFY of the environment.
 *
 * @see https://developer.hashicorp.com/nomad/api-docs
 */
export class NomadClient {
  /** Without a trailing slash, user name or password. */
  readonly address: string;
  /** Something the user should know of the connection. */
  readonly warnings: readonly string[];

  private readonly url: URL;
  private readonly token: string | undefined;
  private readonly agent: http.Agent;

  /**
   * The client of a synthesized stack.
   *
   * @param synthesized address of the provider block; absent when it names none.
   * @throws when NOMAD_ADDR is another address, or there is none at all, or a certificate cannot be read.
   */
  static ofStack(stack: string, synthesized: string | undefined, environment: Environment = process.env): NomadClient {
    const { NOMAD_ADDR } = environment;
    if (synthesized && NOMAD_ADDR && plainAddress(synthesized) !== plainAddress(NOMAD_ADDR)) {
      throw new Error(
        `NOMAD_ADDR is ${plainAddress(NOMAD_ADDR)}, but stack ${stack} was synthesized for ${plainAddress(synthesized)}: ` +
          "unset NOMAD_ADDR, or correct the inventory and run npm run synth",
      );
    }
    const address = synthesized || NOMAD_ADDR;
    if (!address) {
      throw new Error(`stack ${stack} names no address of Nomad: set NOMAD_ADDR, such as http://127.0.0.1:4646`);
    }
    return new NomadClient(address, environment);
  }

  constructor(
    address: string,
    environment: Environment = process.env,
    private readonly timeout = TIMEOUT_MS,
  ) {
    this.address = plainAddress(address);
    this.url = parseAddress(address);
    this.token = environment.NOMAD_TOKEN || undefined;
    const secure = this.url.protocol === "https:";
    const tls = secure ? tlsOptions(environment) : {};
    this.agent = secure ? new https.Agent(tls) : new http.Agent();
    this.warnings =
      tls.rejectUnauthorized === false
        ? [`NOMAD_SKIP_VERIFY is set: whoever answers at ${this.address} is taken for Nomad`]
        : [];
  }

  /**
   * Reads.
   *
   * @param path what follows `/v1/`, in parts; each is encoded as a whole, slashes too: `["job", "a/b", "versions"]`.
   * @throws NomadError for every status but 2xx.
   */
  get<T>(path: readonly string[], options: RequestOptions = {}): Promise<T> {
    return this.request("GET", path, options);
  }

  /** Writes, or asks with a body. @throws NomadError for every status but 2xx. */
  put<T>(path: readonly string[], body: unknown, options: RequestOptions = {}): Promise<T> {
    return this.request("PUT", path, options, JSON.stringify(body));
  }

  private async request<T>(method: string, path: readonly string[], options: RequestOptions, body?: string): Promise<T> {
    const target = `${this.address}/v1/${path.map(encodeURIComponent).join("/")}`;
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries({ namespace: options.namespace, ...options.query })) {
      if (value !== undefined) query.set(name, String(value));
    }
    const { status, type, text } = await this.send(method, `${target}?${query}`, body);
    if (status < 200 || status > 299) {
      // The answer to a conflict holds the variable as it is, secrets and all.
      const told = status !== 409 && type?.startsWith("text/plain") ? firstLine(text) : "";
      throw new NomadError(`${method} ${target}: ${this.explain(status, told, options.needs)}`, status);
    }
    try {
      return (text === "" ? undefined : JSON.parse(text)) as T;
    } catch {
      throw new NomadError(`${method} ${target}: the answer is not JSON: is this the address of Nomad?`, status);
    }
  }

  private send(method: string, url: string, body?: string): Promise<{ status: number; type?: string; text: string }> {
    const { agent, token, timeout } = this;
    const headers = {
      accept: "application/json",
      ...(token && { "x-nomad-token": token }),
      ...(body !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
    };
    const { request } = this.url.protocol === "https:" ? https : http;
    const auth = this.url.username && `${decodeURIComponent(this.url.username)}:${decodeURIComponent(this.url.password)}`;
    return new Promise((resolve, reject) => {
      const fail = (error: NodeJS.ErrnoException) => reject(new NomadError(this.unreachable(error)));
      const signal = AbortSignal.timeout(timeout);
      const sent = request(url, { method, headers, agent, signal, ...(auth && { auth }) }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("error", fail);
        response.on("end", () => {
          const { statusCode: status = 0, headers } = response;
          resolve({ status, type: headers["content-type"], text: Buffer.concat(chunks).toString("utf8") });
        });
      });
      sent.on("error", fail);
      sent.end(body);
    });
  }

  private explain(status: number, told: string, needs = "a capability that its policies do not give"): string {
    if (status === 403) {
      const token = this.token ? "the token in NOMAD_TOKEN is unknown or has too few rights" : "NOMAD_TOKEN is not set";
      return `${told || "forbidden"}; ${token}: this takes ${needs}`;
    }
    if (told.includes("No cluster leader")) {
      return "the servers have no leader; wait for the election, or look at `nomad server members`";
    }
    if (told.includes("HTTP request to an HTTPS server")) return "the server speaks TLS: its address begins with https://";
    return `${status} ${told || http.STATUS_CODES[status] || ""}`.trim();
  }

  private unreachable(error: NodeJS.ErrnoException): string {
    const { code = "", name } = error;
    const server = `Nomad at ${this.address}`;
    if (name === "AbortError" || name === "TimeoutError") return `${server} did not answer within ${this.timeout / 1000} s`;
    if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
      const names = (error as { cert?: { subjectaltname?: string } }).cert?.subjectaltname ?? "none";
      return `${server} has a certificate for other names (${names}): set NOMAD_TLS_SERVER_NAME to one of them`;
    }
    if (UNKNOWN_AUTHORITY.has(code)) {
      return `${server} has a certificate of an unknown authority: set NOMAD_CACERT to the file with your CA (${code})`;
    }
    if (code.startsWith("CERT_")) return `${server} has a certificate that is not valid: ${error.message} (${code})`;
    if (code === "EPROTO" || code === "ERR_SSL_WRONG_VERSION_NUMBER") {
      if (/wrong version number|packet length/i.test(error.message)) return `${server} does not speak TLS: try http://`;
    }
    if (/ALERT|alert/.test(`${code} ${error.message}`) || (code === "ECONNRESET" && this.url.protocol === "https:")) {
      return `${server} refused the connection: set NOMAD_CLIENT_CERT and NOMAD_CLIENT_KEY to a certificate it knows (${code})`;
    }
    return `${server} cannot be reached: ${REASONS[code] ?? error.message} (${code || name})`;
  }
}

const UNKNOWN_AUTHORITY = new Set([
  "CERT_UNTRUSTED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the connection was cut",
  EHOSTUNREACH: "no way to the host",
  ENOTFOUND: "its name is not known here",
  EAI_AGAIN: "its name cannot be looked up now",
  ETIMEDOUT: "no answer",
};

function parseAddress(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new Error("the address of Nomad must begin with http:// or https://, such as http://127.0.0.1:4646");
  }
  return url;
}

/** For comparison and for messages: no trailing slash, and no password, which a URL might hold. */
function plainAddress(address: string): string {
  const { protocol, host, pathname } = parseAddress(address);
  return `${protocol}//${host}${pathname.replace(/\/+$/, "")}`;
}

function tlsOptions(environment: Environment): https.AgentOptions {
  const read = (variable: string): Buffer | undefined => {
    const file = environment[variable];
    if (!file) return undefined;
    try {
      return readFileSync(file);
    } catch (error) {
      throw new Error(`${variable} = ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
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

function firstLine(text: string): string {
  return (text.trim().split("\n")[0] ?? "").slice(0, 200);
}
