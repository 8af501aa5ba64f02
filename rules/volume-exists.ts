import { groupsOf, type Homelab } from "../model/homelab";
import type { GroupPlace } from "../model/places";
import type { Finding, Rule } from "./rule";
import { breach } from "./shared/breach";

function judgeRequests({ volumes }: Homelab, place: GroupPlace): Finding[] {
  const ours = volumes.filter(({ namespace }) => namespace === place.job.Namespace);
  const csi = Object.entries(place.group.Volumes ?? {}).filter(([, { Type }]) => Type === "csi");
  return csi.flatMap(([name, { Source, AccessMode, AttachmentMode, PerAlloc }]) => {
    const known = ours.filter(({ id }) => id === Source);
    const modes = known.flatMap(({ path, accessMode, attachmentMode }) => [
      { path, field: "AccessMode", asked: AccessMode, offered: accessMode },
      { path, field: "AttachmentMode", asked: AttachmentMode, offered: attachmentMode },
    ]);
    return [
      ...breach(known.length === 0, place, `Volumes[${name}].Source`, {
        value: Source,
        problem: `is no volume of namespace ${place.job.Namespace}, where there are: ${ours.map(({ id }) => id).join(", ") || "none"}`,
        remedy: "name one of them, or declare it with CsiVolume or CsiVolume.fromVolumeId",
      }),
      ...modes.flatMap(({ path, field, asked, offered }) =>
        breach(asked !== offered, place, `Volumes[${name}].${field}`, {
          value: asked ?? "not set",
          problem: `volume "${Source}" (${path}) is registered as ${offered}, so Nomad never places the group`,
          remedy: `set ${field} to "${offered}"`,
        }),
      ),
      ...breach(PerAlloc === true, place, `Volumes[${name}].PerAlloc`, {
        value: "true",
        problem: `asks for a volume "${Source}[0]" instead of "${Source}"`,
        remedy: "take PerAlloc out",
      }),
    ];
  });
}

function judgeMounts(place: GroupPlace): Finding[] {
  const names = Object.keys(place.group.Volumes ?? {});
  return place.group.Tasks.flatMap((task) =>
    (task.VolumeMounts ?? []).flatMap(({ Volume, Destination }) =>
      breach(!names.includes(Volume), { ...place, task }, `VolumeMounts[${Destination}].Volume`, {
        value: Volume,
        problem: `the group requests no volume of that name, only: ${names.join(", ") || "none"}`,
        remedy: "mount a name of the group's Volumes",
      }),
    ),
  );
}

export const volumeExists = {
  name: "volume-exists",
  statement: "every requested volume exists in the job's namespace, with the same modes, and every mount is requested",
  check: (homelab) => groupsOf(homelab).flatMap((place) => [...judgeRequests(homelab, place), ...judgeMounts(place)]),
} as const satisfies Rule;
