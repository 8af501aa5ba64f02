import { chownSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { until } from "../cluster/command";
import { describeWith } from "../tools";
import { installCanary } from "./canary";
import { Machines, succeeded, text } from "./machines";
import { journal, runningOn, runSlowJob } from "./slow-job";

const CLIENTS = ["pinode1", "pinode3", "pinode4"];
const SNAPSHOTS = "/mnt/homelab-snapshots/nomad";

interface Node {
  readonly Name: string;
  readonly Datacenter: string;
  readonly Status: string;
  readonly SchedulingEligibility: string;
}

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

  test("blank machines become a cluster with access control", async () => {
    succeeded(await machines.play("nomad_cluster.yml"));
    const found = await nodes();
    expect(found.map(({ Name }) => Name).sort()).toEqual(CLIENTS);
    expect(found.every(({ Datacenter, Status }) => Datacenter === "homelab" && Status === "ready")).toBe(true);
    expect(statSync(machines.secret("nomad-bootstrap-token")).mode & 0o777).toBe(0o600);
    await expect(machines.nomad("jobs", { token: "" })).rejects.toThrow("403");
    const policies = await machines.nomad<{ Name: string }[]>("acl/policies");
    expect(policies.map(({ Name }) => Name).sort()).toEqual(["deployer", "patcher", "reader", "snapshotter"]);
    const body = { Name: "patching", Type: "client", Policies: ["patcher"] };
    patcher = (await machines.nomad<{ SecretID: string }>("acl/token", { method: "POST", body })).SecretID;
  });

  test("a second run changes nothing", async () => {
    const { recap } = succeeded(await machines.play("nomad_cluster.yml"));
    expect(Object.fromEntries(Object.entries(recap).map(([host, { changed }]) => [host, changed]))).toEqual(
      Object.fromEntries(machines.hosts.map((host) => [host, 0])),
    );
  });

  test("a cluster that works is changed node by node, and no task is killed", async () => {
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

  test("a kill timeout of a registered job above what clients honour stops a run", async () => {
    const figures = ["-e", "nomad_max_kill_timeout=1m", "-e", "common_cdktf_out=/nonexistent"];
    const play = await machines.play("nomad_cluster.yml", figures);
    expect(text(play)).toContain("default/slow, task slow may take 120 s to stop, nomad_max_kill_timeout is 60 s");
    expect(play.status).not.toBe(0);
  });

  test("an error on the second client stops a patch run, and the client is in service again", async () => {
    installCanary(machines);
    machines.on("pinode1", "touch /etc/canary-restarts");
    machines.on("pinode2", "touch /etc/canary-restarts");
    machines.on("pinode3", "touch /etc/canary-fails");
    const play = await machines.play("playbooks/patch_cluster.yml", [], patcher);
    expect(play.status).not.toBe(0);
    expect(text(play)).toContain("pinode3: «Upgrade the system and Docker.» failed");
    expect(text(play)).toContain("It is in service again and eligible");
    const versions = machines.hosts.map((host) => [host, canary(host)]);
    expect(Object.fromEntries(versions)).toMatchObject({ pinode1: "1.1", pinode2: "1.0", pinode4: "1.0" });
    expect((await nodes()).map(({ SchedulingEligibility }) => SchedulingEligibility)).toEqual(
      Array(3).fill("eligible"),
    );
  });

  test("the next patch run ends it, each stop was a clean one, and the summary says what it cost", async () => {
    machines.on("pinode3", "rm /etc/canary-fails");
    const play = succeeded(await machines.play("playbooks/patch_cluster.yml", [], patcher));
    process.stderr.write(`${play.output.slice(play.output.indexOf("TASK [Summary.]"))}\n`);
    for (const host of machines.hosts) expect(`${host} ${canary(host)}`).toBe(`${host} 1.1`);
    expect((await nodes()).map(({ SchedulingEligibility }) => SchedulingEligibility)).toEqual(
      Array(3).fill("eligible"),
    );
    const { starts, cleanStops } = journal(machines);
    process.stderr.write(`clean stops: ${cleanStops} of ${starts - 1}\n`);
    expect(cleanStops).toBe(starts - 1);
    expect(cleanStops).toBeGreaterThanOrEqual(2);
    expect(text(play)).toMatch(/HOST +PACKAGES +REBOOT +OUT OF SERVICE/);
    expect(text(play)).toMatch(/pinode1 +0 +no +nothing to do/);
    expect(text(play)).toMatch(/pinode2 +1 +yes +nothing runs here/);
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

  const canary = (host: string) => machines.on(host, "dpkg-query --show --showformat='${Version}' canary");
});
