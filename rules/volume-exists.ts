import { fieldOf, type GroupPlace } from "./anatomy";
import { groupsOf, type Homelab } from "./homelab";
import type { Finding, Rule } from "./rule";

function requests({ volumes }: Homelab, place: GroupPlace): Finding[] {
  const csi = Object.entries(place.group.Volumes ?? {}).filter(([, { Type }]) => Type === "csi");
  return csi.flatMap(([name, { Source, AccessMode, AttachmentMode, PerAlloc }]) => {
    const at = (field: string) => ({ path: place.record.path, place: fieldOf(place, `Volumes[${name}].${field}`) });
    const known = volumes.filter(({ id, namespace }) => id === Source && namespace === place.job.Namespace);
    const ids = volumes.filter(({ namespace }) => namespace === place.job.Namespace).map(({ id }) => id);
    const missing = {
      ...at("Source"),
      value: Source,
      problem: `is no volume of namespace ${place.job.Namespace}, where there are: ${ids.join(", ") || "none"}`,
      remedy: "name one of them, or declare it with CsiVolume or CsiVolume.fromVolumeId",
    };
    const perAlloc = {
      ...at("PerAlloc"),
      value: "true",
      problem: `asks for a volume "${Source}[0]" instead of "${Source}"`,
      remedy: "take PerAlloc out",
    };
    const mismatches = known.flatMap((volume) =>
      [
        { field: "AccessMode", asked: AccessMode, offered: volume.accessMode },
        { field: "AttachmentMode", asked: AttachmentMode, offered: volume.attachmentMode },
      ]
        .filter(({ asked, offered }) => asked !== offered)
        .map(({ field, asked, offered }) => ({
          ...at(field),
          value: asked ?? "not set",
          problem: `volume "${Source}" (${volume.path}) is registered as ${offered}, so Nomad never places the group`,
          remedy: `set ${field} to "${offered}"`,
        })),
    );
    return [...(known.length === 0 ? [missing] : []), ...mismatches, ...(PerAlloc ? [perAlloc] : [])];
  });
}

function mounts(place: GroupPlace): Finding[] {
  const names = Object.keys(place.group.Volumes ?? {});
  return place.group.Tasks.flatMap((task) =>
    (task.VolumeMounts ?? [])
      .filter(({ Volume }) => !names.includes(Volume))
      .map(({ Volume, Destination }) => ({
        path: place.record.path,
        place: fieldOf({ ...place, task }, `VolumeMounts[${Destination}].Volume`),
        value: Volume,
        problem: `the group requests no volume of that name, only: ${names.join(", ") || "none"}`,
        remedy: "mount a name of the group's Volumes",
      })),
  );
}

export const volumeExists = {
  name: "volume-exists",
  statement: "every requested volume exists in the job's namespace, with the same modes, and every mount is requested",
  check: (homelab) => groupsOf(homelab).flatMap((place) => [...requests(homelab, place), ...mounts(place)]),
} as const satisfies Rule;
