import { command } from "./command";
import type { Run } from "./run";

/**
 * A home network inside of this machine: every host of the cluster is a network namespace with an address of its own,
 * joined by a bridge in one more namespace. So the services have their real ports, whatever this machine uses, and
 * nothing that runs in there can reach the world: there is no route.
 */
export class Lan {
  readonly cidr: string;
  /** The address of the tests themselves: database and NAS of the homelab. */
  readonly ownAddress: string;
  private readonly network: string;
  private readonly switch: string;
  private next = 11;

  constructor(private readonly run: Run) {
    this.network = freeNetwork(run.id);
    this.cidr = `${this.network}.0/24`;
    this.ownAddress = `${this.network}.1`;
    this.switch = `${run.id}-lan`;
    command("ip", ["netns", "add", this.switch]);
    this.inside(this.switch, "link", "add", "lan", "type", "bridge");
    this.inside(this.switch, "link", "set", "lan", "up");
    command("ip", ["link", "add", run.id, "type", "veth", "peer", "name", "tests", "netns", this.switch]);
    command("ip", ["addr", "add", `${this.ownAddress}/24`, "dev", run.id]);
    command("ip", ["link", "set", run.id, "up"]);
    this.plug("tests");
  }

  /** Adds a host. */
  host(name: string): { namespace: string; address: string } {
    const namespace = this.namespaceOf(name);
    const address = `${this.network}.${this.next++}`;
    command("ip", ["netns", "add", namespace]);
    this.inside(namespace, "link", "add", "eth0", "type", "veth", "peer", "name", name, "netns", this.switch);
    this.inside(namespace, "addr", "add", `${address}/24`, "dev", "eth0");
    for (const device of ["lo", "eth0"]) this.inside(namespace, "link", "set", device, "up");
    this.plug(name);
    return { namespace, address };
  }

  /** Pulls a host's cable, or puts it back. */
  connect(name: string, connected: boolean): void {
    this.inside(this.switch, "link", "set", name, connected ? "up" : "down");
  }

  private namespaceOf(name: string): string {
    return `${this.run.id}-${name}`;
  }

  private plug(device: string): void {
    this.inside(this.switch, "link", "set", device, "master", "lan");
    this.inside(this.switch, "link", "set", device, "up");
  }

  private inside(namespace: string, ...args: string[]): void {
    command("ip", ["-n", namespace, ...args]);
  }
}

/** The first three numbers of a private network that this machine has no route to. */
function freeNetwork(id: string): string {
  const routes = command("ip", ["-o", "-4", "route"]);
  const start = Number.parseInt(id.slice(2), 16);
  for (let turn = 0; turn < 256; turn++) {
    const network = `10.213.${(start + turn) % 256}`;
    if (!routes.includes(`${network}.`)) return network;
  }
  throw new Error("no network below 10.213.0.0/16 is free");
}
