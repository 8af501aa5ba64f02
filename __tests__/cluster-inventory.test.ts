import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { Cluster } from "../cluster/cluster";
import { FIXTURE_INVENTORY } from "./fixture-project";
import { describeWith } from "./tools";

const SOURCE = readFileSync(FIXTURE_INVENTORY, "utf8");
const NAS = "    nas_address: 192.168.68.50";
const SERVER = "          ansible_host: pinode2.local";

/** A change to the text of the inventory. A «▸» in the new text marks where an error must point. */
type Edit = (text: string) => string;

/** Replaces what stands in the inventory exactly once. */
function change(from: string, to: string): Edit {
  return (text) => {
    expect(text.split(from)).toHaveLength(2);
    return text.replace(from, () => to);
  };
}

/** Writes anew a variable that is set once: `name: value`. */
function set(line: string): Edit {
  const name = line.replace(/:.*/, "");
  return (text) => change(new RegExp(`\\b${name}: .*`).exec(text)?.[0] ?? name, line)(text);
}

/** Writes a variable of a client anew, or adds it. */
function client(host: string, line: string): Edit {
  const name = line.replace("▸", "").replace(/:.*/, "");
  return (text) => {
    const before = text.slice(0, text.indexOf(`ansible_host: ${host}.local\n`));
    const [first = "", ...lines] = text.slice(before.length).split("\n");
    const end = lines.findIndex((it) => !it.startsWith("          "));
    const own = lines.slice(0, end);
    const changed = own.map((it) => (it.trimStart().startsWith(`${name}:`) ? `          ${line}` : it));
    const added = own.some((it, index) => it !== changed[index]) ? [] : [`          ${line}`];
    return before + [first, ...changed, ...added, ...lines.slice(end)].join("\n");
  };
}

const pinode3 = (line: string) => client("pinode3", line);

/** Adds lines below one that stands in the inventory once. */
function below(line: string, ...lines: string[]): Edit {
  return change(`${line}\n`, `${[line, ...lines].join("\n")}\n`);
}

/** Marks a line that stays as it is. */
function at(line: string): Edit {
  return change(`${line}\n`, `${line.replace(/\S/, "▸$&")}\n`);
}

/** Gives pinode1, pinode3 and pinode4 fixed addresses, in this order. */
function lanAddresses(...addresses: string[]): Edit[] {
  return addresses.map((address, index) => client(`pinode${[1, 3, 4][index]}`, `lan_address: ${address}`));
}

