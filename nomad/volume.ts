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

/** A volume and its claims; undefined when it is not registered. */
export function volumeOf(client: NomadClient, id: string, namespace: string): Promise<LiveVolume | undefined> {
  return ifThere(
    client.get<LiveVolume>(["volume", "csi", id], { namespace, needs: capability("csi-read-volume", namespace) }),
  );
}
