import { chownSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { command, until } from "../cluster/command";
import { describeWith } from "../tools";
import { installCanary } from "./canary";
import { plugin, runPlugin, SLOW, SLOW_SECONDS } from "./csi-plugin";
import { CLIENTS, installImage, STAND_IN } from "./image";
import { Machines, succeeded, text } from "./machines";
import { judgePolicies, tokenOf } from "./policies";
import { journal, runningOn, runSlowJob } from "./slow-job";

const SNAPSHOTS = "/mnt/homelab-snapshots/nomad";

interface Node {
  readonly ID: string;
  readonly Name: string;
  readonly Datacenter: string;
  readonly Status: string;
  readonly SchedulingEligibility: string;
  readonly LastDrain?: { readonly StartedAt: string; readonly UpdatedAt: string } | null;
}

/** Needs more than half of a client, on each of them. */
const BIG = {
  ID: "big",
  Name: "big",
  Type: "service",
  Datacenters: ["homelab"],
  Update: { MinHealthyTime: 1e9, HealthCheck: "task_states" },
  TaskGroups: [
    {
      Name: "big",
      Count: 3,
      Tasks: [
        {
          Name: "big",
          Driver: "docker",
          Config: {
            image: STAND_IN,
            command: "/bin/sh",
            args: ["-c", "trap 'exit 0' TERM; while :; do sleep 1; done"],
          },
          Resources: { CPU: 100, MemoryMB: 4000 },
        },
      ],
    },
  ],
};

/** Prints when the services of a machine were started, its packages, and its configuration. */
const UNCHANGED = `systemctl show --property=ActiveEnterTimestamp nomad $(systemctl cat docker >/dev/null 2>&1 && echo docker)
dpkg-query --show canary 2>/dev/null || true
dpkg-query --show | sha256sum
find /etc /usr/local -type f -exec sha256sum {} + | sort | sha256sum`;

describeWith(["ansible", "docker", "nomad", "debootstrap"], "the playbooks on four machines", () => {
  let machines: Machines;
  let patcher: string;

  beforeAll(async () => {
    machines = await Machines.start();
    mkdirSync(machines.nas(SNAPSHOTS), { recursive: true });
    chownSync(machines.nas(SNAPSHOTS), 3001, 3001);
  });

  afterAll(async () => {
    await machines?.end();
  });

  const nodes = () => machines.nomad<Node[]>("nodes");
  const node = async (name: string) => (await nodes()).find(({ Name }) => Name === name) as Node;

  test("blank machines become a cluster with access control", async () => {
    succeeded(await machines.play("nomad_cluster.yml"));
    const found = await nodes();
    expect(found.map(({ Name }) => Name).sort()).toEqual(CLIENTS);
    expect(found.every(({ Datacenter, Status }) => Datacenter === "homelab" && Status === "ready")).toBe(true);
    expect(statSync(machines.secret("nomad-bootstrap-token")).mode & 0o777).toBe(0o600);
    await expect(machines.nomad("jobs", { token: "" })).rejects.toThrow("403");
    const policies = await machines.nomad<{ Name: string }[]>("acl/policies");
    expect(policies.map(({ Name }) => Name).sort()).toEqual([
      ...["backup", "backup-check", "backup-copy", "backup-drill", "backup-restore"],
      ...["deployer", "patcher", "reader", "snapshotter"],
    ]);
    patcher = await tokenOf(machines, "patcher");
  });

  test("a second run changes nothing", async () => {
    const { recap } = succeeded(await machines.play("nomad_cluster.yml"));
    expect(Object.fromEntries(Object.entries(recap).map(([host, { changed }]) => [host, changed]))).toEqual(
      Object.fromEntries(machines.hosts.map((host) => [host, 0])),
    );
  });

  test("a cluster that works is changed node by node, and no task is killed", async () => {
    installImage(machines);
    await runSlowJob(machines);
    const first = (await runningOn(machines)) as string;
    for (const host of ["pinode2", first]) machines.on(host, "echo '# by hand' >> /etc/nomad.d/nomad.hcl");

    const dry = succeeded(await machines.play("nomad_cluster.yml", ["--check", "--diff"]));
    expect(dry.output.match(/-# by hand/g)).toHaveLength(2);
    expect(machines.on(first, "tail -n 1 /etc/nomad.d/nomad.hcl")).toBe("# by hand\n");

    const { recap } = succeeded(await machines.play("nomad_cluster.yml"));
    expect(machines.on(first, "cat /etc/nomad.d/nomad.hcl")).not.toContain("# by hand");
    const untouched = CLIENTS.filter((client) => client !== first);
    expect(untouched.map((client) => recap[client]?.changed)).toEqual([0, 0]);
    expect(await runningOn(machines)).not.toBe(first);
    expect(journal(machines)).toEqual({ starts: 2, cleanStops: 1 });
  });

  test("a container that Nomad does not know stops a run before anything is changed, and is named", async () => {
    const label = "com.hashicorp.nomad.alloc_id=deadbeef-0000-0000-0000-000000000000";
    machines.on("pinode4", `docker run --detach --name ghost --label ${label} ${STAND_IN} sleep 3600`);
    for (const playbook of ["playbooks/preflight.yml", "nomad_cluster.yml", "playbooks/patch_cluster.yml"]) {
      const play = await machines.play(playbook, [], patcher);
      expect(text(play)).toContain(
        "on pinode4 runs the container ghost of allocation deadbeef, which Nomad does not know [orphans]",
      );
      expect(play.status).not.toBe(0);
      expect(Object.values(play.recap).map(({ changed }) => changed)).toEqual(Array(4).fill(0));
    }
    machines.on("pinode4", "docker rm --force ghost");
    expect(text(succeeded(await machines.play("playbooks/preflight.yml", [], patcher)))).not.toContain("[orphans]");
  });

  test("a kill timeout of a registered job above what clients honour stops a run", async () => {
    const figures = ["-e", "nomad_max_kill_timeout=1m", "-e", "common_cdktf_out=/nonexistent"];
    const play = await machines.play("nomad_cluster.yml", figures);
    expect(text(play)).toContain("default/slow, task slow may take 120 s to stop, nomad_max_kill_timeout is 60 s");
    expect(play.status).not.toBe(0);
  });

  describeWith(["nfsplugin"], "with a CSI plugin", () => {
    test("that every client runs", async () => {
      await runPlugin(machines);
    });
  });

  test("each policy may what it is for, and no more", async () => {
    expect(await judgePolicies(machines)).toEqual([]);
  });

  test("a patch run is refused while the allocations of a client would not fit on the others", async () => {
    await machines.nomad("jobs", { method: "POST", body: { Job: BIG } });
    await until("three big allocations are healthy", 60, async () => {
      const { Status } = await machines.nomad<{ Status: string }>("job/big/deployment");
      return Status === "successful" || undefined;
    });
    const before = await state();
    const play = await machines.play("playbooks/patch_cluster.yml", [], patcher);
    for (const client of CLIENTS) {
      expect(text(play)).toMatch(
        new RegExp(
          `with ${client} drained, default/big.big\\[\\d\\] \\(\\w+\\) \\(100 MHz, 4000 MiB\\) fits on no other`,
        ),
      );
    }
    process.stderr.write(`${play.output.slice(play.output.indexOf("error: cluster:")).split("\n\n")[0]}\n`);
    expect(play.status).not.toBe(0);
    expect(Object.values(play.recap).map(({ changed }) => changed)).toEqual(Array(4).fill(0));
    expect(await state()).toEqual(before);
    await machines.nomad("job/big?purge=true", { method: "DELETE" });
  });

  test("a dry patch run ends well, says what it would do and changes nothing", async () => {
    installCanary(machines);
    const before = await state();
    const play = succeeded(await machines.play("playbooks/patch_cluster.yml", ["--check", "--diff"], patcher));
    expect(Object.values(play.recap).map(({ changed = 0 }) => changed > 0)).toEqual(Array(4).fill(true));
    for (const client of CLIENTS) expect(text(play)).toMatch(new RegExp(`${client} +1 +no +would be drained`));
    expect(await state()).toEqual(before);
  });

  test("an error on the second client stops a patch run, and the client is in service again", async () => {
    // The first of the clients is the machine that runs the playbook, and so the last.
    writeFileSync(join(machines.folder, "machine-id"), readFileSync("/etc/machine-id"));
    machines.copy(join(machines.folder, "machine-id"), "pinode1", "/etc/machine-id");
    for (const host of ["pinode1", "pinode2", "pinode3"]) machines.on(host, "touch /etc/canary-restarts");
    machines.on("pinode3", `touch ${SLOW}`);
    machines.on("pinode4", "touch /etc/canary-fails");
    const play = await machines.play("playbooks/patch_cluster.yml", [], patcher);
    expect(play.status).not.toBe(0);
    expect(text(play)).toContain("pinode4: «Upgrade the system and Docker.» failed");
    expect(text(play)).toContain("It is in service again and eligible");
    expect(versions()).toMatchObject({ pinode3: "1.1", pinode1: "1.0", pinode2: "1.0" });
    expect((await nodes()).map(({ SchedulingEligibility }) => SchedulingEligibility)).toEqual(
      Array(3).fill("eligible"),
    );
  });

  describeWith(["nfsplugin"], "of two clients with a CSI plugin", () => {
    test("the second was not begun before the plugin of the first was healthy", async () => {
      const [{ ID }, next] = [await node("pinode3"), await node("pinode4")];
      const healthy = Date.parse((await plugin(machines)).Nodes[ID]?.UpdateTime ?? "");
      expect(healthy - (await pluginStart("pinode3"))).toBeGreaterThan((SLOW_SECONDS - 5) * 1000);
      expect(Date.parse(next.LastDrain?.StartedAt ?? "")).toBeGreaterThan(healthy);
    });
  });

  test("the next patch run ends it, each stop was a clean one, and the summary says what it cost", async () => {
    machines.on("pinode4", "rm /etc/canary-fails");
    // A client with an older Nomad, in all that the playbook sees of it.
    const nomad = "/usr/local/bin/nomad";
    const older = `#!/bin/sh\n[ "$1" != version ] || { echo Nomad v2.0.4; exit; }\nexec ${nomad}.real "$@"\n`;
    writeFileSync(join(machines.folder, "older"), older, { mode: 0o755 });
    machines.on("pinode4", `mv ${nomad} ${nomad}.real`);
    machines.copy(join(machines.folder, "older"), "pinode4", nomad);
    const play = succeeded(await machines.play("playbooks/patch_cluster.yml", [], patcher));
    process.stderr.write(`${play.output.slice(play.output.indexOf("TASK [Summary.]"))}\n`);
    expect(versions()).toEqual(Object.fromEntries(machines.hosts.map((host) => [host, "1.1"])));
    expect(machines.on("pinode4", `${nomad} version`)).toBe(command("nomad", ["version"]));
    expect((await nodes()).map(({ SchedulingEligibility }) => SchedulingEligibility)).toEqual(
      Array(3).fill("eligible"),
    );
    const { starts, cleanStops } = journal(machines);
    process.stderr.write(`clean stops: ${cleanStops} of ${starts - 1}\n`);
    expect(cleanStops).toBe(starts - 1);
    expect(cleanStops).toBeGreaterThanOrEqual(2);
    expect(text(play)).toMatch(/HOST +PACKAGES +REBOOT +OUT OF SERVICE/);
    expect(text(play)).toMatch(/pinode3 +0 +no +nothing to do/);
    expect(text(play)).toMatch(/pinode2 +1 +yes +nothing runs here/);
    expect(text(play)).toMatch(/pinode1 +1 +due /);
    expect(text(play)).toContain("pinode1 runs this playbook, so it is not restarted from here");
    const [before, last] = [(await node("pinode4")).LastDrain, (await node("pinode1")).LastDrain];
    expect(Date.parse(last?.StartedAt ?? "")).toBeGreaterThan(Date.parse(before?.UpdatedAt ?? ""));
  });

  test("snapshots on the NAS bring Nomad back, secrets included", async () => {
    const secret = { Path: "wallet", Namespace: "default", Items: { password: "correct horse" } };
    await machines.nomad("var/wallet", { method: "PUT", body: secret });
    machines.on("pinode2", "systemctl start nomad-snapshot");
    const snapshot = readdirSync(machines.nas(SNAPSHOTS)).sort().at(-1) as string;
    expect(statSync(join(machines.nas(SNAPSHOTS), snapshot)).uid).toBe(3001);
    const token = readFileSync(machines.secret("nomad-bootstrap-token"), "utf8").trim();
    machines.on("pinode2", "systemctl stop nomad; rm -rf /var/lib/nomad/*; systemctl start nomad");
    await until("an empty Nomad takes its first token", 60, () =>
      machines.nomad("acl/bootstrap", { method: "POST", body: { BootstrapSecret: token } }),
    );
    await expect(machines.nomad("var/wallet")).rejects.toThrow("404");
    machines.on("pinode2", `NOMAD_TOKEN=${token} nomad operator snapshot restore /nas${SNAPSHOTS}/${snapshot}`);
    await until("the secret is readable", 60, async () => {
      const { Items } = await machines.nomad<{ Items: Record<string, string> }>("var/wallet");
      return Items.password === "correct horse" || undefined;
    });
    await until("the clients are back", 120, async () => {
      const back = (await nodes()).filter(({ Status }) => Status === "ready");
      return back.length === 3 || undefined;
    });
  });

  const versions = () =>
    Object.fromEntries(
      machines.hosts.map((host) => [host, machines.on(host, "dpkg-query --show --showformat='${Version}' canary")]),
    );

  /** What a run that changes nothing leaves as it is. */
  const state = async () => ({
    machines: machines.hosts.map((host) => machines.on(host, UNCHANGED)),
    nodes: (await nodes()).map(({ Name, SchedulingEligibility, LastDrain }) => [
      Name,
      SchedulingEligibility,
      LastDrain,
    ]),
    snapshots: readdirSync(machines.nas(SNAPSHOTS)),
    slow: journal(machines),
  });

  /** When, in ms since 1970, the CSI plugin of a client was last started. */
  const pluginStart = async (client: string) => {
    const all =
      await machines.nomad<{ NodeName: string; TaskStates: { plugin: { StartedAt: string } } }[]>(
        "job/csi-nfs-node/allocations",
      );
    return Math.max(
      ...all
        .filter(({ NodeName }) => NodeName === client)
        .map(({ TaskStates }) => Date.parse(TaskStates.plugin.StartedAt)),
    );
  };
});
