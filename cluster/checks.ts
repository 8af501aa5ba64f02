import type { Host, Setting, Settings, Tree } from "./inventory-tree";
import { containsHost, overlap } from "./network";
import type { Place, Problems } from "./problems";
import { misspelt, readVariable, VARIABLE_NAMES, VARIABLES, type VariableName, type VariableValue } from "./variables";

/** Puts everything that is wrong with an inventory's hosts and variables into `problems`. */
export function check(tree: Tree, problems: Problems): void {
  new Checks(tree, problems).run();
}

class Checks {
  private readonly servers: readonly Host[];
  private readonly clients: readonly Host[];
  /** Variables that are there under a misspelt name. */
  private readonly meant = new Set<string>();

  constructor(
    private readonly tree: Tree,
    private readonly problems: Problems,
  ) {
    this.servers = tree.hosts.filter(({ group }) => group === "nomad_servers");
    this.clients = tree.hosts.filter(({ group }) => group === "nomad_clients");
  }

  run(): void {
    this.names();
    for (const name of VARIABLE_NAMES) {
      if (VARIABLES[name].shared) this.shared(name);
      else for (const client of this.clients) this.own(name, client);
    }
    this.election();
    this.stopChain();
    this.networks();
    for (const client of this.clients) {
      this.memory(client);
      this.cpu(client);
    }
    this.lanAddresses();
  }

  /** A misspelt variable would leave the one that was meant at its group's value, or unset. */
  private names(): void {
    for (const { name, key } of this.tree.written) {
      const meant = misspelt(name);
      if (!meant) continue;
      this.meant.add(meant);
      const text = `unknown variable "${name}", very near to "${meant}": correct it, or choose a name less alike`;
      this.problems.add(key, text);
    }
  }

  private shared(name: VariableName): void {
    const hosts = this.hosts(name);
    const settings = hosts.map((host) => host.settings.get(name));
    const first = hosts.length > 0 ? settings.find((setting) => setting) : this.tree.all.get(name);
    if (!first) {
      if (hosts.length > 0 && !VARIABLES[name].optional) this.missing(this.home(name), name, name);
      return;
    }
    for (const [index, host] of hosts.entries()) {
      const setting = settings[index];
      if (!setting) {
        this.problems.add(host.place, `${name} is not set for ${host.name} but for others: move it to the vars of all`);
      } else if (setting.text !== first.text) {
        const text = `${name} is "${setting.text}" for ${host.name} and "${first.text}" elsewhere: a cluster has one, so set it once`;
        this.problems.add(setting.place, text);
      }
    }
    this.value(name, new Map([[name, first]]));
  }

  private own(name: VariableName, host: Host): void {
    if (host.settings.has(name)) this.value(name, host.settings);
    else if (!VARIABLES[name].optional) this.missing(host.place, name, `${name} of ${host.name}`);
  }

  /** A server that expects other than all its peers either elects itself beside another leader or waits for ever. */
  private election(): void {
    const count = this.servers.length;
    for (const [group, hosts] of Object.entries({ nomad_servers: this.servers, nomad_clients: this.clients })) {
      if (hosts.length > 0) continue;
      const place = this.tree.groups.get(group) ?? this.tree.place;
      this.problems.add(place, `there is no host in ${group}: add at least one below all.children.${group}.hosts`);
    }
    if (count > 0 && count % 2 === 0) {
      const text = `${count} servers survive no more losses than ${count - 1}, and half of them no majority: use 1, 3 or 5`;
      this.problems.add(this.tree.groups.get("nomad_servers") ?? this.tree.place, text);
      // How many they must expect follows from how many they will be.
      return;
    }
    const expect = this.quiet("nomad_bootstrap_expect", this.servers[0]?.settings);
    if (expect === undefined || expect.value === count) return;
    const outcome =
      expect.value > count ? "no leader would ever be elected" : "each group of that size would elect its own leader";
    const text = `nomad_bootstrap_expect is ${expect.value} and the number of servers ${count}, so ${outcome}: set it to ${count}`;
    this.problems.add(expect.setting.place, text);
  }

