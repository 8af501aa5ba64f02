import { imagesOf } from "../model/places";
import { parseImage } from "../nomad/image";
import type { Finding, Rule } from "./rule";
import { breach } from "./shared/breach";

/** Words of a tag that move from one image to the next. */
const MOVING =
  /^(?:latest|stable|main|master|trunk|nightly|edge|dev|devel|develop|development|snapshot|unstable|testing|current|canary|head|lts)$/;

/** Words of a tag that name a version before its release. */
const UNRELEASED = /^(?:\d*(?:rc|alpha|beta|pre)\d*|preview)$/;

const REMEDY = "set the prop `image` to a tag that names a version, best with its digest: name:v1.2.3@sha256:…";
const ADD_DIGEST = "add the digest to the prop `image`: name:tag@sha256:…";

/**
 * What is wrong with an image's name; nothing when it names one version for ever. A digest without a tag pins, but
 * neither its owner nor the rules can tell which version it is.
 */
export function judgeImage(
  image: string,
): (Pick<Finding, "problem" | "severity"> & { readonly remedy?: string }) | undefined {
  const { tag, digest } = parseImage(image);
  const words = (tag ?? "").toLowerCase().split(/[-._]/);
  const moving = words.find((word) => MOVING.test(word));
  if (image.includes("${")) return { problem: "is put together on the machine, so nobody can read here what will run" };
  if (tag === undefined && digest) return { problem: "has no tag: nobody can read from it which version runs" };
  if (tag === undefined) return { problem: "has no tag, so Docker takes `latest`, whatever that is on the day" };
  if (moving) return { problem: `has the tag word "${moving}", which is another image every few weeks` };
  if (!/\d/.test(tag)) return { problem: `has the tag "${tag}", which names no version: a tag needs a digit` };
  if (digest && !/^sha256:[0-9a-f]{64}$/.test(digest)) {
    return { problem: "has a malformed digest: it must be sha256: and 64 lower-case hex digits" };
  }
  if (words.some((word) => UNRELEASED.test(word))) {
    return { problem: "is a version before its release, made for trying out", severity: "warning" };
  }
  if (!digest) {
    const problem = "has no digest, so its publisher can put another image behind the tag";
    return { problem, remedy: ADD_DIGEST, severity: "warning" };
  }
  return undefined;
}

export const pinnedImage = {
  name: "pinned-image",
  statement: "every image is pinned by a tag that names a version, best by a digest too",
  check: (homelab) => {
    const images = imagesOf(homelab);
    // One image of several tasks of a construct is one finding.
    const distinct = images.filter(
      ({ image, record }, at) => images.findIndex((one) => one.image === image && one.record === record) === at,
    );
    return distinct.flatMap((place) => {
      const verdict = judgeImage(place.image);
      return verdict ? breach(true, place, "Config.image", { value: place.image, remedy: REMEDY, ...verdict }) : [];
    });
  },
} as const satisfies Rule;
