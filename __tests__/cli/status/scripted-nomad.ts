import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import type { Job } from "../../../.gen/nomad/job";
import type { HomelabOutput } from "../../../model/homelab";
import { buildHomelab, synthesize } from "../../homelab-fixture";
import { stackFile, synthesized } from "../project";
import { type Told, told } from "../told";

/** Milliseconds since 1970, so many minutes ago. */
export const minutesAgo = (minutes: number) => Date.now() - minutes * 60_000;

/** An event of a task, so many minutes ago. */
export const event = (Type: string, minutes: number, DisplayMessage = "") => ({
  Type,
  Time: minutesAgo(minutes) * 1e6,
  DisplayMessage,
});

/** What Nomad says of one service; whatever is not written is as in a service that is well. */
export interface Scripted {
  readonly status?: string;
  /** Minutes since its allocation was made. */
  readonly made?: number;
  /** Of its main task. */
  readonly state?: string;
  readonly up?: number;
  readonly events?: readonly ReturnType<typeof event>[];
  /** What its checks answer, by their names, and how many minutes ago, when it is not now. */
  readonly checks?: Readonly<Record<string, readonly [code: number, output: string, minutes?: number]>>;
  /** What its main task wrote. */
  readonly stderr?: string;
  readonly stdout?: string;
  /** Where its program really listens; otherwise nowhere. */
  readonly port?: number;
}

/** Those of the fixture homelab, by their ids. */
export const { jobs: JOBS } = synthesize(buildHomelab().stack);
export const SERVICES = ["bitcoin", "electrs", "albyhub"] as const;
type Name = (typeof SERVICES)[number];

const SYNCED =
  "2026-11-28T10:00:00Z Bitcoin Core version v31.1\n2026-11-28T10:00:09Z UpdateTip: new best=00 height=930000 version=0x2 log2_work=1 tx=1 date='2026-11-28T09:59:00Z' progress=1.000000 cache=1MiB\n";

