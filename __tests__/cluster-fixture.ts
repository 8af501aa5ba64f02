import type { Cluster } from "../cluster/cluster";
import { Duration } from "../nomad/duration";
import { Memory } from "../nomad/memory";

/** A small homelab on loopback; changes replace single facts. */
export function testCluster(changes: Partial<Cluster> = {}): Cluster {
  const memory = Memory.gibibytes(8);
  const reservedMemory = Memory.mebibytes(768);
  const clients = ["pinode1", "pinode3", "pinode4"].map((name) => ({
    name,
    memory,
    reservedMemory,
    availableMemory: Memory.mebibytes(memory.toMebibytes() - reservedMemory.toMebibytes()),
    cpu: 7200,
    arch: "arm64" as const,
  }));
  return {
    nomadAddress: "http://127.0.0.1:4646",
    nomadVersion: "2.0.5",
    region: "global",
    datacenter: "homelab",
    servers: [{ name: "pinode2" }],
    clients,
    lan: "127.0.0.0/24",
    bridgeSubnet: "172.26.64.0/20",
    nas: { address: "127.0.0.1", exportRoot: "/mnt/homelab-general" },
    postgres: { address: "127.0.0.1", port: 5432 },
    maxKillTimeout: Duration.minutes(15),
    drainDeadline: Duration.minutes(15),
    ...changes,
  };
}
