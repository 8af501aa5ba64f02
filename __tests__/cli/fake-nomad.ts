import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export type Items = Record<string, string>;

/** What Nomad knows of a job. */
export interface FakeJob {
  readonly Stop: boolean;
  readonly allocations: readonly unknown[];
  /** More of its record, such as its schedule. */
  readonly more?: object;
  readonly evaluations?: readonly unknown[];
}

const CAPABILITIES = ["read", "write", "list", "read-job"];

/** Nomad's variables over HTTP, with check-and-set as the real one has it; and what was made of its jobs. */
export class FakeNomad {
  static async start(): Promise<FakeNomad> {
    const nomad = new FakeNomad();
    await new Promise<void>((resolve) => nomad.server.listen(0, "127.0.0.1", resolve));
    return nomad;
  }

  /** Every write as `path key key`, in order. */
  writes: string[] = [];
  /** Called before each write with its path; it may write itself, and so come first. */
  beforeWrite: (path: string) => void = () => {};
  /** What the token may do. */
  capabilities = new Set(CAPABILITIES);
  /** Jobs by their ids. */
  readonly jobs = new Map<string, FakeJob>();
  /** The status of every answer from the n-th write on. */
  failFrom = Number.POSITIVE_INFINITY;

  private readonly variables = new Map<string, { ModifyIndex: number; ModifyTime: number; Items: Items }>();
  private index = 10;
  private readonly server: Server = createServer((request, response) => {
    const url = new URL(request.url ?? "", "http://nomad");
    const namespace = url.searchParams.get("namespace") ?? "default";
    const [, version, kind, encoded = "", ...rest] = url.pathname.split("/");
    const path = decodeURIComponent(encoded);
    const chunks: Buffer[] = [];
    const answer = (status: number, body: unknown) => {
      const text = typeof body === "string" ? body : JSON.stringify(body);
      response.writeHead(status, { "content-type": "text/plain" }).end(text);
    };
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      if (version === "v1" && kind === "jobs") return answer(200, this.children(url.searchParams.get("prefix") ?? ""));
      if (version === "v1" && kind === "job") return answer(...this.job(path, rest[0]));
      const needs = kind === "vars" ? "list" : request.method === "PUT" ? "write" : "read";
      if (version !== "v1" || (kind !== "var" && kind !== "vars")) return answer(404, "not found");
      if (!this.capabilities.has(needs)) return answer(403, "Permission denied");
      if (needs === "list") return answer(200, this.list(namespace, url.searchParams.get("prefix") ?? ""));
      if (needs === "write") {
        if (this.writes.length + 1 >= this.failFrom) return answer(500, "No cluster leader");
        this.beforeWrite(path);
      }
      const variable = this.variables.get(`${namespace} ${path}`);
      if (needs === "read") return variable ? answer(200, variable) : answer(404, "variable not found");
      if (Number(url.searchParams.get("cas")) !== (variable?.ModifyIndex ?? 0)) return answer(409, variable);
      const { Items } = JSON.parse(Buffer.concat(chunks).toString());
      this.writes.push([path, ...Object.keys(Items)].join(" "));
      answer(200, this.put(path, Items, namespace));
    });
  });

  get address(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Writes a variable whole, as its owner may, at a time of the server in milliseconds since 1970. */
  put(path: string, items: Items, namespace = "bitcoin", time = Date.now()): unknown {
    const variable = {
      Namespace: namespace,
      Path: path,
      ModifyIndex: ++this.index,
      ModifyTime: time * 1e6,
      Items: items,
    };
    this.variables.set(`${namespace} ${path}`, variable);
    return variable;
  }

  items(path: string, namespace = "bitcoin"): Items {
    return this.variables.get(`${namespace} ${path}`)?.Items ?? {};
  }

  /** Every value of every variable. */
  values(): string[] {
    return [...this.variables.values()].flatMap(({ Items }) => Object.values(Items)).filter(Boolean);
  }

  reset(): void {
    this.variables.clear();
    this.writes = [];
    this.beforeWrite = () => {};
    this.capabilities = new Set(CAPABILITIES);
    this.jobs.clear();
    this.failFrom = Number.POSITIVE_INFINITY;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private job(id: string, part: string | undefined): [status: number, body: unknown] {
    const job = this.jobs.get(id);
    if (!this.capabilities.has("read-job")) return [403, "Permission denied"];
    if (!job) return [404, "job not found"];
    if (part === "allocations") return [200, job.allocations];
    if (part === "evaluations") return [200, job.evaluations ?? []];
    return [200, { ID: id, SubmitTime: Date.now() * 1e6, Stop: job.Stop, Periodic: { Enabled: true }, ...job.more }];
  }

  /** The jobs that another made. */
  private children(prefix: string): unknown[] {
    const all = [...this.jobs].map(([ID, { more }]) => ({ ID, Namespace: "bitcoin", Status: "running", ...more }));
    return all
      .filter(({ ID }) => prefix !== "" && ID.startsWith(prefix))
      .map((one) => ({ ParentID: prefix.slice(0, -1), ...one }));
  }

  private list(namespace: string, prefix: string): { Path: string }[] {
    const names = [...this.variables.keys()].filter((name) => name.startsWith(`${namespace} ${prefix}`));
    return names.map((name) => ({ Path: name.slice(namespace.length + 1) }));
  }
}
