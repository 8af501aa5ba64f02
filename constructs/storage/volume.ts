import type { ITerraformDependable } from "cdktf";
import type { VolumeRequest } from "../../.gen/nomad/job";
import type { AccessMode, Holds } from "../../model/homelab";

/** What a service must know of a volume, whether it is registered here or lives already. */
export interface VolumeContents {
  /**
   * The volume's name in Nomad, and the name of its folder on the NAS. Changing it is another volume.
   * Lower-case letters, digits and dashes.
   */
  readonly volumeId: string;
  /** What is in it, which decides how strictly it is guarded: `chain`, `index`, `funds` or `backup`. */
  readonly holds: Holds;
  /**
   * @default "multi-node-single-writer": one task writes, others (a backup) only read. What holds `backup`:
   * "multi-node-multi-writer".
   */
  readonly accessMode?: AccessMode;
  /** @default "file-system" */
  readonly attachmentMode?: "file-system" | "block-device";
}

/** A volume as a service uses it: who mounts it, and what must be applied before. */
export interface IVolume {
  readonly volumeId: string;
  readonly holds: Holds;
  readonly dependables: readonly ITerraformDependable[];
  /** The request of a task group for this volume. */
  readonly request: Omit<VolumeRequest, "Name">;
  /** The same volume for a task that only reads, such as a backup beside the writer. */
  readOnly(): IVolume;
}
