import { chownSync, existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { describeWith } from "../tools";
import { installImage } from "./image";
import { Machines, type Play, succeeded } from "./machines";
import { type Repository, startRepository } from "./repository";
import { journal, runningOn, runSlowJob } from "./slow-job";

const HOSTS = ["pinode2", "pinode1", "pinode3"];
const SNAPSHOTS = "/mnt/homelab-snapshots/nomad";

/** Nomad from a package repository, on a server and two clients, at first without access control. */
describeWith(["ansible", "docker", "nomad", "debootstrap"], "a cluster without tokens, of packages", () => {
  let machines: Machines;
  let repository: Repository;
  const figures = (acl: boolean) => ({
    nomad_acl_enabled: acl,
    nomad_version: repository.version,
    common_nomad_binary: "",
    common_hashicorp_url: repository.url,
    common_hashicorp_key_url: repository.keyUrl,
    common_hashicorp_fingerprints: [repository.fingerprint],
  });
  const changes = ({ recap }: Play) => HOSTS.map((host) => recap[host]?.changed);

  beforeAll(async () => {
    machines = await Machines.start(HOSTS);
    mkdirSync(machines.nas(SNAPSHOTS), { recursive: true });
    chownSync(machines.nas(SNAPSHOTS), 3001, 3001);
    repository = await startRepository(machines, machines.gateway);
    machines.writeInventory(figures(false));
  });

  afterAll(async () => {
    repository?.end();
    await machines?.end();
  });

  test("is made with Nomad at the version of the inventory, held, and no token", async () => {
    succeeded(await machines.play("nomad_cluster.yml"));
    const nodes = await machines.nomad<{ Name: string; Status: string }[]>("nodes", { token: "" });
    expect(nodes.map(({ Name, Status }) => `${Name} ${Status}`).sort()).toEqual(["pinode1 ready", "pinode3 ready"]);
    for (const host of HOSTS) {
      expect(machines.on(host, "dpkg-query --show nomad; apt-mark showhold")).toBe(
        `nomad\t${repository.version}-1\nnomad\n`,
      );
    }
    expect(existsSync(machines.secret("nomad-bootstrap-token"))).toBe(false);
  });

  test("is not changed by a second run, and its snapshots need no token", async () => {
    expect(changes(succeeded(await machines.play("nomad_cluster.yml")))).toEqual([0, 0, 0]);
    machines.on("pinode2", "systemctl start nomad-snapshot");
    expect(readdirSync(machines.nas(SNAPSHOTS))).toHaveLength(1);
  });

  test("is patched as one with tokens is", async () => {
    installImage(machines);
    await runSlowJob(machines);
    const here = (await runningOn(machines)) as string;
    machines.on(here, "touch /run/reboot-required");
    const play = succeeded(await machines.play("playbooks/patch_cluster.yml"));
    expect(await runningOn(machines)).not.toBe(here);
    expect(journal(machines)).toEqual({ starts: 2, cleanStops: 1 });
    expect(play.output).toMatch(new RegExp(`${here} +0 +yes +slow \\d+ s \\(stop 6\\d s\\)`));
  });

  test("gets access control once the inventory says so, without a task that is killed", async () => {
    machines.writeInventory(figures(true));
    succeeded(await machines.play("nomad_cluster.yml"));
    expect((await machines.ask("nodes", { token: "" })).status).toBe(403);
    expect(statSync(machines.secret("nomad-bootstrap-token")).mode & 0o777).toBe(0o600);
    const { starts, cleanStops } = journal(machines);
    expect(cleanStops).toBe(starts - 1);
    expect(changes(succeeded(await machines.play("nomad_cluster.yml")))).toEqual([0, 0, 0]);
  });
});
