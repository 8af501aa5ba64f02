import { App } from "cdktf";
import { Cluster } from "./cluster/cluster";
import { AlbyHub, Backup, BitcoinNode, CsiVolume, Electrs, HomelabStack, NfsCsiPlugin } from "./constructs";

const app = new App();
const cluster = Cluster.fromInventory("ansible/inventory.yml");
const homelab = new HomelabStack(app, "homelab", { cluster });
const busybox = "busybox:1.37.0-musl";

const plugin = new NfsCsiPlugin(homelab, "csi-nfs", {
  image: "registry.k8s.io/sig-storage/nfsplugin:v4.13.4",
  metaVersion: 1,
});

const bitcoin = new BitcoinNode(homelab, "bitcoin", {
  image: "bitcoin/bitcoin:31.1",
  metaVersion: 1,
  data: new CsiVolume(homelab, "bitcoin-data", { volumeId: "bitcoin-data", holds: "chain", plugin }),
});

const electrs = new Electrs(homelab, "electrs", {
  image: "getumbrel/electrs:v0.11.1@sha256:f1d5d4e431d39e0aaa0697014d2852880183e350ffcad612edb87183f0c11b25",
  metaVersion: 1,
  bitcoin,
  data: new CsiVolume(homelab, "electrs-data", { volumeId: "electrs-data", holds: "index", plugin }),
  busybox,
});

const backup = new CsiVolume(homelab, "backup", { volumeId: "backup", holds: "backup", plugin });

const albyHub = new AlbyHub(homelab, "albyhub", {
  image: "ghcr.io/getalby/hub:v1.24.0@sha256:0227bdc79afd20eb689c922c96cf0546576b608c5cbb07b13658956d54e8133d",
  metaVersion: 1,
  electrs,
  data: new CsiVolume(homelab, "albyhub-data", { volumeId: "albyhub-data", holds: "funds", plugin }),
  channelBackups: backup,
  busybox,
});

new Backup(homelab, "backup-jobs", {
  image: "restic/restic:0.18.1",
  postgresImage: "postgres:17.6",
  metaVersion: 1,
  volume: backup,
  sets: [bitcoin.backupSet, electrs.backupSet, albyHub.backupSet],
  snapshots: new CsiVolume(homelab, "nomad-snapshots", {
    volumeId: "nomad-snapshots",
    holds: "backup",
    plugin,
    share: cluster.nas.snapshotExport,
    accessMode: "multi-node-reader-only",
  }),
});

// The NAS holds the funds and every copy of them, so all are lost with it. docs/backups.md shows the way to a second
// place: a `repository` elsewhere, above. Take this out once the backup goes there.
albyHub.acknowledge("second-place", "the NAS is the only server so far; losing it means losing the channels");

app.synth();