/** Puts pinode3 and pinode4 into a group of their own inside the clients, with reservations on three levels. */
const NESTED: Edit = (text) => {
  const start = text.indexOf("        pinode3:\n");
  const group = ["children:", "  big:", "    vars:", "      nomad_reserved_memory: 1GiB", "    hosts:"];
  const hosts = text.slice(start).replace(/^(?=.)/gm, "    ");
  const nested = text.slice(0, start) + group.map((line) => `      ${line}\n`).join("") + hosts;
  return below("            pinode4:", "              nomad_reserved_memory: 512MiB")(nested);
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "inventory-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Writes the edited inventory without its mark; returns its path and the marked place as an error names it. */
function write(...edits: Edit[]): { file: string; place: string } {
  const text = edits.reduce((edited, edit) => edit(edited), SOURCE);
  const file = join(folder, "inventory.yml");
  writeFileSync(file, text.replace("▸", ""));
  const lines = text.slice(0, text.indexOf("▸")).split("\n");
  return { file, place: `${file}:${lines.length}:${(lines.at(-1) ?? "").length + 1}: ` };
}

function clusterOf(...edits: Edit[]): Cluster {
  return Cluster.fromInventory(write(...edits).file);
}

/** The lines of the error; none when the inventory passes. */
function problemsOf(file: string): string[] {
  try {
    Cluster.fromInventory(file);
    return [];
  } catch (error) {
    return (error as Error).message.split("\n");
  }
}

describe("the fixture inventory", () => {
  const cluster = Cluster.fromInventory(FIXTURE_INVENTORY);

  test("has one server and three clients", () => {
    expect(cluster.servers).toEqual([{ name: "pinode2" }]);
    expect(cluster.clients.map(({ name }) => name)).toEqual(["pinode1", "pinode3", "pinode4"]);
  });

  test("gives each client 8 GiB with 768 MiB kept for the OS, and four cores of 1800 MHz without 200 MHz", () => {
    for (const client of cluster.clients) {
      expect(client.memory.toMebibytes()).toBe(8192);
      expect(client.reservedMemory.toMebibytes()).toBe(768);
      expect(client.availableMemory.toMebibytes()).toBe(7424);
      expect(client.cpu).toBe(7000);
      expect(client).not.toHaveProperty("lanAddress");
    }
  });

  test("names Nomad, the networks, the NAS and PostgreSQL", () => {
    expect(cluster).toMatchObject({
      nomadAddress: "http://pinode2.local:4646",
      region: "global",
      datacenter: "homelab",
      lan: "192.168.68.0/24",
      bridgeSubnet: "172.26.64.0/20",
      nas: { address: "192.168.68.50", exportRoot: "/mnt/homelab-general" },
      postgres: { address: "192.168.68.50", port: 5432 },
    });
  });

  test("gives a task 15 minutes to stop, and a drain as long", () => {
    expect(cluster.maxKillTimeout.toString()).toBe("15m");
    expect(cluster.drainDeadline.toString()).toBe("15m");
  });

  test("is found by a path relative to the working directory", () => {
    expect(Cluster.fromInventory(relative(process.cwd(), FIXTURE_INVENTORY))).toEqual(cluster);
  });
});

// biome-ignore format: one mistake a row
const MISTAKES: Record<string, [title: string, edits: Edit[], fragment: string][]> = {
  "in the text": [
    ["an open bracket", [set("nomad_region: [global"), at("    nomad_datacenter: homelab")], "not valid YAML (Flow seq"],
    ["a tab as indentation", [change("    nomad_region:", "▸\tnomad_region:")], "not valid YAML (Tabs are not allowed"],
    ["a second document", [change("          ansible_host: pinode4.local", "▸---")], "not valid YAML (Source contains"],
    ["a merge key", [pinode3("▸<<: {nomad_memory: 8GiB}")], 'a key of "pinode3" is a YAML merge or not text'],
    ["a key that is a number", [below("        pinode4:", "          ▸5: five")], "is a YAML merge or not text"],
    ["a variable twice", [below("all:\n  vars:", "    nas_address: 10.0.0.1"), at(NAS)], '"nas_address" stands twice in "vars", first'],
  ],
  "in the groups": [
    ["a host twice in a group", [change("        pinode4:", "        ▸pinode3:")], '"pinode3" stands twice in "hosts"'],
    ["a host in both groups", [change("        pinode4:", "        ▸pinode2:")], '"pinode2" is already in nomad_servers (line '],
    ["a host in no group", [below("all:", "  hosts:", "    ▸nas:")], 'host "nas" is in no group: move it to nomad_servers or'],
    ["a range of hosts", [change("        pinode4:", '        ▸"pi[3:4]":')], 'host name "pi[3:4]" is no plain name'],
    ["a host with a port", [change("        pinode4:", '        ▸"pinode4:22":')], 'host name "pinode4:22" is no plain name'],
    ["a strange group", [below("  children:", "    ▸monitoring:")], 'unknown group "monitoring": use nomad_servers or nomad_cl'],
    ["a strange group beside all", [below("---", "▸monitoring:")], 'unknown group "monitoring"'],
    ["a group in itself", [below("    nomad_clients:", "      children:", "        ▸nomad_clients:")], "is already in line"],
    ["servers inside clients", [below("    nomad_clients:", "      children:", "        ▸nomad_servers:")], "is inside"],
    ["a group twice", [(text) => `${text}▸nomad_servers:\n`], 'group "nomad_servers" is already in line'],
    ["a section by another name", [below("    nomad_servers:", "      ▸host:")], '"host" in group "nomad_servers": use vars, hosts,'],
  ],
  "in a name": [
    ["letters exchanged", [pinode3("▸nomad_reserved_memroy: 2GiB")], '"nomad_reserved_memroy", very near to "nomad_reserved_memory"'],
    ["a letter left out", [pinode3("▸lan_adress: 192.168.68.13")], 'very near to "lan_address": correct it'],
    ["a word left out", [below("all:\n  vars:", "    ▸nas_root: /srv")], 'very near to "nas_export_root"'],
    ["words in another order", [pinode3("▸nomad_mhz_cpu: 2400")], 'very near to "nomad_cpu_mhz"'],
    ["a misspelt prefix", [pinode3("▸nomda_memory: 4GiB")], 'very near to "nomad_memory"'],
    ["dashes", [pinode3("▸nomad-max-kill-timeout: 30s")], 'very near to "nomad_max_kill_timeout"'],
  ],
  "in the capacity": [
    ["no release of Nomad", [change("    nomad_version: 2.0.5\n", ""), at("all:")], "nomad_version is not set: add it, such as nomad_version: 2.0.5"],
    ["a Nomad that is newest", [set("nomad_version: ▸latest")], 'nomad_version: "latest" is not a release: write three numbers'],
    ["no memory", [change("pinode3.local\n          nomad_memory: 8GiB", "pinode3.local"), at("        pinode3:")], "nomad_memory of pinode3 is not set"],
    ["memory without unit", [pinode3("nomad_memory: ▸8192")], 'nomad_memory: "8192" is not an amount of memory: write'],
    ["memory in decimal gigabytes", [pinode3("nomad_memory: ▸8GB")], 'nomad_memory: "8GB" is not an amount of memory: write'],
    ["all memory reserved", [pinode3("nomad_reserved_memory: ▸8GiB")], "leaves nothing of the 8 GiB of pinode3: reserve less"],
    ["no cores", [pinode3("nomad_cpu_cores: ▸0")], 'nomad_cpu_cores: "0" is not a positive integer: write'],
    ["an octal number of cores", [pinode3("nomad_cpu_cores: ▸010")], 'nomad_cpu_cores: "010" is 8 to Ansible: write it plainly'],
    ["half a core", [pinode3("nomad_cpu_cores: ▸3.5")], '"3.5" is not a positive integer'],
    ["all of the processor reserved", [pinode3("nomad_reserved_cpu: ▸7200")], "leaves nothing of the 7200 MHz of pinode3"],
    ["a negative clock", [pinode3("nomad_cpu_mhz: ▸-1800")], '"-1800" is not a positive integer'],
    ["a clock with a unit", [pinode3("nomad_cpu_mhz: ▸1800MHz")], '"1800MHz" is not a positive integer'],
  ],
  "in a figure": [
    ["one that is missing", [change(`${NAS}\n`, ""), at("all:")], "nas_address is not set: add it, such as nas_address: 192."],
    ["one that is empty", [change("nomad_datacenter: homelab", "▸nomad_datacenter:")], "nomad_datacenter: it is empty: write"],
    ["a list", [set("nomad_datacenter: ▸[homelab]")], "nomad_datacenter: it is a list or a mapping"],
    ["a template", [set('postgres_address: ▸"{{ nas_address }}"')], 'postgres_address: "{{ nas_address }}" is a template'],
    ["an encrypted one", [set("nas_export_root: !vault ▸abc")], "nas_export_root: it is tagged !vault: write it in clear"],
    ["one that differs", [pinode3("nomad_drain_deadline: ▸20m")], 'nomad_drain_deadline is "20m" for pinode3 and "15m" elsewhere'],
    ["one for clients only", [change("    nomad_region: global\n", ""), below("        nomad_reserved_memory: 768MiB", "        nomad_region: global"), at("        pinode2:")], "nomad_region is not set for pinode2 but for others"],
    ["a truth value", [set("nomad_datacenter: ▸no")], 'nomad_datacenter: "no" is false to Ansible: write it plainly, or in quotes'],
    ["a truth value by its name", [set("nomad_region: ▸true")], 'nomad_region: "true" is true to Ansible'],
    ["YAML's null", [set("nomad_region: ▸~")], 'nomad_region: "~" is null to Ansible'],
    ["a wildcard datacenter", [set("nomad_datacenter: ▸home*")], 'nomad_datacenter: "home*" is not a name'],
    ["a duration without unit", [set("nomad_drain_deadline: ▸15")], 'nomad_drain_deadline: "15" is not a duration: write'],
    ["a duration of zero", [set("nomad_max_kill_timeout: ▸0s")], 'nomad_max_kill_timeout: "0s" leaves no time at all'],
    ["a drain that cuts a stop short", [set("nomad_drain_deadline: ▸10m")], "(10m) is shorter than nomad_max_kill_timeout (15m)"],
  ],
  "in the number of hosts": [
    ["no client", [(text) => text.slice(0, text.indexOf("        pinode1:")), at("    nomad_clients:")], "there is no host in nomad_cl"],
    ["no server", [change(`        pinode2:\n${SERVER}\n`, ""), at("    nomad_servers:")], "no host in nomad_servers"],
    ["a count below the servers", [set("nomad_bootstrap_expect: ▸1"), below(SERVER, "        pinode5:", "        pinode6:")], "of that size would elect its own leader: set it to 3"],
    ["a count above the servers", [set("nomad_bootstrap_expect: ▸3")], "no leader would ever be elected: set it to 1"],
    ["an even number of servers", [set("nomad_bootstrap_expect: 2"), below(SERVER, "        pinode5:"), at("    nomad_servers:")], "2 servers survive no more losses than 1"],
  ],
  "in an address": [
    ["a URL without scheme", [set("nomad_address: ▸pinode2.local:4646")], '"pinode2.local:4646" is not the URL of an API: write'],
    ["a URL with a path", [set("nomad_address: ▸http://pinode2.local:4646/v1")], "is not the URL of an API"],
    ["a URL without a port", [set("nomad_address: ▸http://pinode2.local")], '"http://pinode2.local" is not the URL of an API: write scheme, host and port'],
    ["a URL with a colon and no port", [set("nomad_address: ▸https://pinode2.local:/")], "is not the URL of an API"],
    ["an IPv6 URL without a port", [set('nomad_address: ▸"http://[fd00::4646]"')], "is not the URL of an API"],
    ["a URL with a port out of range", [set("nomad_address: ▸http://pinode2.local:65536")], "is not the URL of an API"],
    ["a port out of range", [set("postgres_port: ▸65536")], 'postgres_port: "65536" is not a TCP port: write a whole number from 1'],
    ["a port by name", [set("postgres_port: ▸postgresql")], 'postgres_port: "postgresql" is not a TCP port'],
    ["an octet too big", [set("nas_address: ▸192.168.68.256")], 'nas_address: "192.168.68.256" is not an IPv4 address: write'],
    ["a host name", [set("postgres_address: ▸nas.local")], 'postgres_address: "nas.local" is not an IPv4 address'],
    ["loopback", [set("postgres_address: ▸127.0.0.1")], "127.0.0.1 is not an address that other hosts can reach"],
    ["a relative export root", [set("nas_export_root: ▸mnt/homelab")], '"mnt/homelab" is not the absolute path of a folder: write'],
    ["an export root with dots", [set("nas_export_root: ▸/mnt/../homelab")], "is not the absolute path of a folder"],
    ["a whole server as export root", [set("nas_export_root: ▸/")], "is not the absolute path of a folder"],
    ["a network without prefix", [set("lan_cidr: ▸192.168.68.0")], 'lan_cidr: "192.168.68.0" is not an IPv4 network: write'],
    ["a network with host bits", [set("lan_cidr: ▸192.168.68.50/24")], "host bits set: write the network's first address, 192.168.68.0/24"],
    ["a prefix too long", [set("lan_cidr: ▸192.168.68.0/33")], "the prefix of 192.168.68.0/33 is out of range: write 8 to 30"],
    ["a prefix too short", [set("lan_cidr: ▸0.0.0.0/1")], "the prefix of 0.0.0.0/1 is out of range"],
    ["a prefix that leaves no host", [set("nomad_bridge_subnet: ▸10.0.0.0/31")], "the prefix of 10.0.0.0/31 is out of range"],
    ["every address there is", [set("lan_cidr: ▸0.0.0.0/0")], "lan_cidr: 0.0.0.0/0 admits every address there is: write"],
    ["a public network", [set("lan_cidr: ▸192.169.0.0/16")], "lan_cidr: 192.169.0.0/16 is not private: write"],
    ["a network that begins private", [set("lan_cidr: ▸192.168.0.0/15")], "lan_cidr: 192.168.0.0/15 is not private: write"],
    ["a network that ends private", [set("nomad_bridge_subnet: ▸172.0.0.0/11")], "172.0.0.0/11 is not private: write"],
    ["a bridge over the LAN", [set("nomad_bridge_subnet: ▸192.168.0.0/16")], "overlaps lan_cidr 192.168.68.0/24: choose another"],
    ["a client outside the LAN", lanAddresses("192.168.68.11", "▸192.168.69.13", "192.168.68.14"), "is not a host address in lan_cidr"],
    ["a client at the network's own", lanAddresses("192.168.68.11", "▸192.168.68.0", "192.168.68.14"), "is not a host address in lan"],
    ["a client at broadcast", lanAddresses("192.168.68.11", "▸192.168.68.255", "192.168.68.14"), "is not a host address in lan_cidr"],
    ["two hosts of one name in other letters", [change("        pinode4:", "        ▸PiNode3:")], 'PiNode3 and pinode3 have one host name, "pinode3"'],
    ["two hosts of one name in two domains", [change("        pinode4:", "        ▸pinode3.home:")], 'pinode3.home and pinode3 have one host name, "pinode3", and NFS takes them for one machine'],
    ["a client with the server's name", [change("        pinode4:", "        ▸pinode2.lan:")], 'pinode2.lan and pinode2 have one host name'],
    ["two hosts that are reached by one name", [change("        pinode4:\n          ansible_host: pinode4.local", "        ▸pinode4:\n          ansible_host: raspberrypi.lan"), change("ansible_host: pinode3.local", "ansible_host: raspberrypi.local")], 'pinode4 and pinode3 have one host name, "raspberrypi"'],
    ["two clients at one address", lanAddresses("192.168.68.11", "▸192.168.68.11", "192.168.68.14"), "of pinode3 is that of pinode1 too"],
    ["a client without one", [...lanAddresses("192.168.68.11", "192.168.68.13"), at("        pinode4:")], "lan_address of pinode4 is not set"],
  ],
};

describe.each(Object.entries(MISTAKES))("a mistake %s is one error, at its place", (_where, mistakes) => {
  test.each(mistakes)("%s", (_title, edits, fragment) => {
    const { file, place } = write(...edits);
    const problems = problemsOf(file);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.slice(0, place.length)).toBe(place);
    expect(problems[0]).toContain(fragment);
  });
});

