import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Job } from "../../.gen/nomad/job";
import { describeWith } from "../tools";
import { command, until } from "./command";
import { homelab as program, type Ran } from "./command-line";
import { Homelab, NAMESPACE, testOn, VOLUMES } from "./homelab";
import { type Role, roleTokens } from "./policies";

/** A CSI plugin as its owner wrote it. */
const PLUGIN = (type: "controller" | "node", image: string) => `job "csi-nfs-${type}" {
  datacenters = ["homelab"]
  type        = "${type === "node" ? "system" : "service"}"
  group "${type}" {
    network {
      mode = "host"
    }
    task "plugin" {
      driver = "docker"
      config {
        image        = "${image}"
        args         = ["--nodeid=\${attr.unique.hostname}", "--endpoint=unix:///csi/csi.sock"]
        privileged   = true
        network_mode = "host"
      }
      csi_plugin {
        id        = "nfs"
        type      = "${type}"
        mount_dir = "/csi"
      }
      resources {
        cpu    = 100
        memory = 128
      }
    }
  }
}`;

/** A live NFS volume: without an external id, as they often are. */
const VOLUME = (id: string, server: string, share: string) => `id        = "${id}"
name      = "${id}"
namespace = "${NAMESPACE}"
type      = "csi"
plugin_id = "nfs"
capability {
  access_mode     = "multi-node-single-writer"
  attachment_mode = "file-system"
}
context {
  server = "${server}"
  share  = "${share}"
}
mount_options {
  fs_type = "nfs"
}`;

/** bitcoind as its owner ran it: less memory, a short kill timeout, no fence. */
const BITCOIN = (image: string, conf: string) => `job "bitcoin" {
  namespace   = "${NAMESPACE}"
  datacenters = ["homelab"]
  group "bitcoin" {
    network {
      mode = "bridge"
      port "rpc" {
        static = 8332
        to     = 8332
      }
    }
    volume "data" {
      type            = "csi"
      source          = "bitcoin-data"
      access_mode     = "multi-node-single-writer"
      attachment_mode = "file-system"
    }
    service {
      name     = "bitcoin-rpc"
      port     = "rpc"
      provider = "nomad"
    }
    task "bitcoind" {
      driver       = "docker"
      user         = "3001:3001"
      kill_timeout = "2m"
      config {
        image      = "${image}"
        entrypoint = ["bitcoind"]
        args       = ["-datadir=/data", "-conf=/secrets/bitcoin.conf"]
      }
      volume_mount {
        volume      = "data"
        destination = "/data"
      }
      template {
        destination = "secrets/bitcoin.conf"
        change_mode = "noop"
        uid         = 3001
        gid         = 3001
        data        = <<EOT
${conf}EOT
      }
      resources {
        cpu    = 1000
        memory = 2048
      }
    }
  }
}`;

