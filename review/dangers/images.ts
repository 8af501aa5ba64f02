import type { Job } from "../../.gen/nomad/job";
import type { ClusterFigures, Homelab, TaskPlace } from "../../model/homelab";
import { imagesOf } from "../../model/places";
import { identify, oneWaysBetween } from "../../model/versions";
import { compareImages, type ImageReference, parseImage } from "../../nomad/image";
import { callsOf } from "../../nomad/template-calls";
import { knownBad, requirements, stoppedWorking, wrongArchitecture } from "../../rules/image-versions";
import { VARIABLE_FUNCTIONS } from "../../rules/own-secret-path";
import { judgeImage } from "../../rules/pinned-image";
import type { Context } from "../context";
import { counterpart, writersBefore } from "../counterpart";
import type { Finding } from "../findings";
import type { Side } from "../stack";

type ImagePlace = TaskPlace & { readonly image: string };

/** What the images of a plan bring: versions that are bad, older, or of no return. */
export function images(context: Context): Finding[] {
  const { before, after, jobs } = context;
  const met = new Set(unmet(before.homelab).map(({ key }) => key));
  const open = unmet(after.homelab).filter(({ key }) => !met.has(key));
  return jobs.flatMap((one) => {
    const resource = one.change.address;
    const [old, now] = [placesOf(one.before?.shown, before), placesOf(one.after?.shown, after)];
    // One image of several tasks is told once.
    const told = new Set<string>();
    return now.flatMap((place) => {
      const subject = `job ${place.job.ID}`;
      const part = counterpart(place, place.job, one.before?.shown);
      const was = old.find(({ task }) => task === part?.task) ?? successorOf(place, before);
      const needs = open.filter(({ at }) => at.task === place.task);
      const findings = [
        ...(was?.image === place.image ? [] : compared(was, place, after.homelab.cluster)),
        ...needs.map(({ problem, remedy }) => ({
          finding: "version-requirement" as const,
          problem: `lacks what it needs: ${problem}`,
          remedy,
        })),
      ];
      return findings
        .filter(({ finding }) => !told.has(`${finding} ${place.image}`) && told.add(`${finding} ${place.image}`))
        .map((finding): Finding => ({ ...finding, resource, subject }));
    });
  });
}

/** A job may go and another come for the same data: what the older image wrote, the newer one meets. */
function successorOf(place: ImagePlace, before: Side): ImagePlace | undefined {
  const [is, to] = [identify(place, place.image), parseImage(place.image)];
  const writers = writersBefore(place, before).map(
    (one): ImagePlace => ({ ...one, image: one.task.Config.image ?? "" }),
  );
  return writers.find((old) => {
    const was = identify(old, old.image);
    return is && was ? is.program === was.program : parseImage(old.image).repository === to.repository;
  });
}

function placesOf(job: Job | undefined, side: Side): ImagePlace[] {
  const record = side.homelab.jobs.find((one) => one.job === job);
  return record ? imagesOf({ jobs: [record] }) : [];
}

function unmet(homelab: Homelab) {
  return imagesOf(homelab).flatMap((at) => {
    const known = identify(at, at.image);
    const broken = known ? requirements(homelab, at, known).filter(({ severity }) => severity !== "warning") : [];
    return broken.map(({ problem, remedy }) => ({ at, problem, remedy, key: `${at.job.ID} ${problem}` }));
  });
}

type Found = Pick<Finding, "finding" | "problem" | "remedy">;

/** Judges an image that is new, by itself and by the one it replaces. */
function compared(old: ImagePlace | undefined, place: ImagePlace, cluster: ClusterFigures): Found[] {
  const { image: now } = place;
  const known = identify(place, now);
  const bad = [...wrongArchitecture(now, cluster), ...stoppedWorking(now), ...(known ? knownBad(known) : [])].map(
    ({ problem, remedy }): Found => ({ finding: "image-known-bad", problem: `gets ${now}: ${problem}`, remedy }),
  );
  const name = judgeImage(now);
  const pin = name && name.severity !== "warning" ? name : undefined;
  const unpinned: Found[] = pin
    ? [
        {
          finding: "image-unpinned",
          problem: `gets ${now}, which ${pin.problem}`,
          remedy: pin.remedy ?? "name a version",
        },
      ]
    : [];
  return [...bad, ...unpinned, ...(old === undefined ? [] : versions(old, place, unpinned.length > 0))];
}

