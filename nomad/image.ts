/**
 * An image with a tag, and best with a digest too: `bitcoin/bitcoin:31.1` or `name:tag@sha256:…`. A name without a tag
 * does not type-check; what a tag may be called is the business of the rule `pinned-image`.
 */
export type PinnedImage = `${string}:${string}`;

/** The parts of an image reference, as Docker reads them. */
export interface ImageReference {
  /** Registry host and path without tag and digest, for example `ghcr.io/getalby/hub`. */
  readonly repository: string;
  /** Without the colon; absent when the reference has none. */
  readonly tag?: string;
  /** `sha256:…`, absent when the reference has none. */
  readonly digest?: string;
  /** The numbers at the start of the tag, `v0.11.1-foo` gives [0, 11, 1]; empty when the tag has none. */
  readonly version: readonly number[];
  /** What marks a version before its release: `31.1rc2` gives `rc2`; absent for a release. */
  readonly prerelease?: string;
}

/** Splits an image reference. A colon counts as a tag only after the last slash, since a registry may have a port. */
export function parseImage(image: string): ImageReference {
  const [name = "", digest] = image.split("@", 2);
  const colon = name.indexOf(":", name.lastIndexOf("/") + 1);
  const tag = colon < 0 ? undefined : name.slice(colon + 1);
  const [, version, prerelease] = /^v?(\d+(?:\.\d+)*)[-._]?((?:alpha|beta|pre|rc)[-.]?\d*)?/i.exec(tag ?? "") ?? [];
  return {
    repository: colon < 0 ? name : name.slice(0, colon),
    ...(tag && { tag }),
    ...(digest && { digest }),
    version: numbersOf(version),
    ...(prerelease && { prerelease: prerelease.toLowerCase().replace(/[-.]/, "") }),
  };
}

/** A number with more digits than can be told apart is no version. */
function numbersOf(version = ""): number[] {
  const numbers = version.split(".").map(Number);
  return version !== "" && numbers.every(Number.isSafeInteger) ? numbers : [];
}

/** Orders version numbers part by part; a missing part counts as zero, so 31 equals 31.0. */
export function compareVersions(a: readonly number[], b: readonly number[]): number {
  for (let part = 0; part < Math.max(a.length, b.length); part++) {
    const difference = (a[part] ?? 0) - (b[part] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * Orders two images by their versions; a version comes before its release: `31.1rc2` < `31.1`. Words that name a
 * variant, such as `-alpine`, do not count.
 *
 * @returns undefined when one of them has no version that can be read.
 */
export function compareImages(
  a: Pick<ImageReference, "version" | "prerelease">,
  b: Pick<ImageReference, "version" | "prerelease">,
): number | undefined {
  if (a.version.length === 0 || b.version.length === 0) return undefined;
  const numbers = compareVersions(a.version, b.version);
  if (numbers !== 0 || a.prerelease === b.prerelease) return numbers;
  if (!a.prerelease || !b.prerelease) return a.prerelease ? -1 : 1;
  const [stageA, stageB] = [a, b].map(({ prerelease = "" }) => STAGES.indexOf(prerelease.replace(/\d+$/, "")));
  const [numberA, numberB] = [a, b].map(({ prerelease = "" }) => Number(/\d*$/.exec(prerelease)?.[0]));
  return (stageA ?? 0) - (stageB ?? 0) || (numberA ?? 0) - (numberB ?? 0);
}

const STAGES = ["pre", "alpha", "beta", "rc"];
