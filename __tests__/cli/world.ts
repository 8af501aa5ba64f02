import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { AllocationStub, NodeStub } from "../../nomad/live";

interface Claims {
  readonly [allocation: string]: unknown;
}

/**
 * A cluster with machines, allocations and variables, over HTTP: in states that a real one gets into by accidents and
 * takes days to. What is told to stop ends at once on a machine that is ready, and is lost on one that is not.
 */
export class World {
  static async start(): Promise<World> {
    const world = new World();
    await new Promise<void>((resolve) => world.server.listen(0, "127.0.0.1", resolve));
    return world;
  }

  nodes: NodeStub[] = [];
  allocations: AllocationStub[] = [];
  /** By the ids of jobs. */
  counts = new Map<string, number>();
  /** By the ids of volumes, beside those of what writes them: claims of others. */
  claims = new Map<string, Claims>();
  variables = new Map<string, { Items: Record<string, string>; ModifyIndex: number; ModifyTime: number }>();
  /** Runs of periodic jobs that have not ended, by the ids of their parents. */
  runs = new Map<string, string>();
  /** Jobs of others, and volumes with their folders, as `<namespace>/<id>`. */
  strangers = new Map<string, object>();
  folders = new Map<string, { readonly server: string; readonly share: string }>();
  /** Whether the token may list every namespace. */
  seesAll = true;
  /** Ids of allocations that their machines know, whatever the server believes. */
  known = new Set<string>();
  /** `host:port` of the agents, by the ids of nodes. */
  agents = new Map<string, string>();
  /** What a probe answers with 202, by the ids of jobs. */
  waits = new Map<string, string>();
  /** By the ids of nodes, in seconds since 1970. */
  readySince = new Map<string, number>();
  /** Every change, in order. */
  changes: string[] = [];
  /** Called before each change is made. */
  before: (change: string) => void = () => {};
  /** Called after each question. */
  asked: (path: string) => void = () => {};
  private made = 0;

