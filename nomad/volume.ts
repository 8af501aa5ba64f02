import type { TaskGroup, VolumeRequest } from "../.gen/nomad/job";
import type { NomadClient } from "./client";
import { type AllocationStub, capability, ifThere } from "./live";

/** A CSI volume with its claims. Mount options are not told: Nomad hides them. */
export interface LiveVolume {
  readonly ID: string;
  readonly Namespace: string;
  readonly PluginID: string;
  readonly ExternalID?: string;
  readonly Context: Readonly<Record<string, string>> | null;
  readonly RequestedCapabilities: readonly { readonly AccessMode: string; readonly AttachmentMode: string }[] | null;
  readonly Schedulable: boolean;
  /** By the ids of the allocations that hold a claim. */
  readonly WriteAllocs: Readonly<Record<string, unknown>> | null;
  readonly ReadAllocs: Readonly<Record<string, unknown>> | null;
  readonly Allocations: readonly AllocationStub[] | null;
}

/** The access mode of a volume that Nomad lets any number of tasks write. */
export const MANY_WRITERS = "multi-node-multi-writer";

type Group = Pick<TaskGroup, "Volumes">;

/** A group's requests to write a volume that one alone may write. */
export function soleWrites({ Volumes }: Group): VolumeRequest[] {
  return Object.values(Volumes ?? {}).filter(
    ({ ReadOnly, AccessMode }) => ReadOnly !== true && AccessMode !== MANY_WRITERS,
  );
}

/** Ids of the CSI volumes that a job writes alone. */
export function writtenAlone({ TaskGroups = [] }: { readonly TaskGroups?: readonly Group[] }): string[] {
  const sources = TaskGroups.flatMap(soleWrites).flatMap(({ Type, Source }) =>
    Type === "csi" && Source ? [Source] : [],
  );
  return [...new Set(sources)];
}

/** A volume and its claims; undefined when it is not registered. */
export function volumeOf(client: NomadClient, id: string, namespace: string): Promise<LiveVolume | undefined> {
  return ifThere(
    client.get<LiveVolume>(["volume", "csi", id], { namespace, needs: capability("csi-read-volume", namespace) }),
  );
}