describe("errors", () => {
  test("come all at once, in the order of the file", () => {
    const { file } = write(set("nomad_drain_deadline: 15"), set("lan_cidr: 0.0.0.0/0"), set("postgres_port: 0"));
    expect(problemsOf(file)).toEqual([
      expect.stringContaining("nomad_drain_deadline"),
      expect.stringContaining("lan_cidr"),
      expect.stringContaining("postgres_port"),
    ]);
  });

  test("are lower case, say what to do, and have no final period", () => {
    const { file, place } = write(set("nomad_max_kill_timeout: ▸15"));
    const rule = "is not a duration: write a whole number with its unit, such as 15m, 90s or 1h30m";
    expect(problemsOf(file)).toEqual([`${place}nomad_max_kill_timeout: "15" ${rule}`]);
  });

  test("tell of a group by a misspelt name, with the likely one, and of the hosts that are lost with it", () => {
    const { file, place } = write(change("    nomad_clients:", "    ▸nomad-clients:"));
    expect(problemsOf(file)).toEqual([
      expect.stringContaining("there is no host in nomad_clients"),
      `${place}unknown group "nomad-clients": use nomad_servers or nomad_clients; did you mean "nomad_clients"`,
    ]);
  });

  test("tell of a list of hosts, and that the group is empty so", () => {
    const { file, place } = write(change(`        pinode2:\n${SERVER}`, "        ▸- pinode2"));
    expect(problemsOf(file)).toEqual([
      expect.stringContaining("there is no host in nomad_servers"),
      expect.stringContaining(`${place}"hosts" is not a mapping`),
    ]);
  });

  test("do not tell two or four servers to expect a number that is refused", () => {
    for (const others of [["pinode5:"], ["pinode5:", "pinode6:", "pinode7:"]]) {
      const added = others.map((name) => `        ${name}`);
      expect(problemsOf(write(below(SERVER, ...added)).file)).toEqual([
        expect.stringMatching(/\d servers survive no more losses than \d, .*: use 1, 3 or 5$/),
      ]);
    }
  });

  test("tell three servers that expect one of the leaders", () => {
    expect(problemsOf(write(below(SERVER, "        pinode5:", "        pinode6:")).file)).toEqual([
      expect.stringContaining("nomad_bootstrap_expect is 1 and the number of servers 3, so each group of that size"),
    ]);
  });

  test("do not propose the name that is refused", () => {
    const { file, place } = write(below("  children:", "    ▸all:"));
    expect(problemsOf(file)).toEqual([`${place}unknown group "all": use nomad_servers or nomad_clients`]);
  });

  test.each(["", "/v1"])("do not repeat the credentials in a URL that ends with '%s'", (path) => {
    const { file, place } = write(set(`nomad_address: ▸http://me:hunter2@pinode2.local:4646${path}`));
    expect(problemsOf(file)).toEqual([expect.stringContaining(`${place}nomad_address: the URL carries credentials`)]);
    expect(problemsOf(file).join()).not.toContain("hunter2");
  });

  test("tell a value that three clients inherit once", () => {
    const { file, place } = write(set("nomad_reserved_memory: ▸768"));
    expect(problemsOf(file)).toEqual([
      expect.stringContaining(`${place}nomad_reserved_memory: "768" is not an amount`),
    ]);
  });

  test("tell a missing file, a folder, an empty file and a list", () => {
    const empty = join(folder, "empty.yml");
    const list = join(folder, "list.yml");
    const none = join(folder, "none.yml");
    writeFileSync(empty, "");
    writeFileSync(list, "- pinode1\n");
    expect(problemsOf(none)).toEqual([expect.stringContaining(`${none}:1:1: cannot read the inventory (ENOENT`)]);
    expect(problemsOf(folder)).toEqual([expect.stringContaining(`${folder}:1:1: cannot read the inventory (EISDIR`)]);
    expect(problemsOf(empty)[0]).toContain(`${empty}:1:1: there is no host in nomad_servers`);
    expect(problemsOf(list)[0]).toContain(`${list}:1:1: the inventory is not a mapping`);
  });

  test.each(["group_vars/all.yml", "group_vars/nomad_clients/figures.yaml", "host_vars/pinode1"])(
    "tell a figure that %s would change behind the inventory's back",
    (name) => {
      const { file } = write();
      const other = join(folder, name);
      mkdirSync(dirname(other), { recursive: true });
      writeFileSync(other, "---\nsome_role_setting: 1\nnomad_max_kill_timeout: 30s\n");
      const problem = `${other}:3:1: nomad_max_kill_timeout is set outside the inventory`;
      expect(problemsOf(file)).toEqual([expect.stringContaining(problem)]);
    },
  );
});

