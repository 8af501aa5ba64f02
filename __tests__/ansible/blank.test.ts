import { createHash } from "node:crypto";
import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { command, until } from "../cluster/command";
import { describeWith } from "../tools";
import { Machines, type Play, succeeded, text } from "./machines";

const SNAPSHOTS = "/mnt/homelab-snapshots/nomad";

describeWith(["ansible", "docker", "debootstrap"], "four blank machines", () => {
  let machines: Machines;

  beforeAll(async () => {
    machines = await Machines.start();
    mkdirSync(machines.nas(SNAPSHOTS), { recursive: true });
    chownSync(machines.nas(SNAPSHOTS), 3001, 3001);
    // Nothing is installed here, so a name is enough.
    const binary = join(machines.folder, "nomad");
    writeFileSync(binary, "#!/bin/sh\n");
    const sha256 = createHash("sha256").update(readFileSync(binary)).digest("hex");
    machines.writeInventory({ common_nomad_binary: binary, common_nomad_binary_sha256: sha256 });
  });

  afterAll(async () => {
    await machines?.end();
  });

  const untouched = () => {
    for (const host of machines.hosts) machines.on(host, "! test -e /etc/nomad.d && ! test -e /usr/local/bin/nomad");
    expect(existsSync(machines.secret(""))).toBe(false);
  };

  test("a dry run ends well and changes nothing", async () => {
    const { recap } = succeeded(await machines.play("nomad_cluster.yml", ["--check", "--diff"]));
    expect(Object.values(recap).map(({ changed = 0 }) => changed > 5)).toEqual(Array(4).fill(true));
    untouched();
  });

  describe("are told before anything is changed of", () => {
    const refused = async (play: Play, message: string) => {
      expect(text(play)).toEqual(expect.stringContaining(message));
      expect(play.status).not.toBe(0);
      expect(Object.values(play.recap).map(({ changed }) => changed)).toEqual(Object.values(play.recap).map(() => 0));
      untouched();
    };

    const preflight: [title: string, variables: Record<string, unknown>, message: string][] = [
      ["a full disk", { common_preflight_min_free: "9999999MiB" }, "9999999 MiB are asked for [disk]"],
      ["fewer cores than is said", { nomad_cpu_cores: 64 }, "nomad_cpu_cores is 64, the machine has"],
      ["less memory than is said", { nomad_memory: "999GiB" }, "nomad_memory is 1022976 MiB, the machine has"],
      ["a database that does not answer", { postgres_port: 1 }, "PostgreSQL does not answer"],
    ];
    test.each(preflight)("%s", async (_title, variables, message) => {
      const play = await machines.play("playbooks/preflight.yml", ["-e", JSON.stringify(variables)]);
      await refused(play, message);
    });

    test("a machine that is off", async () => {
      command("docker", ["stop", machines.container("pinode4")]);
      const play = await machines.play("nomad_cluster.yml");
      command("docker", ["start", machines.container("pinode4")]);
      await until("pinode4 is on again", 60, () => machines.on("pinode4", "systemctl is-system-running || true"));
      await refused(
        play,
        "pinode4: not reachable, for the reason above. Switch the machine on, correct its address or its SSH key, or leave it out with --limit 'all:!pinode4'",
      );
    });

    test("a binary that is another", async () => {
      const play = await machines.play("nomad_cluster.yml", ["--check", "-e", "common_nomad_binary_sha256=00"]);
      expect(text(play)).toContain("common_nomad_binary_sha256 is 00");
      expect(play.status).not.toBe(0);
    });
  });

  test("exports are tried as their writers will use them", async () => {
    for (const host of machines.hosts) {
      machines.on(host, "apt-get update -q && apt-get install -qy --no-install-recommends nfs-common gnupg");
    }
    succeeded(await machines.play("playbooks/preflight.yml"));
    const cases: [variables: Record<string, unknown>, message: string][] = [
      [{ nas_address: "127.0.0.1" }, "127.0.0.1 does not answer on NFS's port 2049"],
      [{ nas_snapshot_export: "/mnt/none" }, "/mnt/none cannot be mounted with nfsvers=4.1,hard: mount.nfs: mounting"],
      [{ nomad_server_snapshot_user: 4002 }, "/mnt/homelab-snapshots/nomad is not writable for user 4002"],
    ];
    for (const [variables, message] of cases) {
      const play = await machines.play("playbooks/preflight.yml", ["-e", JSON.stringify(variables)]);
      expect(text(play)).toContain(message);
      expect(play.status).not.toBe(0);
    }
    for (const host of machines.hosts) expect(machines.on(host, "mount")).not.toContain("preflight-");
  });

  test("an error page or a stranger's key in place of HashiCorp's is refused", async () => {
    let answer = "<html>gateway timeout</html>";
    const server = createServer((_request, response) => response.end(answer));
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as { port: number };
    const args = ["-e", "common_nomad_binary=", "-e", `common_hashicorp_key_url=http://127.0.0.1:${port}/gpg`];
    try {
      const page = await machines.play("nomad_cluster.yml", args);
      expect(text(page)).toContain("it begins with «<html>gateway timeout</html>»");
      answer = machines.on(
        "pinode2",
        "gpg --batch --quiet --passphrase '' --quick-generate-key stranger 2>/dev/null; gpg --armor --export stranger",
      );
      const stranger = await machines.play("nomad_cluster.yml", args);
      expect(text(stranger)).toMatch(/it has the fingerprint [0-9A-F]{40}, validity/);
      expect([page.status, stranger.status]).not.toContain(0);
      untouched();
    } finally {
      server.close();
    }
  });
});
