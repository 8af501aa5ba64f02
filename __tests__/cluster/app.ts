import { readFileSync } from "node:fs";
import { App } from "cdktf";
import { Cluster } from "../../cluster/cluster";
import { AlbyHub, BitcoinNode, CsiVolume, Electrs, HomelabStack, NfsCsiPlugin } from "../../constructs";
import type { Holds } from "../../model/homelab";
import { Duration } from "../../nomad/duration";
import type { Settings } from "./project";

/** The fixture homelab on the test's cluster: the same constructs and defaults, stand-in images, and a stack that may go again. */
const { images, chain, metaVersion, firstStart, volumes, renderDelay, startDeadline }: Settings = JSON.parse(
  readFileSync("settings.json", "utf8"),
);
const app = new App();
const cluster = Cluster.fromInventory("inventory.yml");
const homelab = new HomelabStack(app, "homelab", { cluster, removalPolicy: "destroy" });
for (const rule of ["funds", "second-place"] as const) {
  homelab.acknowledge(rule, "a test's stack, on a network without a way out: there are no channels to lose");
}

const plugin = new NfsCsiPlugin(homelab, "csi-nfs", { image: images.nfs, metaVersion: metaVersion.plugin });
const volume = (volumeId: string, holds: Holds) =>
  volumes === "live"
    ? CsiVolume.fromVolumeId(homelab, volumeId, { volumeId, holds, plugin })
    : new CsiVolume(homelab, volumeId, { volumeId, holds, plugin });

const bitcoin = new BitcoinNode(homelab, "bitcoin", {
  image: images.bitcoin,
  metaVersion: metaVersion.bitcoin,
  chain,
  data: volume("bitcoin-data", "chain"),
});

const electrs = new Electrs(homelab, "electrs", {
  image: images.electrs,
  metaVersion: metaVersion.electrs,
  bitcoin,
  data: volume("electrs-data", "index"),
  busybox: images.busybox,
});

new AlbyHub(homelab, "albyhub", {
  image: images.hub,
  metaVersion: metaVersion.albyhub,
  electrs,
  data: volume("albyhub-data", "funds"),
  busybox: images.busybox,
  firstStart,
  ...(startDeadline && { startDeadline: Duration.seconds(startDeadline) }),
});

if (renderDelay) {
  const tasks = [bitcoin, electrs].flatMap(({ job }) => job.TaskGroups).flatMap(({ Tasks }) => Tasks);
  for (const template of tasks.flatMap(({ Templates }) => Templates ?? [])) {
    if (!template.DestPath?.startsWith("secrets/")) continue;
    const Min = Duration.seconds(renderDelay).toNanoseconds();
    template.Wait = { Min, Max: Min };
  }
}

app.synth();