describeWith(["nomad", "provider", "terraform", "docker", "go"], "homelab adopt on a homelab that ran by hand", () => {
  let lab: Homelab;
  let tokens: Map<Role, string>;

  const adopt = (...args: string[]): Promise<Ran> =>
    program(lab.project.folder, ["adopt", ...args], { token: tokens.get("reader") ?? "" });
  const byHand = (name: string, hcl: string, ...args: string[]) => {
    const file = join(lab.project.folder, `${name}.hcl`);
    writeFileSync(file, hcl);
    const env = { NOMAD_ADDR: lab.nomad.api.address, NOMAD_TOKEN: lab.project.token };
    return command("nomad", [...args, file], { env });
  };

  beforeAll(async () => {
    lab = await Homelab.start();
    tokens = await roleTokens((path, body) => lab.nomad.api.put(path, body));
    await lab.nomad.api.put(`namespace/${NAMESPACE}`, { Name: NAMESPACE });
    await lab.writeSecrets(["bitcoin", "electrs", "albyhub"]);
    await lab.project.synth();
    const { nfs, bitcoin } = lab.images;
    for (const type of ["controller", "node"] as const) byHand(type, PLUGIN(type, nfs), "job", "run", "-detach");
    await until("the plugin is healthy", 120, async () => {
      const { NodesHealthy, ControllersHealthy } = await lab.nomad.api.get<Record<string, number>>("plugin/csi/nfs");
      return (NodesHealthy === lab.cluster.clients.length && ControllersHealthy === 1) || undefined;
    });
    const { address, exportRoot } = lab.cluster.nas;
    for (const id of VOLUMES) byHand(id, VOLUME(id, address, `${exportRoot}/${id}`), "volume", "register");
    const [template] = (lab.project.jobs().bitcoin as Job).TaskGroups[0]?.Tasks[0]?.Templates ?? [];
    byHand("bitcoin", BITCOIN(bitcoin, template?.EmbeddedTmpl ?? ""), "job", "run", "-detach");
    await lab.nomad.api.running("bitcoin", NAMESPACE, 120);
  });

  afterAll(async () => {
    await lab?.end();
  });

  const step = (name: string, body: () => Promise<void>) => testOn(() => lab, name, body);

  step("says which volumes would be replaced, what to write in main.ts instead, and stops", async () => {
    const { code, out } = await adopt("--write");
    process.stderr.write(out);
    expect(code).toBe(2);
    expect(out).toMatch(/^homelab: must not be adopted so: something would be destroyed or replaced\n/);
    for (const id of VOLUMES) {
      expect(out).toContain(`  nomad_csi_volume_registration.${id}: delete and create because of external_id\n`);
      expect(out.replaceAll(/\s+/g, " ")).toContain(
        `in main.ts refer to it instead of registering it: CsiVolume.fromVolumeId(homelab, "${id}", { volumeId: "${id}", holds: …, plugin })`,
      );
    }
    expect(out).not.toContain("terraform -chdir");
    expect(existsSync(join(lab.project.folder, "cdktf.out/stacks/homelab/imports.tf.json"))).toBe(false);
  });

  step("with volumes that are referred to, replaces nothing, and names what a deploy would change", async () => {
    lab.project.change({ volumes: "live" });
    await lab.project.synth();
    const { code, out } = await adopt();
    process.stderr.write(out);
    expect(code).toBe(0);
    expect(out).toMatch(/^homelab: can be adopted: nothing is destroyed, nothing replaced\n/);
    expect(out).toMatch(/job bitcoin in namespace bitcoin: registering it as written would restart bitcoin\n/);
    expect(out).toMatch(/bitcoin\/bitcoind KillTimeout +live 2m +code 15m\n/);
    expect(out).toMatch(/job electrs in namespace bitcoin: is not in Nomad; .* would start 1 of electrs/);
    expect(out).toMatch(/import nomad_job\.bitcoin bitcoin@bitcoin\n/);
    expect(out).toMatch(/import nomad_job\.csi-nfs_\S+ csi-nfs-node@default\n/);
    expect(out).not.toContain("import nomad_csi_volume");
  });

  step(
    "leaves import blocks with which a deploy takes it over: nothing destroyed, one writer all the while",
    async () => {
      const { code, out } = await adopt("--write", "--json");
      const { written, imports } = JSON.parse(out);
      expect([code, existsSync(written)]).toEqual([0, true]);
      const deployed = await lab.project.deploy();
      expect(deployed).toMatch(new RegExp(`${imports.length} imported, \\d+ added, \\d+ changed, 0 destroyed`));
      await lab.setUpHub();
      await lab.well();
      const events = VOLUMES.flatMap((volume) => lab.journal(volume).map(({ event }) => event));
      expect(events).not.toContain("second-writer");
      expect(events).not.toContain("unclean-stop");
      expect((await program(lab.project.folder, ["drift"], { token: tokens.get("reader") ?? "" })).out).toMatch(
        /: as the code says\n$/,
      );
      expect(await lab.project.plan()).toContain("No changes");
    },
  );
});