describe("what is right passes", () => {
  const same: [title: string, edits: Edit[]][] = [
    ["comments that look like mistakes", [change("all:\n", "# nomad_memroy: 8\nall: # hosts:\n")]],
    ["Ansible's own variables", [pinode3("ansible_port: 22"), pinode3("ansible_become_password: !vault abc")]],
    ["variables of roles", [pinode3("nomad_acl_enabled: true"), pinode3('motd: "{{ x }}"'), pinode3("users: [pi]")]],
    [
      "quoted figures, which Ansible renders alike",
      [set('nomad_region: "global"'), set('postgres_port: "5432"'), set("nomad_drain_deadline: '15m'")],
    ],
    [
      "a group's variable",
      [
        set("nomad_drain_deadline: 10m"),
        below("        nomad_reserved_memory: 768MiB", "        nomad_drain_deadline: 15m"),
      ],
    ],
    [
      "groups beside all",
      [change("  children:\n    nomad_servers:", "nomad_servers:"), change("    nomad_clients:", "nomad_clients:")],
    ],
    ["a slash after the URL", [set("nomad_address: http://pinode2.local:4646/")]],
    ["an alias", [set("nas_address: &nas 192.168.68.50"), set("postgres_address: *nas")]],
  ];

  test.each(same)("%s", (_title, edits) => {
    expect(clusterOf(...edits)).toEqual(Cluster.fromInventory(FIXTURE_INVENTORY));
  });

  test.each(["https://pinode2.local:443", "http://[fd00::2]:4646", "http://192.168.68.11:80"])(
    "%s is an address, port and all",
    (address) => {
      expect(clusterOf(set(`nomad_address: "${address}"`)).nomadAddress).toBe(address);
    },
  );

  test("variables of roles, encrypted files and notes in group_vars", () => {
    const { file } = write();
    mkdirSync(join(folder, "group_vars"));
    writeFileSync(join(folder, "group_vars/all.yml"), "nomad_acl_enabled: true\n");
    writeFileSync(join(folder, "group_vars/vault.yml"), "$ANSIBLE_VAULT;1.1;AES256\n6162\n");
    writeFileSync(join(folder, "group_vars/README.md"), "nomad_memory: is in the inventory\n");
    expect(problemsOf(file)).toEqual([]);
  });

  test("a host's value before its group's, and an inner group's before an outer one's", () => {
    const { clients } = clusterOf(NESTED, client("pinode1", "nomad_cpu_mhz: 2400"));
    expect(clients.map(({ name, reservedMemory, cpu }) => [name, reservedMemory.toString(), cpu])).toEqual([
      ["pinode1", "768 MiB", 9400],
      ["pinode3", "1 GiB", 7000],
      ["pinode4", "512 MiB", 7000],
    ]);
  });

  test("the first and the last host address of the LAN", () => {
    const { clients } = clusterOf(...lanAddresses("192.168.68.1", "192.168.68.254", "192.168.68.14"));
    expect(clients.map(({ lanAddress }) => lanAddress)).toEqual(["192.168.68.1", "192.168.68.254", "192.168.68.14"]);
  });

  test.each(["10.0.0.0/8", "172.16.0.0/12", "192.168.69.0/24", "100.64.0.0/30"])("the bridge subnet %s", (subnet) => {
    expect(clusterOf(set(`nomad_bridge_subnet: ${subnet}`)).bridgeSubnet).toBe(subnet);
  });

  test("a drain longer than the longest stop, and an election of three", () => {
    const servers = below(SERVER, "        pinode5:", "        pinode6:");
    const cluster = clusterOf(set("nomad_drain_deadline: 1h30m"), set("nomad_bootstrap_expect: 3"), servers);
    expect(cluster.drainDeadline.toSeconds()).toBe(5400);
    expect(cluster.servers).toEqual([{ name: "pinode2" }, { name: "pinode5" }, { name: "pinode6" }]);
  });
});

