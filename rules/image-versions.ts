import type { ClusterFigures, Homelab, TaskPlace } from "../model/homelab";
import { imagesOf } from "../model/places";
import { identify, isOf, type KnownImage, VERSIONS } from "../model/versions";
import { compareVersions, parseImage } from "../nomad/image";
import type { Finding, Rule } from "./rule";
import { breach } from "./shared/breach";

type Verdict = Pick<Finding, "problem" | "remedy" | "severity">;

/** A tag such as `30` stands for whichever 30.x was the newest when it was pulled. */
export function knownBad({ program, version }: KnownImage): Verdict[] {
  const row = VERSIONS.knownBad
    .filter((bad) => bad.program === program)
    .find((bad) => bad.version.every((part, at) => part === (version[at] ?? part)));
  if (!row || version.length === 0) return [];
  const name = `${program} ${row.version.join(".")}`;
  const problem = version.length < row.version.length ? `may stand for ${name}, which` : name;
  return [{ problem: `${problem} ${row.because}`, remedy: `set the prop \`image\` to ${row.use} (${row.source})` }];
}

/** A version that is given up, said as a warning: it works, and goes on working. */
function outdated({ program, version }: KnownImage): Verdict[] {
  return VERSIONS.outdated
    .filter((row) => row.program === program && version.length > 0 && compareVersions(version, row.below) < 0)
    .map(({ because, below, source }) => ({
      problem: `${program} ${version.join(".")} ${because}`,
      remedy: `plan for ${program} ${below.join(".")} or later (${source})`,
      severity: "warning",
    }));
}

/** An image of which this version has stopped working. */
export function stoppedWorking(image: string): Verdict[] {
  const { repository, version } = parseImage(image);
  return VERSIONS.stoppedWorking
    .filter((row) => row.repository.test(repository) && version.length > 0 && compareVersions(version, row.below) < 0)
    .map(({ because, below, source }) => ({
      problem: `${version.join(".")} ${because}`,
      remedy: `set the prop \`image\` to ${below.join(".")} or later (${source})`,
    }));
}

/** What a version does by itself and its configuration does not forbid, said as a warning. */
function unset(place: TaskPlace, { program, version }: KnownImage): Verdict[] {
  // What a construct configures reads files that it makes at its start.
  if (place.record.program) return [];
  return VERSIONS.unset
    .filter((row) => row.program === program && version.length > 0 && compareVersions(version, row.from) >= 0)
    .filter(({ setting }) => !setting.pattern.test(configurationOf(place)))
    .map(({ because, setting, source }) => ({
      problem: `${program} ${version.join(".")} ${because}`,
      remedy: `set ${setting.name} (${source})`,
      severity: "warning",
    }));
}

/** Programs that do not understand each other: this one is too old for another that the stack runs. */
function tooOldFor(homelab: Homelab, { program, version }: KnownImage): Verdict[] {
  return VERSIONS.tooOldFor
    .filter((row) => row.program === program && version.length > 0 && compareVersions(version, row.below) < 0)
    .flatMap(({ below, other, because, source }) =>
      imagesOf(homelab)
        .map((place) => ({ path: place.record.path, known: identify(place, place.image) }))
        .filter(({ known }) => known?.program === other.program && compareVersions(known.version, other.from) >= 0)
        .map(({ path, known }) => ({
          problem: `${program} ${version.join(".")} ${because}; ${path} runs ${known?.version.join(".")}`,
          remedy: `set the prop \`image\` to ${program} ${below.join(".")} or later (${source})`,
        })),
    );
}

/** Whether an image is built for another processor than the clients have; without figures they are Raspberry Pis. */
export function wrongArchitecture(image: string, { clients }: Pick<ClusterFigures, "clients">): Verdict[] {
  const reference = parseImage(image);
  const suits = (only: string) => clients.length > 0 && clients.every(({ arch }) => arch === only);
  return VERSIONS.wrongArchitecture
    .filter(({ only }) => !suits(only))
    .filter(({ repository, tag }) => isOf(reference, repository) && tag.test(reference.tag ?? ""))
    .map(({ only, source }) => ({
      problem: `is built for ${only} only and does not start on a Raspberry Pi (arm64)`,
      remedy: `set the prop \`image\` to the tag without -alpine (${source})`,
    }));
}

/** What configures a task, as far as it stands in its job. */
function configurationOf({ task }: TaskPlace): string {
  return [...(task.Templates ?? []).map(({ EmbeddedTmpl }) => EmbeddedTmpl), ...[task.Config.args ?? []].flat()].join(
    "\n",
  );
}

/**
 * Compares with the jobs that this one depends on; with every job where it names none that runs the program. An image
 * that was changed in the typed job, past its prop, leaves the configuration of the version before.
 */
export function requirements(homelab: Homelab, place: TaskPlace, image: KnownImage): Verdict[] {
  const { program, version } = image;
  const { job } = place;
  const needed = VERSIONS.requirements
    .filter((row) => row.program === program && compareVersions(version, row.from) >= 0)
    .flatMap(({ needs, gone, because, source, warning }): Verdict[] => {
      const all = imagesOf(homelab).flatMap((other) => {
        const known = identify(other, other.image);
        const isSet = needs.setting.pattern.test(configurationOf(other));
        return known?.program === needs.program
          ? [{ job: other.job, path: other.record.path, runs: known.version, isSet }]
          : [];
      });
      const named = all.filter((other) =>
        homelab.dependencies.some(({ from, on }) => from === job.ID && on === other.job.ID),
      );
      const needed = named.length > 0 ? named : all;
      const tooOld = needed.filter(({ runs }) => runs.length > 0 && compareVersions(runs, needs.version) < 0);
      const unset = needed.filter(({ isSet }) => !isSet);
      const wanted = `${needs.program} ${needs.version.join(".")} or later`;
      const byProp = "set the image by the prop `image` alone, from which the configuration follows";
      return [
        ...tooOld.map(({ path, runs }) => ({
          problem: `${program} ${version.join(".")} ${because}, so it needs ${wanted}; ${path} runs ${runs.join(".")}`,
          remedy: `set the prop \`image\` of ${path} to ${wanted} first, or stay with the older ${program} (${source})`,
        })),
        ...unset.map(({ path }) => ({
          problem: `${program} ${version.join(".")} ${because}, and ${path} is configured without ${needs.setting.name}`,
          remedy: `${byProp} (${source})`,
        })),
        ...(gone.pattern.test(configurationOf(place))
          ? [
              {
                problem: `${program} ${version.join(".")} knows ${gone.name} no more, which stands in its configuration`,
                remedy: `${byProp} (${source})`,
              },
            ]
          : []),
        {
          problem: `${program} ${version.join(".")} ${warning}`,
          remedy: `plan for it, then acknowledge this (${source})`,
          severity: "warning",
        },
      ];
    });
  return [...needed, ...tooOldFor(homelab, image)];
}

export const imageVersions = {
  name: "image-versions",
  statement: "no image is known to be bad or built for another processor, and versions that need each other match",
  check: (homelab) =>
    imagesOf(homelab).flatMap((place) => {
      const { image } = place;
      const known = identify(place, image);
      const verdicts = [
        ...wrongArchitecture(image, homelab.cluster),
        ...stoppedWorking(image),
        ...(known
          ? [...knownBad(known), ...requirements(homelab, place, known), ...outdated(known), ...unset(place, known)]
          : []),
      ];
      return verdicts.flatMap((verdict) => breach(true, place, "Config.image", { value: image, ...verdict }));
    }),
} as const satisfies Rule;
