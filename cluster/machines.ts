import type { Duration } from "../nomad/duration";
import type { Memory } from "../nomad/memory";

/** A host that takes part in Nomad's consensus and runs no tasks. */
export interface Server {
  /** Its name in the inventory, which is also its Nomad node name. */
  readonly name: string;
}

/** A host that runs tasks. */
export interface Client {
  /** Its name in the inventory, which is also its Nomad node name. */
  readonly name: string;
  /** Installed memory. */
  readonly memory: Memory;
  /** What the OS, Docker and Nomad keep for themselves; always less than `memory`. */
  readonly reservedMemory: Memory;
  /** What tasks can reserve together: `memory` without `reservedMemory`. */
  readonly availableMemory: Memory;
  /** What tasks can reserve together, in Nomad's MHz: the clock of one core × cores, without what the OS keeps. */
  readonly cpu: number;
  /** As Nomad calls it in `${attr.cpu.arch}`. */
  readonly arch: "arm64" | "amd64";
  /** Its fixed IPv4 address in the LAN. Either every client has one or none. */
  readonly lanAddress?: string;
}

/** The NFS server that holds the volumes. */
export interface Nas {
  /** IPv4 address. */
  readonly address: string;
  /** Absolute path, without a slash at its end: the data of a volume is in `<exportRoot>/<volume>`. */
  readonly exportRoot: string;
  /** Absolute path: where the servers' timers leave snapshots of Nomad's state. Absent when they stay on the servers. */
  readonly snapshotExport?: string;
}

/** A PostgreSQL server. Who may enter it is no matter of the inventory. */
export interface Postgres {
  /** IPv4 address. */
  readonly address: string;
  /** TCP port, 1 to 65535. */
  readonly port: number;
}

/**
 * The machines the jobs are written for, as plain data: what the inventory says, not what Nomad reports at the moment.
 * Ansible configures the hosts from the same file, so both change together.
 */
export interface Cluster {
  /** Nomad's HTTP API: an http or https URL with its port, without a slash at its end. */
  readonly nomadAddress: string;
  /** The Nomad release that every host has, such as `2.0.5`. */
  readonly nomadVersion: string;
  readonly region: string;
  /** The one datacenter of all hosts. */
  readonly datacenter: string;
  /** An odd number of hosts, so that a majority can be lost in as few ways as possible. */
  readonly servers: readonly Server[];
  /** At least one host, in the order of the inventory. */
  readonly clients: readonly Client[];
  /** The home network, in CIDR notation. */
  readonly lan: string;
  /** Where containers in bridge networks have their addresses, in CIDR notation; apart from `lan`. */
  readonly bridgeSubnet: string;
  readonly nas: Nas;
  readonly postgres: Postgres;
  /** The longest `kill_timeout` the clients honour; a longer one is cut to it without a word. */
  readonly maxKillTimeout: Duration;
  /** How long a drain waits for tasks to stop; at least `maxKillTimeout`. */
  readonly drainDeadline: Duration;
}
