import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Testing } from "cdktf";
import type { Job } from "../.gen/nomad/job";
import {
  AlbyHub,
  Backup,
  type BackupProps,
  BitcoinNode,
  CsiVolume,
  Electrs,
  HomelabStack,
  NfsCsiPlugin,
} from "../constructs";
import type { AlbyHubProps } from "../constructs/alby-hub/alby-hub";
import type { BitcoinNodeProps } from "../constructs/bitcoin/node";
import type { ElectrsProps } from "../constructs/electrs/electrs";
import type { HomelabStackProps } from "../constructs/homelab-stack";
import type { CsiVolumeProps } from "../constructs/storage/csi-volume";
import type { NfsCsiPluginProps } from "../constructs/storage/nfs-csi-plugin";
import type { HomelabOutput } from "../model/homelab";
import { fromJobspec } from "../nomad/jobspec";
import { testCluster } from "./cluster-fixture";

export const BUSYBOX = "busybox:1.37.0-musl";

/** What a test may change of the whole homelab. */
export interface Changes {
  readonly stack?: Partial<HomelabStackProps>;
  readonly plugin?: Partial<NfsCsiPluginProps>;
  readonly bitcoinData?: Partial<CsiVolumeProps>;
  readonly bitcoin?: Partial<BitcoinNodeProps>;
  readonly electrsData?: Partial<CsiVolumeProps>;
  readonly electrs?: Partial<ElectrsProps>;
  readonly albyHubData?: Partial<CsiVolumeProps>;
  readonly albyHub?: Partial<AlbyHubProps>;
  /** A volume for backups, to which the hub's channel backups go. @default - none */
  readonly backup?: Partial<CsiVolumeProps>;
}

/** The fixture homelab on the test's cluster, with changes. */
export function buildHomelab(changes: Changes = {}) {
  const stack = new HomelabStack(Testing.app(), "homelab", { cluster: testCluster(), ...changes.stack });
  const plugin = new NfsCsiPlugin(stack, "csi-nfs", {
    image: "registry.k8s.io/sig-storage/nfsplugin:v4.13.4",
    metaVersion: 1,
    ...changes.plugin,
  });
  const volume = (id: string, holds: CsiVolumeProps["holds"], change?: Partial<CsiVolumeProps>) =>
    new CsiVolume(stack, id, { volumeId: id, holds, plugin, ...change });
  const bitcoinData = volume("bitcoin-data", "chain", changes.bitcoinData);
  const bitcoin = new BitcoinNode(stack, "bitcoin", {
    image: "bitcoin/bitcoin:31.1",
    metaVersion: 1,
    data: bitcoinData,
    ...changes.bitcoin,
  });
  const electrsData = volume("electrs-data", "index", changes.electrsData);
  const electrs = new Electrs(stack, "electrs", {
    image: "getumbrel/electrs:v0.11.1",
    metaVersion: 1,
    bitcoin,
    data: electrsData,
    busybox: BUSYBOX,
    ...changes.electrs,
  });
  const second = changes.backup && volume("backup", "backup", changes.backup);
  const albyHubData = volume("albyhub-data", "funds", changes.albyHubData);
  const albyHub = new AlbyHub(stack, "albyhub", {
    image: "ghcr.io/getalby/hub:v1.24.0",
    metaVersion: 1,
    electrs,
    data: albyHubData,
    busybox: BUSYBOX,
    ...(second && { channelBackups: second }),
    ...changes.albyHub,
  });
  return { stack, plugin, bitcoinData, bitcoin, electrsData, electrs, albyHubData, albyHub, second };
}

/** Synthesizes as the CLI does, with all validations, and reads back what was written. */
export function synthesize(stack: HomelabStack) {
  const outdir = Testing.fullSynth(stack);
  const file = readFileSync(join(outdir, "stacks", stack.node.id, "cdk.tf.json"), "utf8");
  const config = JSON.parse(file);
  const jobs: Record<string, Job> = {};
  for (const { jobspec } of Object.values<{ jobspec: string }>(config.resource.nomad_job ?? {})) {
    const job = fromJobspec(jobspec);
    jobs[job.ID] = job;
  }
  return { config, jobs, output: config.output.homelab.value as HomelabOutput };
}

/** The text of a template of a task, by its destination. */
export function templateOf(job: Job | undefined, destination: string, task = 0): string {
  const found = job?.TaskGroups[0]?.Tasks[task]?.Templates?.find(({ DestPath }) => DestPath === destination);
  if (!found?.EmbeddedTmpl) throw new Error(`no template ${destination}`);
  return found.EmbeddedTmpl;
}

/** Adds what the fixture homelab has of backups to one that was built with a volume for them, with changes. */
export function addBackup(built: ReturnType<typeof buildHomelab>, changes: Partial<BackupProps> = {}) {
  const { stack, plugin, bitcoin, electrs, albyHub, second } = built;
  const volume = (volumeId: string, more: Partial<CsiVolumeProps> = {}) =>
    new CsiVolume(stack, volumeId, { volumeId, holds: "backup", plugin, ...more });
  const backupVolume = second ?? volume("backup");
  const share = stack.cluster.nas.snapshotExport;
  const backup = new Backup(stack, "backup-jobs", {
    image: "restic/restic:0.18.1",
    postgresImage: "postgres:17.6",
    metaVersion: 1,
    volume: backupVolume,
    ...(share && { snapshots: volume("nomad-snapshots", { accessMode: "multi-node-reader-only", share }) }),
    sets: [bitcoin.backupSet, electrs.backupSet, albyHub.backupSet],
    ...changes,
  });
  return { ...built, backupVolume, backup };
}
