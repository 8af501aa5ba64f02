import { execFile } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** The module's own judgement, without Ansible: it takes no more of it than a class that is not used here. */
const PROGRAM = `
import sys, types, json
for name in ("ansible", "ansible.module_utils", "ansible.module_utils.basic"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["ansible.module_utils.basic"].AnsibleModule = None
sys.path[:0] = ["ansible/library", "ansible/module_utils"]
import nomad_api
sys.modules["ansible.module_utils.nomad_api"] = nomad_api
import preflight_cluster
print(json.dumps(preflight_cluster.health(nomad_api.Nomad(sys.argv[1], ""))))
`;

const NAMES = ["pinode1", "pinode3", "pinode4"];
const job = {
  ID: "csi-nfs-node",
  Namespace: "default",
  Type: "system",
  Status: "running",
  Datacenters: ["home*"],
  TaskGroups: [{ Name: "node", Count: 1, Tasks: [{ CSIPluginConfig: { ID: "nfs", Type: "node" } }] }],
};

/** What the pre-flight finds when the plugin is healthy on these. */
async function health(healthy: readonly string[], known = true): Promise<string[][]> {
  const Nodes = Object.fromEntries(healthy.map((name) => [name, { Healthy: true }]));
  const counts = {
    NodesHealthy: healthy.length,
    NodesExpected: healthy.length,
    ControllersHealthy: 2,
    ControllersExpected: 2,
  };
  const answers: Record<string, unknown> = {
    nodes: [
      ...NAMES.map((name) => ({ ID: name, Name: name, Status: "ready", Datacenter: "homelab" })),
      { ID: "gone", Name: "gone", Status: "down", Datacenter: "homelab" },
      { ID: "attic", Name: "attic", Status: "ready", Datacenter: "attic" },
    ],
    deployments: [],
    allocations: [],
    jobs: [{ ID: job.ID, Namespace: job.Namespace }],
    [`job/${job.ID}`]: job,
    plugins: known ? [{ ID: "nfs", ...counts }] : [],
    "plugin/csi/nfs": { ID: "nfs", Nodes },
  };
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "", "http://nomad").pathname.replace("/v1/", "");
    if (path in answers) response.end(JSON.stringify(answers[path]));
    else response.writeHead(404).end();
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  try {
    const { port } = server.address() as AddressInfo;
    const text = await new Promise<string>((done, fail) =>
      execFile("python3", ["-c", PROGRAM, `http://127.0.0.1:${port}`], (error, out) =>
        error ? fail(error) : done(out),
      ),
    );
    return JSON.parse(text);
  } finally {
    server.close();
  }
}

describe("the pre-flight of the cluster", () => {
  test("finds nothing when the CSI plugin is healthy on every machine", async () => {
    expect(await health(NAMES)).toEqual([]);
  });

  test("names the machine without one, though Nomad expects none there, and the remedy", async () => {
    expect(await health(["pinode1", "pinode4"])).toEqual([
      [
        "health",
        "CSI plugin nfs: no healthy node plugin on pinode3",
        "`nomad job eval csi-nfs-node`, then look at its allocation on pinode3",
      ],
    ]);
  });

  test("names them all when Nomad knows of no plugin any more", async () => {
    expect((await health([], false)).map(([, found]) => found?.split(" on ")[1])).toEqual(NAMES);
  });
});