/** A Nomad whose answers are written down: three services of the fixture homelab, and what is said of them. */
export class ScriptedNomad {
  services: Partial<Record<Name, Scripted>> = {};
  /** Answers by path, before all others. */
  answers: Record<string, unknown> = {};
  /** Registrations by the name of the service, besides the services' own. */
  registrations: Record<string, readonly object[]> = {};
  /** How often it was asked for the machines, which each look at everything does once. */
  asked = 0;
  private readonly server: Server = createServer((request, response) => {
    const url = new URL(request.url ?? "", "http://nomad");
    if (url.pathname === "/v1/nodes") this.asked++;
    const path = url.pathname.replace(/^\/v1\//, "");
    const body = this.answer(decodeURIComponent(path), url.searchParams);
    if (body === undefined) response.writeHead(404).end(path.startsWith("var/") ? "variable not found" : "not found");
    else response.end(typeof body === "string" ? body : JSON.stringify(body));
  });

  async start(): Promise<this> {
    await new Promise<void>((done) => this.server.listen(0, "127.0.0.1", done));
    return this;
  }

  stop(): void {
    this.server.close();
  }

  get address(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Runs a command line on it. */
  run(
    args: readonly string[],
    { jobs = [], ...output }: { jobs?: readonly Job[] } & Partial<Omit<HomelabOutput, "jobs">> = {},
  ): Promise<Told> {
    const dependencies = [
      { from: "electrs", on: "bitcoin" },
      { from: "albyhub", on: "electrs" },
    ];
    const all = [...SERVICES.flatMap((name) => JOBS[name] ?? []), ...jobs];
    const stack = { ...stackFile(all, { dependencies, ...output }), provider: { nomad: [{ address: this.address }] } };
    return told(args, synthesized({ homelab: stack }));
  }

  private answer(path: string, query: URLSearchParams): unknown {
    if (path in this.answers) return this.answers[path];
    const [kind, id = "", part] = path.split("/");
    if (path === "nodes" || path === "jobs") return [];
    if (path === "agent/members") return { Members: [{ Name: "pinode2", Status: "alive", Tags: { build: "2.0.5" } }] };
    if (path === "allocations") return SERVICES.map((name) => this.allocation(name));
    if (kind === "job" && SERVICES.includes(id as Name)) {
      return part === "deployment" ? null : { Version: 1, Stop: false, ...JOBS[id] };
    }
    if (kind === "service") return this.registered(id);
    const name = SERVICES.find((one) => path.includes(`alloc-${one}`));
    if (!name) return undefined;
    if (path.endsWith("/checks")) return this.checks(name);
    const { stderr = "", stdout = name === "bitcoin" ? SYNCED : "" } = this.services[name] ?? {};
    return path.startsWith("client/fs/logs") ? (query.get("type") === "stderr" ? stderr : stdout) : undefined;
  }

  private allocation(name: Name) {
    const {
      status = "running",
      made = 600,
      state = "running",
      up = made,
      events = [],
      port = 3,
    } = this.services[name] ?? {};
    const group = JOBS[name]?.TaskGroups[0];
    const started = new Date(minutesAgo(up)).toISOString();
    const states = (group?.Tasks ?? []).map(({ Name, Lifecycle }) => [
      Name,
      Lifecycle
        ? { State: "running", Events: [], StartedAt: started }
        : { State: state, Events: events, StartedAt: started, Failed: false },
    ]);
    const labels = [...(group?.Networks?.[0]?.ReservedPorts ?? []), ...(group?.Networks?.[0]?.DynamicPorts ?? [])];
    return {
      ID: `alloc-${name}`,
      Name: `${name}.${name}[0]`,
      Namespace: "bitcoin",
      NodeID: "node",
      NodeName: "pinode1",
      JobID: name,
      TaskGroup: group?.Name,
      DesiredStatus: "run",
      ClientStatus: status,
      TaskStates: Object.fromEntries(states),
      CreateIndex: 1,
      CreateTime: minutesAgo(made) * 1e6,
      AllocatedResources: {
        Tasks: {},
        Shared: { Ports: labels.map(({ Label }) => ({ Label, Value: port, HostIP: "127.0.0.1" })) },
      },
    };
  }

  private definitions(name: Name) {
    const group = JOBS[name]?.TaskGroups[0];
    return [...(group?.Services ?? []), ...(group?.Tasks ?? []).flatMap(({ Services }) => Services ?? [])];
  }

  private checks(name: Name) {
    const { checks = {} } = this.services[name] ?? {};
    return Object.fromEntries(
      this.definitions(name).flatMap(({ Name: Service, Checks }) =>
        (Checks ?? []).map(({ Name: Check = "" }) => {
          const [StatusCode, Output, minutes = 0] = checks[Check] ?? [200, "nomad: http ok"];
          const Status = StatusCode < 400 ? "success" : "failure";
          const result = {
            Check,
            Service,
            Status,
            StatusCode,
            Output: `${Output}\n`,
            Timestamp: minutesAgo(minutes) / 1000,
          };
          return [`${Service} ${Check}`, result];
        }),
      ),
    );
  }

  private registered(service: string) {
    const name = SERVICES.find((one) => this.definitions(one).some(({ Name }) => Name === service));
    const own = name ? [{ JobID: name, AllocID: `alloc-${name}`, Address: "10.0.0.1", Port: 1 }] : [];
    return [...own, ...(this.registrations[service] ?? [])];
  }
}

/** Servers of this machine that stand for programs. */
export class Programs {
  private readonly servers: { close(): unknown }[] = [];

  /** An Alby Hub whose page says this. */
  async hub(info: object): Promise<number> {
    const server = createServer((_, response) => response.end(JSON.stringify(info)));
    this.servers.push(server);
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return (server.address() as AddressInfo).port;
  }

  /** An electrs at this height; one that takes connections and says nothing, when it is undefined. */
  async electrs(height: number | undefined): Promise<number> {
    const server = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (chunk) => {
        if (height === undefined) return;
        for (const line of String(chunk).trim().split("\n")) {
          const { id, method } = JSON.parse(line);
          const result = method === "blockchain.headers.subscribe" ? { height } : null;
          socket.write(`${JSON.stringify({ jsonrpc: "2.0", id, result })}\n`);
        }
      });
    });
    this.servers.push(server);
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return (server.address() as AddressInfo).port;
  }

  stop(): void {
    for (const server of this.servers.splice(0)) server.close();
  }
}
