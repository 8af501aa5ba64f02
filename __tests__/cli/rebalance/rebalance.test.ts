import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { AllocationStub, NodeStub } from "../../../nomad/live";
import { job, stackFile, synthesized, task } from "../project";
import { told } from "../told";

const jobs = [
  job("bitcoin", [task("bitcoind", "bitcoin/bitcoin:31.1", [2500, 4096])]),
  job("electrs", [task("electrs", "getumbrel/electrs:v0.11.1", [1000, 1280])]),
  job("albyhub", [task("albyhub", "ghcr.io/getalby/hub:v1.24.0", [500, 1280])]),
];

const SYNCED = "2026-01-02T03:04:05Z UpdateTip: new best=00 height=900000 version=0x2 progress=1.000000\n";
const SYNCING = "2026-01-02T03:04:05Z UpdateTip: new best=00 height=500000 version=0x2 progress=0.310000\n";

const STARTING = `${SYNCED}Bitcoin Core version v31.1.0\ninit message: Loading block index…\n`;

const node = (Name: string, changes: Partial<NodeStub> = {}): NodeStub => ({
  ID: Name,
  Name,
  Status: "ready",
  SchedulingEligibility: "eligible",
  Drain: false,
  Datacenter: "homelab",
  NodeResources: { Memory: { MemoryMB: 8192 }, Cpu: { CpuShares: 7200 } },
  ...changes,
});

let made = 0;
/** The page of Alby Hub, which the same server answers. */
let hubPort: number | undefined;
const allocation = (JobID: string, NodeName: string, changes: Partial<AllocationStub> = {}): AllocationStub => {
  const { Tasks = [] } = jobs.find(({ ID }) => ID === JobID)?.TaskGroups[0] ?? {};
  const [main] = Tasks;
  made++;
  return {
    ID: `${JobID}-${made}`,
    Name: `${JobID}.${JobID}[0]`,
    Namespace: "bitcoin",
    NodeID: NodeName,
    NodeName,
    JobID,
    JobVersion: 0,
    TaskGroup: JobID,
    DesiredStatus: "run",
    DesiredDescription: "",
    ClientStatus: "running",
    TaskStates: {
      [main?.Name ?? ""]: {
        State: "running",
        Failed: false,
        Restarts: 0,
        LastRestart: null,
        StartedAt: new Date().toISOString(),
        FinishedAt: null,
        Events: [],
      },
    },
    DeploymentStatus: null,
    NextAllocation: "",
    CreateIndex: made,
    AllocatedResources: {
      Tasks: {
        main: {
          Cpu: { CpuShares: main?.Resources?.CPU ?? 0 },
          Memory: { MemoryMB: main?.Resources?.MemoryMB ?? 0 },
        },
      },
      Shared: { Ports: hubPort === undefined ? [] : [{ Label: "http", Value: hubPort, HostIP: "127.0.0.1" }] },
    },
    CreateTime: Date.now() * 1e6,
    ModifyTime: Date.now() * 1e6,
    ...changes,
  };
};

/** What the server has, and what it does when an allocation is stopped. */
interface World {
  nodes: NodeStub[];
  allocations: AllocationStub[];
  pause?: Record<string, string>;
  deployments: Record<string, string>;
  /** Ids of the allocations that hold a claim to write the volume. */
  claims: string[];
  log: string;
  /** What every probe answers with 202. */
  waits?: string;
  placeOn: (job: string) => string;
}

const well = (): World => ({
  nodes: ["a", "b", "c"].map((name) => node(name)),
  allocations: ["bitcoin", "electrs", "albyhub"].map((id) => allocation(id, "a")),
  deployments: {},
  claims: [],
  log: SYNCED,
  placeOn: (id) => ({ bitcoin: "b", electrs: "c" })[id] ?? "a",
});

/** A Nomad that answers what rebalance asks, with states that a real one takes hours or an accident to get into. */
let world = well();
let changes: string[] = [];
const server: Server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? "", "http://nomad");
  const [, , ...path] = pathname.split("/").map(decodeURIComponent);
  const answer = (body: unknown, status = 200) =>
    response.writeHead(status).end(typeof body === "string" ? body : JSON.stringify(body));
  const [kind = "", id = "", part = ""] = path;
  if (pathname === "/api/info") return answer({ running: true, setupCompleted: true });
  if (request.method !== "GET") {
    changes.push(`${request.method} ${path.join("/")}`);
    const stopped = world.allocations.find(({ ID }) => kind === "allocation" && ID === id);
    if (!stopped) return answer("not expected", 500);
    world.allocations = world.allocations.map((one) =>
      one === stopped ? { ...one, ClientStatus: "complete", DesiredStatus: "stop" } : one,
    );
    const place = world.placeOn(stopped.JobID);
    world.allocations.push(allocation(stopped.JobID, place));
    return answer({});
  }
  if (kind === "nodes") return answer(world.nodes);
  if (kind === "allocations") return answer(world.allocations);
  if (kind === "var") return world.pause ? answer({ Items: world.pause }) : answer("variable not found", 404);
  if (kind === "job" && part === "deployment") {
    const Status = world.deployments[id];
    return answer(Status ? { JobID: id, Status } : null);
  }
  if (kind === "volume")
    return answer({ ID: "bitcoin-data", WriteAllocs: Object.fromEntries(world.claims.map((one) => [one, {}])) });
  if (path.slice(0, 3).join("/") === "client/fs/logs") return answer(world.log);
  if (path[3] === "checks" && world.waits) {
    const check = { Check: "probe", Service: "s", Status: "success", StatusCode: 202, Timestamp: Date.now() / 1000 };
    return answer({ probe: { ...check, Output: world.waits } });
  }
  if (kind === "client") return answer({});
  return answer("not expected", 404);
});
let folder = "";

