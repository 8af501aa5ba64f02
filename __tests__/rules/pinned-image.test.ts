import { pinnedImage } from "../../rules/pinned-image";
import { DIGEST, findings, places } from "./homelab";

const withImage = (image: string) =>
  findings(pinnedImage, ({ bitcoin }) => {
    bitcoin.task.Config.image = image;
  });

describe(pinnedImage.statement, () => {
  test.each([
    "bitcoin/bitcoin:31.1",
    "getumbrel/electrs:v0.11.1",
    "registry.local:5000/x/y:2024-05-01",
    "busybox:1.37.0-musl",
    "example.org/mainline:1.0-maintenance",
  ])("%s with a digest passes", (image) => {
    expect(withImage(`${image}@${DIGEST}`)).toEqual([]);
  });

  test.each([
    ["bitcoin/bitcoin:latest", "latest"],
    ["bitcoin/bitcoin:latest-31", "latest"],
    ["bitcoin/bitcoin:31-Stable", "stable"],
    ["bitcoin/bitcoin:master-alpine3", "master"],
    ["example.org/x:nightly.20240501", "nightly"],
    ["example.org/x:v2_edge", "edge"],
    ["example.org/x:main", "main"],
    ["example.org/x:3-dev", "dev"],
    [`bitcoin/bitcoin:latest@${DIGEST}`, "latest"],
    ["bitcoin/bitcoin", "no tag"],
    ["localhost:5000/bitcoin", "no tag"],
    ["192.168.68.50:5000/x/y", "no tag"],
    [`bitcoin/bitcoin@${DIGEST}`, "no tag"],
    ["bitcoin/bitcoin:alpine", "digit"],
    ["bitcoin/bitcoin:${NOMAD_META_v1}", "on the machine"],
    ["bitcoin/bitcoin:31.1@sha256:1234", "malformed"],
  ])("%s is refused for its %s", (image, reason) => {
    expect(withImage(image)).toEqual([
      expect.objectContaining({
        path: "homelab/bitcoin",
        place: "TaskGroups[bitcoin].Tasks[bitcoin].Config.image",
        value: image,
        problem: expect.stringContaining(reason),
      }),
    ]);
    expect(withImage(image)[0]?.severity).toBeUndefined();
  });

  test.each([
    ["bitcoin/bitcoin:31.1", "digest"],
    ["localhost:5000/bitcoin:31.1", "digest"],
    [`bitcoin/bitcoin:30.0rc2@${DIGEST}`, "before its release"],
    [`example.org/x:v2.0-beta.1@${DIGEST}`, "before its release"],
  ])("%s is a warning: %s", (image, reason) => {
    expect(withImage(image)).toEqual([
      expect.objectContaining({ severity: "warning", problem: expect.stringContaining(reason) }),
    ]);
  });

  test("a task of another driver has no image", () => {
    const exec = { Driver: "exec", Config: { command: "backup" } } as never;
    expect(places(pinnedImage, ({ bitcoin }) => Object.assign(bitcoin.task, exec))).toEqual([]);
  });

  test("an image that several tasks of a job share is named once, in each job", () => {
    const found = places(pinnedImage, ({ bitcoin, electrs }) => {
      for (const { group, task } of [bitcoin, electrs]) {
        const sidecar = { ...task, Name: "sidecar", Config: { image: "busybox" } };
        group.Tasks.push(sidecar, { ...sidecar, Name: "other" });
      }
    });
    expect(found).toEqual([
      "homelab/bitcoin TaskGroups[bitcoin].Tasks[sidecar].Config.image = busybox",
      "homelab/electrs TaskGroups[electrs].Tasks[sidecar].Config.image = busybox",
    ]);
  });
});
