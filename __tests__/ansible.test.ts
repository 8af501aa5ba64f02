import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import { Cluster } from "../cluster/cluster";
import { VARIABLE_NAMES, VARIABLES } from "../cluster/variables";
import { BACKUP_JOBS } from "../model/backup-jobs";
import { Duration } from "../nomad/duration";
import { SERVICE_USER } from "../nomad/template";
import { Agents } from "./cluster/agents";
import { copyProject, FIXTURE_INVENTORY, FIXTURE_MAIN, runMain } from "./fixture-project";
import { describeWith } from "./tools";

const COPY = mkdtempSync(join(tmpdir(), "project-"));
copyProject(COPY);
const ANSIBLE = join(COPY, "ansible");
const SOURCE = readFileSync(FIXTURE_INVENTORY, "utf8");
const ROLES = readdirSync(join(ANSIBLE, "roles"));
const PLAYBOOKS = ["nomad_cluster.yml", "playbooks/preflight.yml", "playbooks/patch_cluster.yml"];
const CLIENTS = ["pinode1", "pinode3", "pinode4"];

/** Minutes, on a slow machine. */
const PATIENCE = 5 * 60 * 1000;

function yaml(...path: string[]): Record<string, unknown> {
  return parse(readFileSync(join(ANSIBLE, ...path), "utf8")) ?? {};
}

function optionsOf(role: string): Record<string, { required?: boolean }> {
  const specs = yaml("roles", role, "meta", "argument_specs.yml") as {
    argument_specs: { main: { options: Record<string, { required?: boolean }> } };
  };
  return specs.argument_specs.main.options;
}

function run(program: string, args: readonly string[], cwd = ANSIBLE) {
  const env = { ...process.env, NO_COLOR: "1", ANSIBLE_NOCOLOR: "1", NOMAD_TOKEN: "" };
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, env, encoding: "utf8" });
  // Ansible's YAML folds long lines; what a reader sees as one sentence is one here.
  return { status, output: stdout + stderr, text: (stdout + stderr).replaceAll(/\s+/g, " ").replaceAll("''", "'") };
}

/** The inventory with changes, in a folder of its own, beside what synthesis wrote. */
function project(...changes: [from: string, to: string][]): string {
  const folder = mkdtempSync(join(tmpdir(), "ansible-"));
  let text = SOURCE;
  for (const [from, to] of changes) {
    expect(text).toContain(from);
    text = text.replace(from, to);
  }
  mkdirSync(join(folder, "ansible"));
  writeFileSync(join(folder, "ansible", "inventory.yml"), text);
  return folder;
}

/** Renders the templates of all roles for every host of an inventory. */
function render(out: string, inventory: string): void {
  const playbook = resolve(__dirname, "fixtures/ansible/render.yml");
  const variables = ["-e", `out=${out}`, "-e", `roles=${ANSIBLE}/roles`];
  const { status, output } = run("ansible-playbook", ["-i", inventory, ...variables, playbook]);
  if (status !== 0) throw new Error(output);
}

const SERVER = "          ansible_host: pinode2.local\n";
const server = (name: string) => `        ${name}:\n          ansible_host: ${name}.local\n`;
const THREE_SERVERS: [string, string][] = [
  [SERVER, `${SERVER}${server("pinode5")}${server("pinode6")}`],
  ["nomad_bootstrap_expect: 1", "nomad_bootstrap_expect: 3"],
];