  /** See https://developer.hashicorp.com/nomad/docs/configuration/client#max_kill_timeout. */
  private stopChain(): void {
    const kill = this.quiet("nomad_max_kill_timeout", this.anyClient);
    const drain = this.quiet("nomad_drain_deadline", this.anyClient);
    if (!kill || !drain?.value.isShorterThan(kill.value)) return;
    const text = `nomad_drain_deadline (${drain.value}) is shorter than nomad_max_kill_timeout (${kill.value}), so it cuts a stop short`;
    this.problems.add(drain.setting.place, `${text}: set it to ${kill.value} or longer`);
  }

  /** A container cannot reach a LAN host whose address the bridge takes for its own. */
  private networks(): void {
    const lan = this.quiet("lan_cidr", this.anyClient);
    const bridge = this.quiet("nomad_bridge_subnet", this.anyClient);
    if (!lan || !bridge || !overlap(lan.value, bridge.value)) return;
    const text = `nomad_bridge_subnet ${bridge.value} overlaps lan_cidr ${lan.value}: choose another, such as 172.26.64.0/20`;
    this.problems.add(bridge.setting.place, text);
  }

  private memory({ name, settings }: Host): void {
    const memory = this.quiet("nomad_memory", settings);
    const reserved = this.quiet("nomad_reserved_memory", settings);
    if (!memory || !reserved || reserved.value.isLessThan(memory.value)) return;
    const text = `nomad_reserved_memory (${reserved.value}) leaves nothing of the ${memory.value} of ${name}: reserve less, such as 768MiB`;
    this.problems.add(reserved.setting.place, text);
  }

  private cpu({ name, settings }: Host): void {
    const cores = this.quiet("nomad_cpu_cores", settings);
    const clock = this.quiet("nomad_cpu_mhz", settings);
    const reserved = this.quiet("nomad_reserved_cpu", settings);
    if (!cores || !clock || !reserved || reserved.value < cores.value * clock.value) return;
    const text = `nomad_reserved_cpu (${reserved.value}) leaves nothing of the ${cores.value * clock.value} MHz of ${name}: reserve less, such as 200`;
    this.problems.add(reserved.setting.place, text);
  }

  private lanAddresses(): void {
    const lan = this.quiet("lan_cidr", this.anyClient);
    const seen = new Map<string, string>();
    for (const { name, settings, place } of this.clients) {
      const address = this.quiet("lan_address", settings);
      if (!settings.has("lan_address") && this.clients.some((client) => client.settings.has("lan_address"))) {
        // Otherwise a new client without one would open bitcoind's RPC to the whole LAN again.
        const text = `lan_address of ${name} is not set, but that of another client is: give every client one, or none`;
        this.problems.add(place, text);
      }
      if (!address) continue;
      const { value, setting } = address;
      if (lan && !containsHost(lan.value, value)) {
        const text = `lan_address ${value} is not a host address in lan_cidr ${lan.value}: correct one of the two`;
        this.problems.add(setting.place, text);
      }
      const other = seen.get(value);
      if (other) {
        const text = `lan_address ${value} of ${name} is that of ${other} too: give each its own`;
        this.problems.add(setting.place, text);
      }
      seen.set(value, name);
    }
  }

  private get anyClient(): Settings {
    return this.clients[0]?.settings ?? this.tree.all;
  }

  /** A value that another check reports if it is wrong. */
  private quiet<N extends VariableName>(
    name: N,
    settings: Settings | undefined,
  ): { value: VariableValue<N>; setting: Setting } | undefined {
    const setting = settings?.get(name);
    if (!settings || !setting) return undefined;
    try {
      return { value: readVariable(name, settings), setting };
    } catch {
      return undefined;
    }
  }

  private value(name: VariableName, settings: Settings): void {
    const setting = settings.get(name) as Setting;
    this.problems.attempt(setting.place, name, () => readVariable(name, settings));
  }

  private missing(place: Place, name: VariableName, label: string): void {
    // Reported once, at the misspelt name.
    if (this.meant.has(name)) return;
    this.problems.add(place, `${label} is not set: add it, such as ${name}: ${VARIABLES[name].example}`);
  }

  private hosts(name: VariableName): readonly Host[] {
    const { of } = VARIABLES[name];
    return of === "servers" ? this.servers : of === "clients" ? this.clients : this.tree.hosts;
  }

  /** Where a shared variable is expected. */
  private home(name: VariableName): Place {
    return (VARIABLES[name].of === "servers" && this.tree.groups.get("nomad_servers")) || this.tree.place;
  }
}
