import { readFileSync } from "node:fs";
import type { TaskPlace } from "../model/homelab";
import { identify, VERSIONS } from "../model/versions";
import { parseImage } from "../nomad/image";
import { FIXTURE_MAIN } from "./fixture-project";

interface PackageRule {
  readonly matchDatasources?: readonly string[];
  readonly matchPackageNames?: readonly string[];
  readonly matchUpdateTypes?: readonly string[];
  readonly automerge?: boolean;
  readonly allowedVersions?: string;
}

const config = JSON.parse(readFileSync("renovate.json", "utf8"));
const [manager] = config.customManagers;

/** What the manager finds in a text, as Renovate does. */
function found(text: string): Record<string, string | undefined>[] {
  return manager.matchStrings.flatMap((pattern: string) =>
    [...text.matchAll(new RegExp(pattern, "g"))].map(({ groups }) => ({ ...groups })),
  );
}

/** Whether an update merges by itself: of the rules that match, the last one counts. */
function merges(name: string, type: string): boolean {
  const rules: readonly PackageRule[] = config.packageRules;
  const matching = rules.filter(
    ({ matchDatasources, matchPackageNames, matchUpdateTypes, ...rest }) =>
      "automerge" in rest &&
      (matchDatasources?.includes("docker") ?? !("matchManagers" in rest)) &&
      (matchPackageNames?.includes(name) ?? true) &&
      (matchUpdateTypes?.includes(type) ?? true),
  );
  return matching.at(-1)?.automerge ?? false;
}

/** By its repository alone. */
function programOf(image: string) {
  const nobody = { record: {}, job: { TaskGroups: [] } } as unknown as TaskPlace;
  return identify(nobody, image)?.program;
}

/** Every image in the fixture's main.ts, found otherwise: a text with a colon and a digit after it. */
const images = [...FIXTURE_MAIN.matchAll(/"([^"\s]+:v?\d[^"\s]*)"/g)].map(([, text]) => text ?? "");

describe("Renovate", () => {
  test("looks at main.ts and at what else is the owner's, and not at fixtures", () => {
    const patterns: RegExp[] = manager.managerFilePatterns.map((pattern: string) => new RegExp(pattern.slice(1, -1)));
    const files = [
      "main.ts",
      "own/signet.ts",
      "own/deep/node.ts",
      "own/README.md",
      "__tests__/fixtures/homelab/main.ts",
    ];
    const read = files.filter((file) => patterns.some((pattern) => pattern.test(file)));
    expect(read).toEqual(["main.ts", "own/signet.ts", "own/deep/node.ts"]);
  });

  test("finds every image in main.ts, with tag and digest", () => {
    expect(images.length).toBeGreaterThan(4);
    expect(found(FIXTURE_MAIN)).toEqual(
      images.map((image) => {
        const { repository, tag, digest } = parseImage(image);
        return { depName: repository, currentValue: tag, currentDigest: digest };
      }),
    );
  });

  test("finds no image in what is none", () => {
    expect(found('const a = "http://pinode2.local:4646"; const b = "node:fs"; const c = "bitcoin-data";')).toEqual([]);
  });

  test("merges no version of a program whose data goes one way, and no major at all", () => {
    const oneWay = images.filter((image) => VERSIONS.oneWay.some(({ program }) => programOf(image) === program));
    expect(oneWay).toHaveLength(3);
    for (const image of oneWay) {
      for (const type of ["major", "minor", "patch"])
        expect([image, type, merges(parseImage(image).repository, type)]).toEqual([image, type, false]);
    }
    for (const image of images) expect(merges(parseImage(image).repository, "major")).toBe(false);
  });

  test("merges no digest of an image: what is behind it reads secrets or writes data", () => {
    for (const image of images) {
      for (const type of ["digest", "pin", "pinDigest"]) {
        expect([image, type, merges(parseImage(image).repository, type)]).toEqual([image, type, false]);
      }
    }
  });

  test("never offers a version that is known to be bad", () => {
    const rules: readonly PackageRule[] = config.packageRules;
    for (const { version } of VERSIONS.knownBad) {
      const { allowedVersions = "" } =
        rules.find(
          ({ matchPackageNames, allowedVersions: allowed }) =>
            allowed && matchPackageNames?.includes("bitcoin/bitcoin"),
        ) ?? {};
      const refused = new RegExp(allowedVersions.replace(/^!\//, "").replace(/\/$/, ""));
      expect(refused.test(version.join("."))).toBe(true);
    }
  });
});
