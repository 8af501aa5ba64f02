// Synthesizes N Bitcoin nodes on N machines: `node bench/services.mjs N FOLDER`. Needs `npm run build` first.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(import.meta.url);
const { App } = require("cdktf");
const { Cluster } = require("../dist/cluster/cluster.js");
const { BitcoinNode, CsiVolume, HomelabStack, NfsCsiPlugin } = require("../dist/constructs/index.js");

const [count, folder] = [Number(process.argv[2]), process.argv[3]];

// The fixture inventory, with a client for each service and two to spare: the plugin wants two while one is drained.
const fixture = new URL("../__tests__/fixtures/homelab/ansible/inventory.yml", import.meta.url);
const { parse, stringify } = require("yaml");
const document = parse(readFileSync(fixture, "utf8"));
const clients = document.all.children.nomad_clients;
const [first] = Object.values(clients.hosts);
clients.hosts = Object.fromEntries(
  Array.from({ length: count + 2 }, (_, i) => [`pi${i}`, { ...first, ansible_host: `pi${i}.local` }]),
);
writeFileSync(join(folder, "inventory.yml"), stringify(document));

const app = new App({ outdir: folder });
const cluster = Cluster.fromInventory(join(folder, "inventory.yml"));
const homelab = new HomelabStack(app, "homelab", { cluster });
const plugin = new NfsCsiPlugin(homelab, "csi-nfs", {
  image: "registry.k8s.io/sig-storage/nfsplugin:v4.13.4",
  metaVersion: 1,
});
for (let i = 0; i < count; i++) {
  const id = `bitcoin-${i}`;
  new BitcoinNode(homelab, id, {
    image: "bitcoin/bitcoin:31.1",
    metaVersion: 1,
    jobId: id,
    rpcPort: 20000 + 2 * i,
    p2pPort: 20001 + 2 * i,
    data: new CsiVolume(homelab, `${id}-data`, { volumeId: `${id}-data`, holds: "chain", plugin }),
  });
}
app.synth();
