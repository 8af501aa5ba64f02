import type { Task } from "../.gen/nomad/job";
import { fieldOf, type Writer, writersOf } from "./anatomy";
import { fenceGaps, secondInstances } from "./fence";
import { groupsOf, type Homelab } from "./homelab";
import type { Finding, Rule } from "./rule";

const MANY_WRITERS = "multi-node-multi-writer";

/** A task that ends before the main task starts, or starts after it ended, writes at another time. */
function isBesideTheMainTask({ Lifecycle }: Task): boolean {
  return !Lifecycle || Lifecycle.Sidecar === true || Lifecycle.Hook === "poststart";
}

function allowsManyWriters({ volumes, request }: Writer): boolean {
  const modes = volumes.length > 0 ? volumes.map(({ accessMode }) => accessMode) : [request.AccessMode];
  return modes.every((mode) => mode === MANY_WRITERS);
}

/** Who else writes the volume: another group, another request of the same group, another task. */
function others(writer: Writer, writers: readonly Writer[]): Finding[] {
  const { record, group, request, job } = writer;
  const at = { path: record.path, place: fieldOf(writer, "Volumes"), value: request.Source };
  const remedy = "let one task write, and the others mount the volume read-only";
  const earlier = writers
    .slice(0, writers.indexOf(writer))
    .find((other) => other.request.Source === request.Source && other.job.Namespace === job.Namespace);
  const tasks = writer.tasks.filter(isBesideTheMainTask).map(({ Name }) => Name);
  return [
    ...(earlier
      ? [
          {
            ...at,
            problem: `volume "${request.Source}" is written by ${earlier.record.path} (${earlier.group.Name}) already`,
            remedy,
          },
        ]
      : []),
    ...(tasks.length > 1
      ? [
          {
            ...at,
            problem: `volume "${request.Source}" is written by ${tasks.length} tasks of ${group.Name}: ${tasks.join(", ")}`,
            remedy,
          },
        ]
      : []),
  ];
}

/** A request that asks to write where the volume, or the request itself, says that nobody may. */
function readersOnly(homelab: Homelab): Finding[] {
  return writersOf(homelab).flatMap((writer) => {
    const modes = [...writer.volumes.map(({ accessMode }) => accessMode), writer.request.AccessMode];
    const mode = modes.find((one) => one?.endsWith("-reader-only"));
    if (!mode) return [];
    return [
      {
        path: writer.record.path,
        place: fieldOf(writer, "Volumes"),
        value: writer.request.Source,
        problem: `asks to write volume "${writer.request.Source}", whose access mode is ${mode}`,
        remedy: "set ReadOnly to true in the request",
      },
    ];
  });
}

/** What a volume holds (chain, index, funds) is always the database of one process. */
function manyWriters({ volumes }: Homelab): Finding[] {
  return volumes
    .filter(({ accessMode }) => accessMode === MANY_WRITERS)
    .map(({ path, holds }) => ({
      path,
      place: "accessMode",
      value: MANY_WRITERS,
      problem: `holds "${holds}", a database of one process, and Nomad would let any number write it`,
      remedy: 'set the prop `accessMode` to "multi-node-single-writer"',
    }));
}

export const singleWriter = {
  name: "single-writer",
  statement: "a volume has one writer: one task, one instance, and a fence against a second one when a machine is lost",
  check: (homelab) => {
    const writers = writersOf(homelab).filter((writer) => !allowsManyWriters(writer));
    const guarded = groupsOf(homelab).flatMap((place) => {
      const ids = writers.filter(({ group }) => group === place.group).map(({ request }) => request.Source);
      if (ids.length === 0) return [];
      const what = `volume ${ids.map((id) => `"${id}"`).join(" and ")}`;
      return [...secondInstances(place, what), ...fenceGaps(place, what)];
    });
    return [
      ...manyWriters(homelab),
      ...readersOnly(homelab),
      ...writers.flatMap((writer) => others(writer, writers)),
      ...guarded,
    ];
  },
} as const satisfies Rule;
