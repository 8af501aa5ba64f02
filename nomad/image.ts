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
}

/** Splits an image reference. A colon counts as a tag only after the last slash, since a registry may have a port. */
export function parseImage(image: string): ImageReference {
  const [name = "", digest] = image.split("@", 2);
  const colon = name.indexOf(":", name.lastIndexOf("/") + 1);
  const tag = colon < 0 ? undefined : name.slice(colon + 1);
  const version = /^v?(\d+(?:\.\d+)*)/.exec(tag ?? "")?.[1];
  return {
    repository: colon < 0 ? name : name.slice(0, colon),
    ...(tag && { tag }),
    ...(digest && { digest }),
    version: version ? version.split(".").map(Number) : [],
  };
}

/** Orders version numbers part by part; a missing part counts as zero, so 31 equals 31.0. */
export function compareVersions(a: readonly number[], b: readonly number[]): number {
  for (let part = 0; part < Math.max(a.length, b.length); part++) {
    const difference = (a[part] ?? 0) - (b[part] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