function versions(old: ImagePlace, now: ImagePlace, isTold: boolean): Found[] {
  const [from, to] = [parseImage(old.image), parseImage(now.image)];
  const [was, is] = [identify(old, old.image), identify(now, now.image)];
  const program = was && was.program === is?.program ? was.program : undefined;
  const replaced = (problem: string): Found[] =>
    isTrusted(now)
      ? [{ finding: "image-replaced", problem, remedy: "make sure that you know who built it, and from what" }]
      : [];
  // Another program altogether: its versions say nothing about those of the old one.
  if (!program && from.repository !== to.repository) {
    return replaced(`runs another program: ${old.image} becomes ${now.image}`);
  }
  // What somebody else publishes under a newer version is no upgrade; under the same digest it is the same image.
  const isElsewhere = from.repository !== to.repository && (!to.digest || to.digest !== from.digest);
  const elsewhere = isElsewhere ? replaced(`gets its image from elsewhere: ${old.image} becomes ${now.image}`) : [];
  const order = compareImages(to, from);
  const change = `goes from ${label(from)} to ${label(to)}`;
  if (order === undefined) {
    if (from.tag === to.tag && from.digest && from.digest !== to.digest && isTrusted(now)) {
      return replaced(`gets another image under the same tag: ${short(from)} becomes ${short(to)}`);
    }
    if (isTold) return elsewhere;
    const unread = [from, to].filter(({ version }) => version.length === 0).map(({ tag }) => `"${tag ?? ""}"`);
    const problem = `${change}: ${unread.join(" and ")} cannot be read as a version, so nobody can tell whether it goes back`;
    return [...elsewhere, { finding: "image-unreadable", problem, remedy: "use a tag that names a version" }];
  }
  if (order === 0) {
    const change = `${short(from)} becomes ${short(to)}`;
    if (from.tag !== to.tag) return replaced(`gets another variant of the same version: ${change}`);
    if (from.digest !== to.digest && from.digest) {
      const what = to.digest ? "gets another image under the same tag" : "loses the digest that says which image it is";
      return replaced(`${what}: ${change}`);
    }
    return elsewhere;
  }
  const rows = program ? oneWaysBetween(program, from.version, to.version) : [];
  const reasons = rows.map(({ since, because, source }) => `${program} ${since} ${because} (${source})`).join("; ");
  if (order > 0) {
    const problem = `${change}, and there is no way back: ${reasons}`;
    return rows.length > 0
      ? [...elsewhere, { finding: "one-way-upgrade", problem, remedy: "back up first" }]
      : elsewhere;
  }
  if (rows.length > 0) {
    const problem = `${change}, whose data it cannot read: ${reasons}`;
    return [
      ...elsewhere,
      { finding: "one-way-downgrade", problem, remedy: "stay with the newer version, and go forward" },
    ];
  }
  const remedy = "stay with the newer one, unless the release notes say that the older one reads what it has written";
  return [...elsewhere, { finding: "image-downgrade", problem: `${change}, an older version`, remedy }];
}

/** Whether what the image does cannot be undone: its group has a volume, it reads secrets, or it mounts for others. */
function isTrusted(place: ImagePlace): boolean {
  const { group, task } = place;
  const { volumes, mount, mounts } = task.Config;
  if (identify(place, place.image) || [volumes, mount, mounts].some((one) => [one ?? []].flat().length > 0))
    return true;
  const readsSecrets = (task.Templates ?? []).some((template) => callsOf(template, VARIABLE_FUNCTIONS).length > 0);
  return Object.keys(group.Volumes ?? {}).length > 0 || readsSecrets || task.CSIPluginConfig !== undefined;
}

function short({ tag, digest }: ImageReference): string {
  return [tag, digest?.slice(0, 19)].filter(Boolean).join("@");
}

function label({ tag, digest }: ImageReference): string {
  return tag ?? digest?.slice(0, 15) ?? "no tag";
}