describeWith(["ansible"], "Ansible reads the same inventory", () => {
  /** Warnings go to stderr, which must stay empty. */
  function list(file: string) {
    const env = { ...process.env, ANSIBLE_CONFIG: join(folder, "ansible.cfg") };
    writeFileSync(env.ANSIBLE_CONFIG, "");
    const { stdout, stderr } = spawnSync("ansible-inventory", ["-i", file, "--list"], { env, encoding: "utf8" });
    expect(stderr).toBe("");
    return JSON.parse(stdout);
  }

  const versions: [title: string, edits: Edit[]][] = [
    ["as it stands", []],
    ["with nested groups and overrides", [NESTED, client("pinode1", "nomad_cpu_mhz: 2400")]],
    ["with fixed addresses", lanAddresses("192.168.68.11", "192.168.68.13", "192.168.68.14")],
  ];

  test.each(versions)("%s, without a warning and with the same figures", (_title, edits) => {
    const { file } = write(...edits);
    const { servers, clients, ...cluster } = Cluster.fromInventory(file);
    const { _meta, nomad_servers } = list(file);
    expect(nomad_servers.hosts).toEqual(servers.map(({ name }) => name));
    expect(Object.keys(_meta.hostvars).sort()).toEqual(["pinode1", "pinode2", "pinode3", "pinode4"]);
    expect(_meta.hostvars.pinode2).toMatchObject({ nomad_bootstrap_expect: 1, nomad_datacenter: cluster.datacenter });
    for (const { name, memory, reservedMemory, cpu, lanAddress } of clients) {
      expect(_meta.hostvars[name]).toEqual({
        ansible_host: `${name}.local`,
        nomad_address: cluster.nomadAddress,
        nomad_region: cluster.region,
        nomad_datacenter: cluster.datacenter,
        nomad_version: cluster.nomadVersion,
        // Ansible's alone: nothing in a job depends on them.
        nomad_acl_enabled: true,
        nas_snapshot_export: "/mnt/homelab-snapshots/nomad",
        nomad_max_kill_timeout: cluster.maxKillTimeout.toString(),
        nomad_drain_deadline: cluster.drainDeadline.toString(),
        nomad_bridge_subnet: cluster.bridgeSubnet,
        nomad_memory: memory.toString().replace(" ", ""),
        nomad_reserved_memory: reservedMemory.toString().replace(" ", ""),
        nomad_cpu_cores: 4,
        nomad_cpu_mhz: (cpu + 200) / 4,
        nomad_reserved_cpu: 200,
        lan_cidr: cluster.lan,
        ...(lanAddress && { lan_address: lanAddress }),
        nas_address: cluster.nas.address,
        nas_export_root: cluster.nas.exportRoot,
        postgres_address: cluster.postgres.address,
        postgres_port: cluster.postgres.port,
      });
    }
  });
});
