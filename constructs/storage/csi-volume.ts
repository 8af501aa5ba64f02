import { CsiVolumeRegistration } from "@cdktf/provider-nomad/lib/csi-volume-registration";
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import type { VolumeRequest } from "../../.gen/nomad/job";
import type { Holds, VolumeRecord } from "../../model/homelab";
import type { RemovalPolicy } from "../../nomad/nomad-job";
import type { RuleName } from "../../rules";
import { acknowledge, HomelabStack } from "../homelab-stack";
import type { NfsCsiPlugin } from "./nfs-csi-plugin";
import type { IVolume, VolumeContents } from "./volume";

/**
 * NFS options of every volume. `nfsvers=4.1`: sessions, and locks that the server gives up with the lease of a dead
 * client. `hard`: when the NAS is away, writes wait; `soft` would hand an I/O error to a database. `noatime`: reading
 * a block must not write.
 */
const MOUNT_FLAGS = ["nfsvers=4.1", "hard", "noatime"];

/**
 * Of a volume with backups. `soft`: no database is on it, and what copies there tries again; so a copy fails within half
 * a minute where with `hard` a sidecar of Alby Hub, and with it the stop of the hub, would hang for as long as the place
 * is away.
 */
const BACKUP_MOUNT_FLAGS = ["nfsvers=4.1", "soft", "timeo=100", "retrans=2", "noatime"];

export interface CsiVolumeProps extends VolumeContents {
  /** The plugin that mounts it. */
  readonly plugin: NfsCsiPlugin;
  /** Address of the NFS server. @default the inventory's `nas_address` */
  readonly server?: string;
  /** Absolute path of the export. @default the inventory's `nas_export_root` and the volume's name */
  readonly share?: string;
  /**
   * NFS mount options. What holds `backup` has `soft`, `timeo=100` and `retrans=2` in place of `hard`.
   *
   * @default ["nfsvers=4.1", "hard", "noatime"]
   */
  readonly mountFlags?: readonly string[];
  /** `destroy` lets Nomad forget the volume when it goes from the code; the data stays. @default that of the stack */
  readonly removalPolicy?: RemovalPolicy;
}

export interface ExistingVolumeProps extends VolumeContents {
  /**
   * The plugin that mounts it, when this stack runs it: a change of both is then applied plugin first.
   *
   * @default - the plugin is none of this stack's
   */
  readonly plugin?: NfsCsiPlugin;
}

/**
 * A folder on the NAS, registered in Nomad. Registered, not created: no Terraform run can delete what is in it.
 * Nomad cannot change mount options or access mode of a volume in use; stop its service first.
 *
 * @see https://registry.terraform.io/providers/hashicorp/nomad/latest/docs/resources/csi_volume_registration
 */
export class CsiVolume extends Construct implements IVolume {
  /**
   * A volume that lives in Nomad already: used, never managed. The way to adopt a running cluster without replacing
   * anything.
   */
  static fromVolumeId(scope: Construct, id: string, props: ExistingVolumeProps): ExistingVolume {
    return new ExistingVolume(scope, id, props);
  }

  readonly volumeId: string;
  readonly holds: Holds;
  readonly request: Omit<VolumeRequest, "Name">;
  readonly dependables: readonly ITerraformDependable[];
  readonly resource: CsiVolumeRegistration;

  constructor(scope: Construct, id: string, props: CsiVolumeProps) {
    super(scope, id);
    const stack = HomelabStack.of(this);
    const { nas } = stack.cluster;
    const retained = (props.removalPolicy ?? stack.removalPolicy) === "retain";
    const mountFlags = props.mountFlags ?? (props.holds === "backup" ? BACKUP_MOUNT_FLAGS : MOUNT_FLAGS);
    const source = { server: props.server ?? nas.address, share: props.share ?? `${nas.exportRoot}/${props.volumeId}` };
    if ("share" in props && props.share === undefined) {
      throw new Error(
        `${this.node.path}: share = undefined, which a variable is that the inventory lacks: set it there, or leave out ` +
          "this volume and the prop that takes it",
      );
    }
    if (!source.share.startsWith("/")) {
      throw new Error(
        `${this.node.path}: share = "${source.share}" must be an absolute path of the NFS server, such as /mnt/data`,
      );
    }
    const entry = register(this, props, { mountFlags, retained, source, managed: true });
    this.volumeId = props.volumeId;
    this.holds = props.holds;
    this.request = requestOf(entry);
    this.resource = new CsiVolumeRegistration(this, "Default", {
      volumeId: props.volumeId,
      name: props.volumeId,
      externalId: props.volumeId,
      pluginId: props.plugin.pluginId,
      namespace: stack.namespace.name,
      capability: [{ accessMode: entry.accessMode, attachmentMode: entry.attachmentMode }],
      context: source,
      mountOptions: { fsType: "nfs", mountFlags: [...mountFlags] },
      deregisterOnDestroy: !retained,
      lifecycle: { preventDestroy: retained },
      dependsOn: [...props.plugin.dependables],
    });
    this.dependables = [this.resource];
  }

  readOnly(): IVolume {
    return readOnly(this);
  }

  /** Accepts the findings of one rule at this volume, for a written reason. */
  acknowledge(rule: RuleName, reason: string): this {
    acknowledge(this, rule, reason);
    return this;
  }
}

class ExistingVolume extends Construct implements IVolume {
  readonly volumeId: string;
  readonly holds: Holds;
  readonly request: Omit<VolumeRequest, "Name">;
  readonly dependables: readonly ITerraformDependable[];

  constructor(scope: Construct, id: string, contents: ExistingVolumeProps) {
    super(scope, id);
    this.dependables = contents.plugin?.dependables ?? [];
    this.volumeId = contents.volumeId;
    this.holds = contents.holds;
    this.request = requestOf(register(this, contents, { mountFlags: [], retained: true, managed: false }));
  }

  readOnly(): IVolume {
    return readOnly(this);
  }

  /** Accepts the findings of one rule at this volume, for a written reason. */
  acknowledge(rule: RuleName, reason: string): this {
    acknowledge(this, rule, reason);
    return this;
  }
}

function register(
  volume: Construct,
  { volumeId, holds, accessMode, attachmentMode }: VolumeContents,
  rest: Pick<VolumeRecord, "mountFlags" | "retained" | "source" | "managed">,
): VolumeRecord {
  const { path } = volume.node;
  if (!/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(volumeId)) {
    throw new Error(`${path}: volumeId "${volumeId}" must be lower-case letters, digits and dashes between them`);
  }
  const stack = HomelabStack.of(volume);
  const entry: VolumeRecord = {
    path,
    namespace: stack.namespaceName,
    id: volumeId,
    holds,
    accessMode: accessMode ?? (holds === "backup" ? "multi-node-multi-writer" : "multi-node-single-writer"),
    attachmentMode: attachmentMode ?? "file-system",
    ...rest,
  };
  stack.volumes.push(entry);
  return entry;
}

function requestOf({ id, accessMode, attachmentMode }: VolumeRecord): Omit<VolumeRequest, "Name"> {
  return { Type: "csi", Source: id, ReadOnly: false, AccessMode: accessMode, AttachmentMode: attachmentMode };
}

function readOnly(volume: IVolume): IVolume {
  const reader: IVolume = {
    volumeId: volume.volumeId,
    holds: volume.holds,
    dependables: volume.dependables,
    request: { ...volume.request, ReadOnly: true },
    readOnly: () => reader,
  };
  return reader;
}
