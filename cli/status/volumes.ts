import type { VolumeRecord } from "../../model/homelab";
import type { NomadClient } from "../../nomad/client";
import { ifThere, isLive } from "../../nomad/live";
import { type LiveVolume, volumeOf } from "../../nomad/volume";
import type { Mood } from "../shared/mood";

/** A volume and who holds a claim to it. */
export interface VolumeView {
  readonly id: string;
  readonly namespace: string;
  /** `node allocation` of each claim to write, and to read. */
  readonly writers: readonly string[];
  readonly readers: readonly string[];
  readonly mood: Mood;
  readonly problem?: string;
}

/** A CSI plugin; `controllers` and `nodes` are such as `2 of 3`. */
export interface PluginView {
  readonly id: string;
  readonly controllers: string;
  readonly nodes: string;
  readonly mood: Mood;
}

interface LivePlugin {
  readonly ControllersHealthy: number;
  readonly ControllersExpected: number;
  readonly NodesHealthy: number;
  readonly NodesExpected: number;
}

/** A CSI plugin, and how much of it is healthy. */
export async function pluginView(client: NomadClient, id: string): Promise<PluginView> {
  const needs = 'the policy "read" for plugin';
  const live = await ifThere(client.get<LivePlugin>(["plugin", "csi", id], { needs }));
  if (!live) return { id, controllers: "0", nodes: "0", mood: "bad" };
  const { ControllersHealthy, ControllersExpected, NodesHealthy, NodesExpected } = live;
  const dead = NodesHealthy === 0 || (ControllersExpected > 0 && ControllersHealthy === 0);
  const whole = NodesHealthy >= NodesExpected && ControllersHealthy >= ControllersExpected;
  return {
    id,
    controllers: countText(ControllersHealthy, ControllersExpected),
    nodes: countText(NodesHealthy, NodesExpected),
    mood: dead ? "bad" : whole ? "good" : "waiting",
  };
}

/** Nomad goes on counting what was healthy on a machine that is away, and expects nothing of it. */
function countText(healthy: number, expected: number): string {
  return `${Math.min(healthy, expected)} of ${expected}`;
}

/** A volume, and whether its claims are as they should be. */
export async function volumeView(
  client: NomadClient,
  { id, namespace, accessMode }: Pick<VolumeRecord, "id" | "namespace" | "accessMode">,
): Promise<VolumeView> {
  const at = { id, namespace };
  const live = await volumeOf(client, id, namespace);
  if (!live) return { ...at, writers: [], readers: [], mood: "bad", problem: "is not registered: deploy it" };
  const claims = (allocations: LiveVolume["WriteAllocs"]) =>
    Object.keys(allocations ?? {}).map((allocation) => {
      const found = live.Allocations?.find(({ ID }) => ID === allocation);
      return { text: `${found?.JobID ?? "?"} on ${found?.NodeName ?? "a machine that is gone"}`, found };
    });
  const writers = claims(live.WriteAllocs);
  // Where several may write, one that ends beside the others keeps nobody out.
  const shared = accessMode === "multi-node-multi-writer";
  const stuck = shared ? [] : writers.filter(({ found }) => !found || !isLive(found));
  const problem =
    writers.length > 1 && !shared
      ? `${writers.length} claims to write`
      : stuck.length > 0
        ? "claimed by an allocation that has ended"
        : live.Schedulable
          ? undefined
          : "cannot be mounted now: its plugin is not healthy";
  return {
    ...at,
    writers: writers.map(({ text }) => text),
    readers: claims(live.ReadAllocs).map(({ text }) => text),
    mood: problem ? "bad" : "good",
    ...(problem && { problem }),
  };
}