describe("the roles", () => {
  test.each(ROLES)("%s: every default is described, and every description is of a default or the inventory", (role) => {
    const own = Object.keys(optionsOf(role)).filter((name) => name.startsWith(`${role}_`));
    expect(own.sort()).toEqual(Object.keys(yaml("roles", role, "defaults", "main.yml")).sort());
  });

  test("demand what the inventory must give, as the constructs do", () => {
    const required = ROLES.flatMap((role) => Object.entries(optionsOf(role)))
      .filter(([, { required }]) => required)
      .map(([name]) => name);
    // The LAN limits who may use bitcoind's RPC; no machine is configured to it.
    const wanted = VARIABLE_NAMES.filter((name) => !("optional" in VARIABLES[name]) && name !== "lan_cidr");
    expect(required).toEqual(expect.arrayContaining(wanted));
  });

  test("give a policy to every job of the backup, and no other, and have a file for each that is named by its first line", () => {
    const { nomad_server_policies: named, nomad_server_job_policies: jobs } = yaml("roles/nomad_server/vars/main.yml");
    expect(jobs).toEqual(Object.values(BACKUP_JOBS));
    const files = readdirSync(join(ANSIBLE, "roles/nomad_server/files/policies"));
    expect(
      [named, jobs]
        .flat()
        .map((name) => `${name}.hcl`)
        .sort(),
    ).toEqual(files.sort());
    for (const file of files) {
      expect(readFileSync(join(ANSIBLE, "roles/nomad_server/files/policies", file), "utf8")).toMatch(/^# \S/);
    }
  });

  test("write snapshots as the user that the services run as", () => {
    expect(yaml("roles", "nomad_server", "defaults", "main.yml").nomad_server_snapshot_user).toBe(SERVICE_USER);
  });
});

describeWith(["ansible", "nomad"], "the policies on a real Nomad", () => {
  let agents: Agents;
  const folder = mkdtempSync(join(tmpdir(), "policies-"));

  beforeAll(async () => {
    agents = await Agents.start([]);
  }, PATIENCE);

  afterAll(async () => {
    await agents?.stop();
  });

  /** Runs the role's own tasks that read and apply policies, and nothing else of it. */
  const apply = () => {
    const tasks = (
      parse(readFileSync(join(ANSIBLE, "roles/nomad_server/tasks/acl.yml"), "utf8")) as { name: string }[]
    ).filter(({ name }) => name.endsWith(" the policies."));
    expect(tasks).toHaveLength(2);
    const playbook = join(folder, "playbook.yml");
    writeFileSync(
      playbook,
      JSON.stringify([
        {
          hosts: "localhost",
          connection: "local",
          gather_facts: false,
          vars: {
            ...yaml("roles/nomad_server/vars/main.yml"),
            nomad_server_job_namespace: yaml("roles/nomad_server/defaults/main.yml").nomad_server_job_namespace,
            common_api_url: agents.address,
            common_nomad_token: agents.token("management"),
            nomad_server_self: { status: 200 },
          },
          tasks,
        },
      ]),
    );
    if (!existsSync(join(folder, "files")))
      symlinkSync(join(ANSIBLE, "roles/nomad_server/files"), join(folder, "files"));
    const { status, output } = run("ansible-playbook", ["-i", "localhost,", playbook]);
    if (status !== 0) throw new Error(output);
    return Number(/changed=(\d+)/.exec(output)?.[1]);
  };
  const jobOf = async (policy: string) =>
    (await agents.send<{ JobACL: { Namespace: string; JobID: string } | null }>("GET", `acl/policy/${policy}`)).JobACL;

  test(
    "are bound to the jobs of the backup, and a second run changes nothing",
    async () => {
      expect(apply()).toBe(1);
      for (const job of Object.values(BACKUP_JOBS))
        expect(await jobOf(job)).toMatchObject({ Namespace: "bitcoin", JobID: job });
      for (const policy of ["reader", "deployer", "patcher", "snapshotter"]) expect(await jobOf(policy)).toBeNull();
      expect(apply()).toBe(0);
    },
    PATIENCE,
  );

  test(
    "are bound again when somebody has taken the job away",
    async () => {
      const { Rules } = await agents.send<{ Rules: string }>("GET", "acl/policy/backup");
      await agents.send("PUT", "acl/policy/backup", { Name: "backup", Rules });
      expect(await jobOf("backup")).toBeNull();
      expect(apply()).toBe(1);
      expect(await jobOf("backup")).toMatchObject({ JobID: "backup" });
    },
    PATIENCE,
  );
});

describeWith(["ansible"], "the playbooks", () => {
  test.each(PLAYBOOKS)("%s has no syntax error", (playbook) => {
    expect(run("ansible-playbook", ["--syntax-check", playbook])).toMatchObject({ status: 0 });
  });

  test(
    "please yamllint and ansible-lint's strictest profile",
    () => {
      expect(run("yamllint", ["--strict", "."])).toMatchObject({ status: 0, output: "" });
      const { output } = run("ansible-lint", ["--nocolor", "--offline"]);
      expect(output).toMatch(/Passed: 0 failure\(s\), 0 warning\(s\) .* '?production'?/);
    },
    PATIENCE,
  );

  describe("render for the inventory", () => {
    const out = mkdtempSync(join(tmpdir(), "rendered-"));
    const rendered = (host: string, file: string) => readFileSync(join(out, host, file), "utf8");
    const cluster = Cluster.fromInventory(FIXTURE_INVENTORY);
    const larger = mkdtempSync(join(tmpdir(), "rendered-"));

    beforeAll(() => {
      render(out, FIXTURE_INVENTORY);
      render(larger, join(project(...THREE_SERVERS), "ansible", "inventory.yml"));
    }, PATIENCE);

    test.each(CLIENTS)("a client that counts as the constructs do: %s", (host) => {
      const client = cluster.clients.find(({ name }) => name === host);
      const config = rendered(host, "nomad.hcl");
      const figure = (name: string) => Number(new RegExp(`\\b${name} += (\\d+)`).exec(config)?.[1]);
      expect(figure("memory_total_mb")).toBe(client?.memory.toMebibytes());
      expect(figure("memory")).toBe(client?.reservedMemory.toMebibytes());
      expect(figure("cpu_total_compute") - figure("cpu")).toBe(client?.cpu);
      expect(config).toContain(`name       = "${host}"`);
      expect(config).toContain(`datacenter = "${cluster.datacenter}"`);
      expect(config).toContain(`bridge_network_subnet = "${cluster.bridgeSubnet}"`);
      expect(config).toContain('servers = ["pinode2.local"]');
      expect(config).toMatch(/nomad_retry {\s+attempts = 0\s+}/);
      expect(config).toMatch(/allow_privileged = true[\s\S]*gc {\s.*\s+image = false\s+}/);
      expect(config).toMatch(/acl {\s+enabled = true\s+}/);
      expect(config).not.toContain("host_volume");
    });

    test("one stop chain: task, client, drain, Docker, systemd", () => {
      for (const host of CLIENTS) {
        const [, longest = ""] = /max_kill_timeout = "(.*)"/.exec(rendered(host, "nomad.hcl")) ?? [];
        expect(longest).toBe(cluster.maxKillTimeout.toString());
        const kill = Duration.parse(longest).toSeconds();
        const stopTime = (file: string) => Number(/TimeoutStopSec=(\d+)/.exec(rendered(host, file))?.[1]);
        expect(JSON.parse(rendered(host, "daemon.json"))).toMatchObject({
          "shutdown-timeout": kill,
          "default-ulimits": { nofile: { Name: "nofile", Soft: 65536, Hard: 65536 } },
        });
        expect(stopTime("docker.conf")).toBeGreaterThan(kill);
        expect(stopTime("nomad.service")).toBeGreaterThan(cluster.drainDeadline.toSeconds());
        expect(rendered(host, "nomad.service")).toContain("After=network-online.target docker.service");
      }
    });

    test("a server that elects with its peers and takes snapshots to the NAS", () => {
      const config = rendered("pinode2", "nomad.hcl");
      expect(config).toContain(`bootstrap_expect = ${cluster.servers.length}`);
      expect(config).toContain("prometheus_metrics         = true");
      expect(config).not.toContain("scheduler");
      const program = rendered("pinode2", "nomad-snapshot");
      expect(program).toContain(`${cluster.nas.address}:/mnt/homelab-snapshots/nomad`);
      expect(program).not.toContain("redact");
      expect(rendered("pinode2", "nomad-snapshot.timer")).toContain("OnCalendar=daily");
    });

    test("three servers that wait for each other, and clients that know them all", () => {
      const config = readFileSync(join(larger, "pinode2", "nomad.hcl"), "utf8");
      expect(config).toContain("bootstrap_expect = 3");
      expect(config).toContain('retry_join = ["pinode5.local", "pinode6.local"]');
      const client = readFileSync(join(larger, "pinode1", "nomad.hcl"), "utf8");
      expect(client).toContain('servers = ["pinode2.local", "pinode5.local", "pinode6.local"]');
    });

    describeWith(["nomad"], "files that Nomad accepts", () => {
      const files = [
        ...["pinode2", ...CLIENTS].map((host) => [host, out]),
        ...["pinode2", "pinode5", "pinode1"].map((host) => [`${host} of the larger cluster`, larger]),
      ];
      test.each(files)("%s", (host, folder) => {
        const [name] = host.split(" ");
        expect(run("nomad", ["config", "validate", join(folder, `${name}`, "nomad.hcl")])).toMatchObject({ status: 0 });
      });
    });
  });

  describe("with machines that SSH does not reach", () => {
    const off = ["pinode2", ...CLIENTS].map((host): [string, string] => [
      `ansible_host: ${host}.local`,
      "ansible_host: 127.0.0.1\n          ansible_port: 1",
    ]);
    const args = (playbook: string) => ["-i", join(project(...off), "ansible", "inventory.yml"), playbook];

    test.each(PLAYBOOKS)("%s names them and stops", (playbook) => {
      const { status, text } = run("ansible-playbook", args(playbook));
      expect(text).toContain("pinode2, pinode1, pinode3, pinode4: not reachable, for the reason above. Switch");
      expect(status).not.toBe(0);
    });

    test("a roll ends with the first that is lost, since it may be out of service", () => {
      const { status, text } = run("ansible-playbook", args(resolve(__dirname, "fixtures/ansible/lost.yml")));
      expect(text).toContain("pinode1: begun, and then the connection was lost.");
      expect(text).toContain("pinode3 was not begun");
      expect(text).not.toContain("pinode4 was not begun");
      expect(status).not.toBe(0);
    });
  });

  describe("refuse, before any machine is reached,", () => {
    const synthesized = mkdtempSync(join(tmpdir(), "synthesized-"));

    beforeAll(() => {
      process.env.CDKTF_OUTDIR = synthesized;
      runMain();
    });
    afterAll(() => {
      delete process.env.CDKTF_OUTDIR;
    });

    const refusals: [title: string, changes: [string, string][], message: string][] = [
      [
        "a kill timeout below what the jobs need",
        [["nomad_max_kill_timeout: 15m", "nomad_max_kill_timeout: 5m"]],
        "bitcoin.bitcoin.bitcoind may take 900 s to stop, nomad_max_kill_timeout is 300 s",
      ],
      [
        "a drain deadline below the kill timeout",
        [["nomad_drain_deadline: 15m", "nomad_drain_deadline: 10m"]],
        "nomad_drain_deadline (600 s) is shorter than nomad_max_kill_timeout (900 s)",
      ],
      [
        "an even number of servers",
        [[SERVER, `${SERVER}${server("pinode5")}`]],
        "2 servers: an even number survives no more losses than one less",
      ],
      [
        "servers that wait for fewer than there are",
        [[SERVER, `${SERVER}${server("pinode5")}${server("pinode6")}`]],
        "nomad_bootstrap_expect of pinode2 is 1, there are 3 servers",
      ],
      [
        "two hosts of one name",
        [["        pinode4:\n", "        PiNode3.lan:\n"]],
        "pinode3 and PiNode3.lan have one host name, pinode3: NFS takes them for one machine",
      ],
      [
        "a Nomad that can leave a second writer running",
        [["nomad_version: 2.0.5", "nomad_version: 2.0.4"]],
        "nomad_version is 2.0.4: before 2.0.5 a deleted allocation can run on, as a second writer [nomad-version]",
      ],
      ["a missing figure", [["    nomad_drain_deadline: 15m\n", ""]], "nomad_drain_deadline of pinode1 is not set"],
      [
        "a missing variable",
        [["    nomad_region: global\n", ""]],
        "missing required arguments: nomad_region (of pinode2, pinode1, pinode3, pinode4) [variables]: correct it",
      ],
      [
        "a wrong type",
        [["    postgres_port: 5432", "    postgres_port: many"]],
        "argument 'postgres_port' is of type str and we were unable to convert to int",
      ],
      [
        "a duration without unit",
        [["nomad_drain_deadline: 15m", "nomad_drain_deadline: 900"]],
        '"900" is not a duration',
      ],
    ];
    test.each(refusals)("%s", (_title, changes, message) => {
      const inventory = join(project(...changes), "ansible", "inventory.yml");
      const args = ["-i", inventory, "-e", `common_cdktf_out=${synthesized}`, "playbooks/patch_cluster.yml"];
      const { status, text } = run("ansible-playbook", args);
      expect(text).toContain(message);
      expect(status).not.toBe(0);
      expect(text).not.toContain("Reach every host");
    });

    test("a host in --limit that there is not", () => {
      const { status, text } = run("ansible-playbook", ["--limit", "pinode1,pinode9", "playbooks/patch_cluster.yml"]);
      expect(text).toContain(
        "--limit names pinode9, which the inventory has not: it has pinode2, pinode1, pinode3, pinode4",
      );
      expect(status).not.toBe(0);
    });

    test("five minutes, as synthesis does", () => {
      const folder = project(["nomad_max_kill_timeout: 15m", "nomad_max_kill_timeout: 5m"]);
      const synthesize = () => runMain(FIXTURE_MAIN, join(folder, "ansible", "inventory.yml"));
      expect(synthesize).toThrow(/KillTimeout = 15m\n.*longer than the clients honour \(5m\)/);
    });
  });
});