  private readonly server: Server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://nomad");
    const [, , ...path] = pathname.split("/").map(decodeURIComponent);
    bodyOf(request).then((body) => {
      const [status, answer] =
        request.method === "GET"
          ? this.get(path, searchParams)
          : this.change(request.method ?? "", path, searchParams, body);
      response.writeHead(status).end(typeof answer === "string" ? answer : JSON.stringify(answer));
      this.asked(path.join("/"));
    });
  });

  get address(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  reset(): void {
    this.nodes = ["a", "b"].map((name) => node(name));
    this.allocations = [];
    for (const map of [
      this.counts,
      this.claims,
      this.variables,
      this.runs,
      this.agents,
      this.waits,
      this.readySince,
      this.strangers,
      this.folders,
    ])
      map.clear();
    this.known.clear();
    this.seesAll = true;
    this.changes = [];
    this.before = () => {};
    this.asked = () => {};
  }

  /** Lets a job run, and what it claims with it. */
  place(job: string, on: string, changes: Partial<AllocationStub> = {}): AllocationStub {
    this.made++;
    const now = new Date().toISOString();
    const state = {
      State: "running",
      Failed: false,
      Restarts: 0,
      LastRestart: null,
      StartedAt: now,
      FinishedAt: null,
    } as const;
    const allocation: AllocationStub = {
      ID: `${String(this.made).padStart(8, "0")}-${job}`,
      Name: `${job}.${job}[0]`,
      Namespace: "bitcoin",
      NodeID: on,
      NodeName: on,
      JobID: job,
      JobVersion: 0,
      TaskGroup: job,
      DesiredStatus: "run",
      DesiredDescription: "",
      ClientStatus: "running",
      TaskStates: { main: { ...state, Events: [] } },
      DeploymentStatus: null,
      NextAllocation: "",
      CreateIndex: this.made,
      AllocatedResources: { Tasks: {}, Shared: { Ports: [] } },
      CreateTime: Date.now() * 1e6,
      ModifyTime: Date.now() * 1e6,
      ...changes,
    };
    this.allocations.push(allocation);
    this.counts.set(job, this.counts.get(job) ?? 1);
    return allocation;
  }

  /** Changes every allocation of a job. */
  alter(job: string, changes: Partial<AllocationStub>): void {
    this.allocations = this.allocations.map((one) => (one.JobID === job ? { ...one, ...changes } : one));
  }

  /** A machine's new state; it is taken off the list without one. */
  machine(name: string, Status: NodeStub["Status"] | undefined): void {
    this.nodes = this.nodes.filter(({ Name }) => Name !== name);
    if (Status) this.nodes.push(node(name, { Status }));
  }

  /** How many allocations of a job run, or may run for all that anybody knows. */
  writers(job: string): number {
    const running = new Set(["running", "unknown", "lost"]);
    return this.allocations.filter(({ JobID, ClientStatus }) => JobID === job && running.has(ClientStatus)).length;
  }

  stop(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private get(path: readonly string[], query: URLSearchParams): [number, unknown] {
    const [kind = "", id = "", part = ""] = path;
    const filter = /^JobID == "(.*)"$/.exec(query.get("filter") ?? "")?.[1];
    if (kind === "nodes") return [200, this.nodes];
    if (kind === "agent") return [200, { Members: [{ Name: "server", Status: "alive", Tags: { build: "2.0.5" } }] }];
    if (kind === "node") {
      const found = this.nodes.find(({ ID }) => ID === id);
      return found
        ? [200, { ...found, HTTPAddr: this.agents.get(id) ?? "", StatusUpdatedAt: this.readySince.get(id) ?? 1 }]
        : [404, "node not found"];
    }
    if (kind === "allocations") return [200, this.allocations.filter(({ JobID }) => !filter || JobID === filter)];
    if (kind === "jobs" && query.get("namespace") === "*") {
      return [
        200,
        [...this.strangers].map(([name, more]) => ({ ...refOf(name), ParentID: "", Status: "running", ...more })),
      ];
    }
    if (kind === "volumes") {
      return [200, [...this.folders.keys()].map(refOf)];
    }
    if (kind === "acl" && id === "token") return [200, { Type: "client" }];
    if (kind === "acl" && id === "policies") return [200, [{ Name: "own" }]];
    if (kind === "acl") return [200, { Rules: `namespace "${this.seesAll ? "*" : "bitcoin"}" {}` }];
    if (kind === "jobs") {
      const parent = (query.get("prefix") ?? "").replace(/\/$/, "");
      const run = this.runs.get(parent);
      return [200, run ? [{ ID: run, Namespace: "bitcoin", ParentID: parent, Status: "running", Stop: false }] : []];
    }
    if (kind === "job" && part === "deployment") return [200, null];
    if (kind === "job" && part === "allocations") return [200, this.allocations.filter(({ JobID }) => JobID === id)];
    const stranger = this.strangers.get(`${query.get("namespace")}/${id}`);
    if (kind === "job" && stranger)
      return [200, { ...refOf(`${query.get("namespace")}/${id}`), Type: "service", ...stranger }];
    if (kind === "job" && this.counts.has(id)) {
      return [200, { ID: id, Stop: false, TaskGroups: [{ Name: id, Count: this.counts.get(id), Tasks: [] }] }];
    }
    if (kind === "volume") {
      const Context = this.folders.get(`${query.get("namespace")}/${part}`) ?? null;
      const own = this.allocations.filter(
        (one) => part === `${one.JobID}-data` && !["complete", "failed"].includes(one.ClientStatus),
      );
      const WriteAllocs = { ...Object.fromEntries(own.map(({ ID }) => [ID, null])), ...this.claims.get(part) };
      const Allocations = this.allocations.filter(({ ID }) => ID in WriteAllocs);
      return [200, { ID: part, Namespace: query.get("namespace"), Context, WriteAllocs, Allocations }];
    }
    if (kind === "var") {
      const variable = this.variables.get(path.slice(1).join("/"));
      return variable ? [200, variable] : [404, "variable not found"];
    }
    if (kind === "client" && path[3] === "stats") {
      return this.known.has(part) ? [200, {}] : [404, `Unknown allocation "${part}"`];
    }
    if (kind === "client" && path[3] === "checks") {
      const Output = this.waits.get(this.allocations.find(({ ID }) => ID === part)?.JobID ?? "");
      const check = { Check: "probe", Service: "s", Status: "success", StatusCode: 202, Timestamp: Date.now() / 1000 };
      return [200, Output ? { probe: { ...check, Output } } : {}];
    }
    if (kind === "client") return [200, {}];
    return [404, "not found"];
  }

  private change(method: string, path: readonly string[], query: URLSearchParams, body: unknown): [number, unknown] {
    const [kind = "", id = "", part = ""] = path;
    const { Count, Items } = body as { Count?: number; Items?: Record<string, string> };
    const change = `${method} ${path.join("/")}${Count === undefined ? "" : ` ${Count}`}`;
    this.before(change);
    this.changes.push(change);
    if (kind === "var") {
      const name = path.slice(1).join("/");
      const { ModifyIndex = 0 } = this.variables.get(name) ?? {};
      if (Number(query.get("cas")) !== ModifyIndex) return [409, "cas error: conflict"];
      if (method === "DELETE") this.variables.delete(name);
      else this.variables.set(name, { Items: Items ?? {}, ModifyIndex: ModifyIndex + 1, ModifyTime: 0 });
      return [200, this.variables.get(name) ?? {}];
    }
    if (kind === "job" && part === "scale") {
      this.counts.set(id, Count ?? 0);
      if (Count === 0) this.allocations = this.allocations.map((one) => (one.JobID === id ? this.ended(one) : one));
      else this.place(id, this.nodes.find(({ Status }) => Status === "ready")?.Name ?? "");
      return [200, {}];
    }
    if (kind === "node" && part === "purge") {
      this.machine(this.nodes.find(({ ID }) => ID === id)?.Name ?? "", undefined);
      const held = this.allocations.filter(({ NodeID }) => NodeID === id);
      for (const { JobID } of held) {
        this.alter(JobID, { ClientStatus: "lost", DesiredStatus: "stop" });
        if (this.counts.get(JobID) !== 0) this.place(JobID, this.nodes[0]?.Name ?? "");
      }
      return [200, {}];
    }
    return [200, {}];
  }

  private ended(one: AllocationStub): AllocationStub {
    if (one.DesiredStatus !== "run") return one;
    const isReady = this.nodes.some(({ ID, Status }) => ID === one.NodeID && Status === "ready");
    return { ...one, DesiredStatus: "stop", ClientStatus: isReady ? "complete" : "lost" };
  }
}

export function node(Name: string, changes: Partial<NodeStub> = {}): NodeStub {
  return {
    ID: Name,
    Name,
    Status: "ready",
    SchedulingEligibility: "eligible",
    Drain: false,
    Datacenter: "homelab",
    Version: "2.0.5",
    NodeResources: { Memory: { MemoryMB: 8192 }, Cpu: { CpuShares: 7200 } },
    ...changes,
  };
}

function refOf(name: string): { ID: string; Namespace: string; Stop: boolean } {
  const [Namespace = "", ...id] = name.split("/");
  return { ID: id.join("/"), Namespace, Stop: false };
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return text ? JSON.parse(text) : {};
}
