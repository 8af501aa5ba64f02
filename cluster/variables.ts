import { posix } from "node:path";
import { Duration } from "../nomad/duration";
import { Memory } from "../nomad/memory";
import type { Settings } from "./inventory-tree";
import { nearest } from "./nearest";
import { ipv4Address, privateNetwork } from "./network";

/** One variable of the inventory. */
interface Variable<T> {
  /** The hosts that must have it. */
  readonly of: "servers" | "clients" | "hosts";
  /** Whether all those hosts must have the same value, because there is one of it in a cluster. */
  readonly shared: boolean;
  /** @default false */
  readonly optional?: boolean;
  /** A good value, for messages. */
  readonly example: string;
  /** Reads the text of the value; its error has the value received and the remedy. */
  readonly parse: (text: string) => T;
}

/** Every variable that is read. All others, such as `ansible_host` or a role's own, pass unread. */
export const VARIABLES = {
  /** Nomad's HTTP API: a URL with host and port. */
  nomad_address: variable({ of: "hosts", shared: true, example: "http://pinode2.local:4646", parse: url }),
  /** The Nomad release of every host; the rule `nomad-version` judges it. */
  nomad_version: variable({ of: "hosts", shared: true, example: "2.0.5", parse: release }),
  nomad_region: variable({ of: "hosts", shared: true, example: "global", parse: name }),
  nomad_datacenter: variable({ of: "hosts", shared: true, example: "homelab", parse: name }),
  /** A count: how many servers elect the first leader together. */
  nomad_bootstrap_expect: variable({ of: "servers", shared: true, example: "1", parse: count }),
  /** A duration: the client's `max_kill_timeout`. */
  nomad_max_kill_timeout: variable({ of: "clients", shared: true, example: "15m", parse: duration }),
  /** A duration: the deadline given to a drain. */
  nomad_drain_deadline: variable({ of: "clients", shared: true, example: "15m", parse: duration }),
  /** CIDR: the client's `bridge_network_subnet`. */
  nomad_bridge_subnet: variable({ of: "clients", shared: true, example: "172.26.64.0/20", parse: privateNetwork }),
  /** MiB or GiB, installed: the client's `memory_total_mb`. */
  nomad_memory: variable({ of: "clients", shared: false, example: "8GiB", parse: Memory.parse }),
  /** MiB or GiB: `memory` in the client's `reserved` block. */
  nomad_reserved_memory: variable({ of: "clients", shared: false, example: "768MiB", parse: Memory.parse }),
  /** MHz: `cpu` in the client's `reserved` block. Nothing without it. */
  nomad_reserved_cpu: variable({ of: "clients", shared: false, optional: true, example: "200", parse: count }),
  /** A count. With `nomad_cpu_mhz` it makes the client's `cpu_total_compute`. */
  nomad_cpu_cores: variable({ of: "clients", shared: false, example: "4", parse: count }),
  /** MHz of one core. */
  nomad_cpu_mhz: variable({ of: "clients", shared: false, example: "1800", parse: count }),
  /** What the machine runs: `arm64`, as a Raspberry Pi 4 or 5, or `amd64`. */
  nomad_arch: variable({ of: "clients", shared: false, optional: true, example: "arm64", parse: architecture }),
  /** An IPv4 address inside `lan_cidr`. */
  lan_address: variable({ of: "clients", shared: false, optional: true, example: "192.168.68.11", parse: ipv4Address }),
  /** CIDR. */
  lan_cidr: variable({ of: "clients", shared: true, example: "192.168.68.0/24", parse: privateNetwork }),
  nas_address: variable({ of: "clients", shared: true, example: "192.168.68.50", parse: ipv4Address }),
  /** An absolute path on the NFS server. */
  nas_export_root: variable({ of: "clients", shared: true, example: "/mnt/homelab-general", parse: folder }),
  /** An absolute path on the NFS server: where the servers' timers leave snapshots of Nomad's state. */
  nas_snapshot_export: variable({
    of: "clients",
    shared: true,
    optional: true,
    example: "/mnt/homelab-snapshots/nomad",
    parse: folder,
  }),
  postgres_address: variable({ of: "clients", shared: true, example: "192.168.68.50", parse: ipv4Address }),
  postgres_port: variable({ of: "clients", shared: true, example: "5432", parse: port }),
};

export type VariableName = keyof typeof VARIABLES;

/** What a variable's parser makes of its text. */
export type VariableValue<N extends VariableName> = ReturnType<(typeof VARIABLES)[N]["parse"]>;

export const VARIABLE_NAMES = Object.keys(VARIABLES) as VariableName[];

/**
 * Reads the value of a variable in force.
 *
 * @throws when it is missing or wrong; `check` has found that before.
 */
export function readVariable<N extends VariableName>(name: N, settings: Settings): VariableValue<N> {
  const setting = settings.get(name);
  if (!setting) throw new Error(`${name} is not set`);
  if (setting.fault) throw new Error(setting.fault);
  return VARIABLES[name].parse(setting.text) as VariableValue<N>;
}

/** The variable that was probably meant, for a name that is none of ours but looks like one; otherwise undefined. */
export function misspelt(name: string): string | undefined {
  return isVariable(name) ? undefined : nearest(name, VARIABLE_NAMES);
}

export function isVariable(name: string): name is VariableName {
  return Object.hasOwn(VARIABLES, name);
}

function variable<T>(it: Variable<T>): Variable<T> {
  return it;
}

function name(text: string): string {
  if (/^[A-Za-z0-9][\w.-]*$/.test(text)) return text;
  throw new Error(`"${text}" is not a name: write letters, digits, "-", "_" and "." only`);
}

function release(text: string): string {
  if (/^\d+\.\d+\.\d+(?:[-+][\w.+-]+)?$/.test(text)) return text;
  throw new Error(`"${text}" is not a release: write three numbers, such as 2.0.5`);
}

function architecture(text: string): "arm64" | "amd64" {
  if (text === "arm64" || text === "amd64") return text;
  throw new Error(`"${text}" is no architecture that is known here: write arm64 or amd64`);
}

function count(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new Error(`"${text}" is not a positive integer: write digits only, without unit, sign or leading zero`);
}

function port(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65535) return Number(text);
  throw new Error(`"${text}" is not a TCP port: write a whole number from 1 to 65535`);
}

function duration(text: string): Duration {
  const value = Duration.parse(text);
  if (value.isLongerThan(Duration.seconds(0))) return value;
  throw new Error(`"${text}" leaves no time at all: write a duration longer than zero, such as 15m`);
}

function url(text: string): string {
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  // The address goes into Terraform's configuration and state, and must not be repeated in an error either.
  if (parsed?.username || parsed?.password) {
    throw new Error("the URL carries credentials: take them out and set NOMAD_TOKEN in the environment");
  }
  // Without a port it would be 80 or 443, and Nomad listens at 4646. A URL that has been parsed shows neither.
  const hasPort = /:\d+\/?$/.test(text);
  if (!parsed || !/^https?:\/\//.test(text) || !hasPort || parsed.pathname + parsed.search + parsed.hash !== "/") {
    throw new Error(
      `"${text}" is not the URL of an API: write scheme, host and port, such as http://pinode2.local:4646`,
    );
  }
  return text.replace(/\/$/, "");
}

function folder(text: string): string {
  if (posix.isAbsolute(text) && posix.normalize(text) === text && !text.endsWith("/")) return text;
  throw new Error(
    `"${text}" is not the absolute path of a folder: write it from the root, such as /mnt/homelab-general`,
  );
}