beforeAll(async () => {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  hubPort = (server.address() as AddressInfo).port;
  const address = `http://127.0.0.1:${hubPort}`;
  const volume = { path: "v", namespace: "bitcoin", id: "bitcoin-data", holds: "chain" } as const;
  const modes = { accessMode: "multi-node-single-writer", attachmentMode: "file-system", mountFlags: [] } as const;
  folder = synthesized({
    homelab: {
      ...stackFile(jobs, {
        volumes: [{ ...volume, ...modes, retained: true, managed: true }],
        dependencies: [
          { from: "electrs", on: "bitcoin" },
          { from: "albyhub", on: "electrs" },
        ],
      }),
      provider: { nomad: [{ address }] },
    },
  });
});
afterAll(() => {
  server.close();
});
beforeEach(() => {
  world = well();
  changes = [];
});

const rebalance = (...args: string[]) => told(["rebalance", "--yes", ...args], folder);

test("moves what is piled on one machine, what others need first", async () => {
  const { code, out } = await rebalance();
  expect([code, out]).toEqual([0, expect.stringMatching(/bitcoin is healthy on b, .*\nelectrs is healthy on c, /)]);
  expect(changes.map((change) => change.replace(/\d+/, "…"))).toEqual([
    "PUT allocation/bitcoin-…/stop",
    "PUT allocation/electrs-…/stop",
  ]);
});

test("calls what waits for its owner up, not healthy", async () => {
  world.waits = "locked: its owner unlocks it by hand";
  const { code, out } = await rebalance();
  expect([code, out]).toEqual([0, expect.stringMatching(/bitcoin is up on b, after \d+ s; locked: its owner unlocks/)]);
});

const electrsIs = (ClientStatus: AllocationStub["ClientStatus"]) => ({
  allocations: [allocation("bitcoin", "a"), allocation("electrs", "a", { ClientStatus })],
});

test.each<[string, () => Partial<World>, string]>([
  ["a deployment runs", () => ({ deployments: { electrs: "running" } }), "a deployment of electrs is running"],
  ["a deployment waits", () => ({ deployments: { bitcoin: "pending" } }), "a deployment of bitcoin is pending"],
  ["a claim is stuck", () => ({ claims: ["gone"] }), "bitcoin-data is claimed by an allocation that has ended"],
  [
    "bitcoind is in its initial sync",
    () => ({ log: SYNCING }),
    "bitcoin must be left alone: initial sync: height 500000, 31.00 %",
  ],
  ["bitcoind is starting", () => ({ log: STARTING }), "bitcoin must be left alone: starting: Loading block index…"],
  ["bitcoind says nothing", () => ({ log: "" }), "bitcoin must be left alone: starting"],
  ["a machine is draining", () => ({ nodes: [...well().nodes, node("d", { Drain: true })] }), "d is draining"],
  ["a machine is down", () => ({ nodes: [...well().nodes, node("d", { Status: "down" })] }), "d is down"],
  [
    "a machine is cut off",
    () => ({ nodes: [...well().nodes, node("d", { Status: "disconnected" })] }),
    "d is disconnected",
  ],
  ["an allocation is unknown", () => electrsIs("unknown"), "an allocation of electrs is unknown"],
  ["an allocation begins", () => electrsIs("pending"), "an allocation of electrs is pending"],
  ["a pause is on", () => ({ pause: { reason: "a new disk" } }), "a pause is on since an unknown time: a new disk"],
])("is refused while %s, and changes nothing", async (_, state, words) => {
  Object.assign(world, state());
  const { code, out } = await rebalance();
  expect([code, out]).toEqual([2, expect.stringContaining(`refused: ${words}\n`)]);
  expect(JSON.parse((await rebalance("--json")).out).refusals).toEqual([words]);
  expect(changes).toEqual([]);
});

test("moves nothing where nothing is gained", async () => {
  world.allocations = [allocation("bitcoin", "a"), allocation("electrs", "b"), allocation("albyhub", "c")];
  const { code, out } = await rebalance();
  expect([code, out]).toEqual([0, expect.stringContaining("nothing to move: no move would make it more even\n")]);
  expect(changes).toEqual([]);
});

test("stops when Nomad places a service where it was", async () => {
  world.placeOn = () => "a";
  const { code, err } = await rebalance();
  expect([code, err]).toEqual([
    1,
    "error: Nomad placed bitcoin on a again; moved: bitcoin; not, or not yet: electrs; another run plans anew\n",
  ]);
  expect(changes).toHaveLength(1);
});

test("looks again before each move, and stops when something has changed", async () => {
  world.placeOn = () => {
    world.nodes.push(node("d", { Drain: true }));
    return "b";
  };
  const { code, err } = await rebalance();
  expect([code, err]).toEqual([
    1,
    expect.stringContaining("error: d is draining; moved: bitcoin; not, or not yet: electrs"),
  ]);
  expect(changes).toHaveLength(1);
});

test("leaves a service where it is when another move has made it even", async () => {
  world.placeOn = () => {
    world.allocations = world.allocations.map((one) =>
      one.JobID === "albyhub" ? { ...one, NodeID: "c", NodeName: "c" } : one,
    );
    return "b";
  };
  const { code, out } = await rebalance();
  expect([code, out]).toEqual([0, expect.stringMatching(/bitcoin is healthy on b, .*\nelectrs stays: .*\n$/)]);
  expect(changes).toHaveLength(1);
});
