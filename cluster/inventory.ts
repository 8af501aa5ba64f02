import { readFileSync } from "node:fs";
import { LineCounter, parseDocument } from "yaml";
import { check } from "./checks";
import { type Host, type Tree, TreeReader } from "./inventory-tree";
import type { Client, Cluster } from "./machines";
import { Problems } from "./problems";
import { readVariable } from "./variables";
import { findVariablesElsewhere } from "./vars-files";

/**
 * Reads what an inventory says of a cluster; `Cluster.fromInventory` is the way in for others.
 *
 * @throws one error with every problem, a line each.
 */
export function readInventory(path: string): Cluster {
  const problems = new Problems();
  const tree = parse(path, problems);
  check(tree, problems);
  findVariablesElsewhere(path, problems);
  problems.throwIfAny();
  return toCluster(tree);
}

/** @throws at the first place where the text is no YAML, since all that follows would be guesswork. */
function parse(path: string, problems: Problems): Tree {
  const text = read(path);
  const lineCounter = new LineCounter();
  // PyYAML, and so Ansible, is at YAML 1.1. Duplicate keys are found in inventory-tree.ts, which can name them.
  const document = parseDocument(text, { version: "1.1", lineCounter, uniqueKeys: false, prettyErrors: false });
  const [first] = document.errors;
  if (first) {
    const { line, col } = lineCounter.linePos(first.pos[0]);
    const text = `not valid YAML (${first.message}): fix this first; the rest is checked afterwards`;
    problems.add({ file: path, line, column: col }, text);
  }
  problems.throwIfAny();
  return new TreeReader(document, lineCounter, path, problems).read();
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const place = { file: path, line: 1, column: 1 };
    const problems = new Problems();
    problems.add(place, `cannot read the inventory (${(error as Error).message}): check the path and its permissions`);
    problems.throwIfAny();
    throw error;
  }
}

function toCluster(tree: Tree): Cluster {
  const servers = tree.hosts.filter(({ group }) => group === "nomad_servers");
  const clients = tree.hosts.filter(({ group }) => group === "nomad_clients");
  // What a cluster has one of is the same for every client; `check` has seen to that.
  const { settings } = clients[0] as Host;
  return {
    nomadAddress: readVariable("nomad_address", settings),
    nomadVersion: readVariable("nomad_version", settings),
    region: readVariable("nomad_region", settings),
    datacenter: readVariable("nomad_datacenter", settings),
    servers: servers.map(({ name }) => ({ name })),
    clients: clients.map(toClient),
    lan: readVariable("lan_cidr", settings),
    bridgeSubnet: readVariable("nomad_bridge_subnet", settings),
    nas: {
      address: readVariable("nas_address", settings),
      exportRoot: readVariable("nas_export_root", settings),
      ...(settings.has("nas_snapshot_export") && { snapshotExport: readVariable("nas_snapshot_export", settings) }),
    },
    postgres: { address: readVariable("postgres_address", settings), port: readVariable("postgres_port", settings) },
    maxKillTimeout: readVariable("nomad_max_kill_timeout", settings),
    drainDeadline: readVariable("nomad_drain_deadline", settings),
  };
}

function toClient({ name, settings }: Host): Client {
  const memory = readVariable("nomad_memory", settings);
  const reservedMemory = readVariable("nomad_reserved_memory", settings);
  const reservedCpu = settings.has("nomad_reserved_cpu") ? readVariable("nomad_reserved_cpu", settings) : 0;
  return {
    name,
    memory,
    reservedMemory,
    availableMemory: memory.minus(reservedMemory),
    cpu: readVariable("nomad_cpu_cores", settings) * readVariable("nomad_cpu_mhz", settings) - reservedCpu,
    arch: settings.has("nomad_arch") ? readVariable("nomad_arch", settings) : "arm64",
    ...(settings.has("lan_address") && { lanAddress: readVariable("lan_address", settings) }),
  };
}
