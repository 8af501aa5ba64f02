import { imageVersions } from "../../rules/image-versions";
import { VERSIONS } from "../../rules/versions";
import { DIGEST, findings } from "./homelab";

const withCore = (image: string) =>
  findings(imageVersions, ({ bitcoin }) => {
    bitcoin.task.Config.image = image;
  });

describe(imageVersions.statement, () => {
  test.each([
    "bitcoin/bitcoin:30.2",
    "bitcoin/bitcoin:v30.2",
    "bitcoin/bitcoin:31.1",
    "bitcoin/bitcoin:31",
    "bitcoin/bitcoin:master-alpine",
    "bitcoin/bitcoin:edge",
    "bitcoin/bitcoin:3",
    "bitcoin/bitcoin:29.0",
    "bitcoin/bitcoin:30.10",
    "someone/bitcoin:30.0",
    "xbitcoin/bitcoin:30.0",
    "getalby/hub:30.0",
    "example.org/base:31.1-alpine",
    "bitcoin/bitcoin:31.1-alpinist",
  ])("%s passes", (image) => {
    expect(withCore(image)).toEqual([]);
  });

  test.each([
    ["bitcoin/bitcoin:30.0", "Bitcoin Core 30.0 was withdrawn"],
    ["bitcoin/bitcoin:v30.0.0", "Bitcoin Core 30.0 was withdrawn"],
    ["docker.io/bitcoin/bitcoin:30.1", "Bitcoin Core 30.1 was withdrawn"],
    ["index.docker.io/bitcoin/bitcoin:30.1", "Bitcoin Core 30.1 was withdrawn"],
    ["192.168.68.50:5000/mirror/bitcoin/bitcoin:30.0", "Bitcoin Core 30.0 was withdrawn"],
    [`bitcoin/bitcoin:30.0-slim@${DIGEST}`, "Bitcoin Core 30.0 was withdrawn"],
    ["bitcoin/bitcoin:30.0rc2", "Bitcoin Core 30.0 was withdrawn"],
    ["lncm/bitcoind:v30.0", "Bitcoin Core 30.0 was withdrawn"],
  ])("%s is known to be bad", (image, problem) => {
    expect(withCore(image)).toEqual([
      expect.objectContaining({
        path: "homelab/bitcoin",
        place: "TaskGroups[bitcoin].Tasks[bitcoin].Config.image",
        value: image,
        problem: expect.stringContaining(problem),
        remedy: expect.stringContaining("30.2"),
      }),
    ]);
  });

  test.each(["bitcoin/bitcoin:30", `bitcoin/bitcoin:30@${DIGEST}`])("%s may stand for a bad version", (image) => {
    expect(withCore(image).map(({ problem }) => problem)).toEqual([
      expect.stringContaining("may stand for Bitcoin Core 30.0, which was withdrawn"),
    ]);
  });

  test.each(["bitcoin/bitcoin:31.1-alpine", "docker.io/bitcoin/bitcoin:alpine", `bitcoin/bitcoin:31-alpine@${DIGEST}`])(
    "%s is not built for a Raspberry Pi",
    (image) => {
      expect(withCore(image)).toEqual([expect.objectContaining({ problem: expect.stringContaining("amd64 only") })]);
    },
  );

  describe("electrs from 0.12 on", () => {
    const withPair = (electrsTag: string, coreTag: string) =>
      findings(imageVersions, ({ bitcoin, electrs }) => {
        electrs.task.Config.image = `docker.io/getumbrel/electrs:${electrsTag}`;
        bitcoin.task.Config.image = `bitcoin/bitcoin:${coreTag}`;
      });

    test.each([
      ["v0.12.0", "30.2"],
      ["0.13.1", "29"],
    ])("%s is refused with Core %s", (electrsTag, coreTag) => {
      const violations = withPair(electrsTag, coreTag).filter(({ severity }) => severity === undefined);
      expect(violations).toEqual([
        expect.objectContaining({
          path: "homelab/electrs",
          problem: expect.stringMatching(
            /^electrs 0\.1[23].*`rest=1`.*Bitcoin Core 31 or later.*homelab\/bitcoin runs (30\.2|29)$/,
          ),
        }),
      ]);
    });

    test("passes with Core 31.0, with a warning that it indexes anew", () => {
      expect(withPair("v0.12.0", "31.0")).toEqual([
        expect.objectContaining({ severity: "warning", problem: expect.stringContaining("indexes anew") }),
      ]);
    });

    test.each(["30.2", "29.1"])("is no matter for 0.11.1 with Core %s", (coreTag) => {
      expect(withPair("v0.11.1", coreTag)).toEqual([]);
    });

    test("is compared with the node it depends on, not with another one", () => {
      const found = (on: string) =>
        findings(imageVersions, (draft) => {
          draft.electrs.task.Config.image = "getumbrel/electrs:v0.12.0";
          const { record, job } = draft.bitcoin;
          const old = structuredClone({ ...record, path: "homelab/old", job: { ...job, ID: "old" } });
          for (const task of old.job.TaskGroups[0]?.Tasks ?? []) task.Config.image = "bitcoin/bitcoin:30.2";
          draft.jobs.push(old);
          draft.dependencies = [{ from: "electrs", on }];
        }).filter(({ severity }) => severity === undefined);
      expect(found("bitcoin")).toEqual([]);
      expect(found("old")).toHaveLength(1);
      expect(found("nobody")).toHaveLength(1);
    });
  });

  test("every row of the table has a source", () => {
    const rows = Object.values(VERSIONS).flat();
    expect(rows.length).toBeGreaterThan(5);
    for (const { source } of rows) expect(source).toMatch(/^https:\/\//);
  });
});
