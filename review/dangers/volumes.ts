import { VOLUME_TYPES } from "../../model/read-stack";
import type { Values } from "../../model/values";
import type { Context } from "../context";
import { at, differing, text } from "../diff";
import type { Finding } from "../findings";
import type { Change } from "../plan";

/** Attributes that say who may mount a volume, and how. */
const MODES = ["capability", "access_mode", "attachment_mode"];

/** Attributes that say what a volume is. Nomad keeps them while it is in use, and refuses the change. */
const PARAMETERS = [
  "context",
  "parameters",
  "mount_options",
  "secrets",
  "plugin_id",
  "external_id",
  "name",
  "capacity_min",
  "capacity_max",
  "topology_request",
];

const OWNER_ONLY = { ownerOnly: true } as const;

/** What changes of volumes, and of what keeps volumes and jobs when they go from the code. */
export function volumes({ plan, before, after }: Context): Finding[] {
  // Of a volume that nobody knows the contents of, the worst is taken for granted.
  const isPrecious = ({ address }: Change) =>
    [...before.volumes, ...after.volumes].some(
      (one) => one.address === address && (one.holds === undefined || one.holds === "funds"),
    );
  return plan.changes.flatMap((change) => [
    ...(VOLUME_TYPES.includes(change.type)
      ? changed(moved(change, plan.changes)).map((finding) => ({ ...finding, ...(isPrecious(change) && OWNER_ONLY) }))
      : []),
    ...protection(change),
  ]);
}

/** A volume that is registered under another address in Terraform is the same volume. */
function moved(change: Change, changes: readonly Change[]): Change {
  const { after } = change;
  if (change.before || !after) return change;
  const same = changes.find(
    ({ type, before }) =>
      VOLUME_TYPES.includes(type) && before?.volume_id === after.volume_id && before?.namespace === after.namespace,
  );
  return same?.before ? { ...change, before: same.before } : change;
}

function changed({ address, before, after, hiddenChange }: Change): Finding[] {
  if (!before || !after) return [];
  const subject = `volume ${text("", after.volume_id ?? before.volume_id) ?? "without an ID"}`;
  const told = (names: readonly string[]) =>
    names.flatMap((name) => {
      const differs = differing(before[name], after[name], name);
      return differs.map((path) => `${path} ${shown(before, path)} → ${shown(after, path)}`);
    });
  const [modes, parameters] = [told(MODES), told(PARAMETERS)];
  if (hiddenChange) parameters.push("a value that Terraform marks as sensitive");
  const findings: Finding[] = [];
  if (modes.length > 0) {
    findings.push({
      finding: "access-mode",
      resource: address,
      subject,
      problem: `may be mounted otherwise: ${modes.join("; ")}`,
      remedy: "stop its service first: Nomad refuses the change while the volume is in use",
    });
  }
  if (parameters.length > 0) {
    findings.push({
      finding: "volume-parameters",
      resource: address,
      subject,
      problem: `becomes another: ${parameters.join("; ")}`,
      remedy: "stop its service first, and make sure that its data is where it will then look",
    });
  }
  return findings;
}

function shown(values: Values, path: string): string {
  return text(path, at(values, path)) ?? "not set";
}

function protection({ address, type, before, after }: Change): Finding[] {
  if (!before || !after || (type !== "nomad_job" && !VOLUME_TYPES.includes(type))) return [];
  const lost = ["deregister_on_destroy", "deregister_on_id_change", "purge_on_destroy"].filter(
    (name) => before[name] === false && after[name] === true,
  );
  if (lost.length === 0) return [];
  return [
    {
      finding: "protection-lowered",
      resource: address,
      subject: address,
      problem: `loses its protection: ${lost.map((name) => `${name} becomes true`).join(", ")}, so Nomad stops or forgets it when it goes from the code`,
      remedy: 'leave removalPolicy at "retain"',
    },
  ];
}
