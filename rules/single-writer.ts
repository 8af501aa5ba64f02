import { groupsOf, type Homelab } from "../model/homelab";
import { runsAlongsideMainTask, type Writer, writersOf } from "../model/places";
import { MANY_WRITERS } from "../nomad/volume";
import type { Finding, Rule } from "./rule";
import { breach } from "./shared/breach";
import { fenceGaps, secondInstances } from "./shared/fence";

/** The access modes that count: the volume's, or the request's own for a volume that nobody declares. */
function modesOf({ volumes, request }: Writer): (string | undefined)[] {
  return volumes.length > 0 ? volumes.map(({ accessMode }) => accessMode) : [request.AccessMode];
}

/** Who else writes the volume: another group, another request of the same group, another task. */
function otherWriters(writer: Writer, before: readonly Writer[]): Finding[] {
  const { group, request, job } = writer;
  const value = request.Source;
  const remedy = "let one task write, and the others mount the volume read-only";
  const other = before.find((one) => one.request.Source === value && one.job.Namespace === job.Namespace);
  const tasks = writer.tasks.filter(runsAlongsideMainTask).map(({ Name }) => Name);
  return [
    ...breach(other !== undefined, writer, "Volumes", {
      value,
      problem: `volume "${value}" is written by ${other?.record.path} (${other?.group.Name}) already`,
      remedy,
    }),
    ...breach(tasks.length > 1, writer, "Volumes", {
      value,
      problem: `volume "${value}" is written by ${tasks.length} tasks of ${group.Name}: ${tasks.join(", ")}`,
      remedy,
    }),
  ];
}

/** A request to write what the volume, or the request itself, says that nobody may write. */
function writingReaders(writer: Writer): Finding[] {
  const mode = [...modesOf(writer), writer.request.AccessMode].find((one) => one?.endsWith("-reader-only"));
  return breach(mode !== undefined, writer, "Volumes", {
    value: writer.request.Source,
    problem: `asks to write volume "${writer.request.Source}", whose access mode is ${mode}`,
    remedy: "set ReadOnly to true in the request",
  });
}

/**
 * What a volume holds (chain, index, funds) is always the database of one process. Backups are not: each job writes a
 * folder of its own there, and restic has locks of its own.
 */
function manyWriters({ volumes }: Homelab): Finding[] {
  return volumes
    .filter(({ accessMode, holds }) => accessMode === MANY_WRITERS && holds !== "backup")
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
  statement:
    "a volume that holds no backup has one writer: one task, one instance, and a fence against a second one when a machine is lost",
  check: (homelab) => {
    const writers = writersOf(homelab).filter((writer) => modesOf(writer).some((mode) => mode !== MANY_WRITERS));
    return [
      ...manyWriters(homelab),
      ...writers.flatMap(writingReaders),
      ...writers.flatMap((writer, at) => otherWriters(writer, writers.slice(0, at))),
      ...groupsOf(homelab).flatMap((place) => {
        const ids = writers.filter(({ group }) => group === place.group).map(({ request }) => `"${request.Source}"`);
        const what = `volume ${ids.join(" and ")}`;
        return ids.length > 0 ? [...secondInstances(place, what), ...fenceGaps(place, what)] : [];
      }),
    ];
  },
} as const satisfies Rule;
