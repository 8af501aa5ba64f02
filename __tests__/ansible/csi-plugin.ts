import { until } from "../cluster/command";
import { STAND_IN } from "./image";
import type { Machines } from "./machines";

/** On a client with this file the plugin takes its time to answer, after each start. */
export const SLOW = "/var/lib/journal/plugin-is-slow";
export const SLOW_SECONDS = 40;

interface Plugin {
  readonly NodesHealthy: number;
  readonly ControllersHealthy: number;
  /** By the id of the node. */
  readonly Nodes: Readonly<Record<string, { readonly Healthy: boolean; readonly UpdateTime: string }>>;
}

/**
 * Runs the NFS plugin as the homelab does: one of it on every client, and a controller on any. It has no privileges, which
 * an engine inside of a container may not have to give; nothing is mounted here.
 */
export async function runPlugin(machines: Machines): Promise<void> {
  const register = (Job: ReturnType<typeof job>) => machines.nomad("jobs", { method: "POST", body: { Job } });
  // Its first version has a mistake: Nomad remembers for hours what failed, and still calls it wanted.
  await register(job("node", "exit 1"));
  await until("a failure on each client", 60, async () => {
    const all = await machines.nomad<{ ClientStatus: string; NodeID: string }[]>("job/csi-nfs-node/allocations");
    const failed = all.filter(({ ClientStatus }) => ClientStatus === "failed").map(({ NodeID }) => NodeID);
    return new Set(failed).size === 3 || undefined;
  });
  await register(job("node", `[ ! -e ${SLOW} ] || sleep ${SLOW_SECONDS}; ${SERVE}`));
  await register(job("controller", SERVE));
  await until("the plugin is healthy", 120, async () => {
    const { NodesHealthy, ControllersHealthy } = await plugin(machines);
    return (NodesHealthy === 3 && ControllersHealthy === 1) || undefined;
  });
}

export function plugin(machines: Machines): Promise<Plugin> {
  return machines.nomad("plugin/csi/nfs");
}

const ONCE = { Attempts: 0, Interval: 60e9, Mode: "fail" };
const SERVE = "exec nfsplugin --nodeid=$HOSTNAME --endpoint=unix:///csi/csi.sock";

function job(kind: "node" | "controller", script: string) {
  const task = {
    Name: "plugin",
    Driver: "docker",
    Config: {
      image: STAND_IN,
      command: "/bin/sh",
      args: ["-c", script],
      network_mode: "host",
      volumes: ["/var/lib/journal:/var/lib/journal"],
    },
    CSIPluginConfig: { ID: "nfs", Type: kind, MountDir: "/csi", HealthTimeout: 120e9 },
    Resources: { CPU: 50, MemoryMB: 64 },
  };
  return {
    ID: `csi-nfs-${kind}`,
    Name: `csi-nfs-${kind}`,
    Type: kind === "node" ? "system" : "service",
    Datacenters: ["homelab"],
    Update: { MinHealthyTime: 2e9, HealthCheck: "task_states" },
    TaskGroups: [{ Name: "plugin", Tasks: [task], ...(script === "exit 1" && { RestartPolicy: ONCE }) }],
  };
}
