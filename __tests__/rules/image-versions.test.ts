import { judgeTool, VERSIONS } from "../../model/versions";
import { imageVersions } from "../../rules/image-versions";
import { DIGEST, type Draft, findings } from "./homelab";

const withCore = (image: string) =>
  findings(imageVersions, ({ bitcoin }) => {
    bitcoin.task.Config.image = image;
    bitcoin.task.Config.args = ["-dbcache=450"];
  }).filter(({ problem }) => !/end of life/.test(problem));

/** As the constructs do, whatever the images are called. */
const sayWhatRuns = ({ bitcoin, electrs, albyhub }: Draft) => {
  bitcoin.record.program = "Bitcoin Core";
  electrs.record.program = "electrs";
  albyhub.record.program = "Alby Hub";
};

const setRest = ({ bitcoin }: Draft) => {
  for (const template of bitcoin.task.Templates ?? []) template.EmbeddedTmpl += "\nrest=1\n";
};

const violations = (change: (draft: Draft) => void) =>
  findings(imageVersions, change).filter(({ severity }) => severity === undefined);

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

  describe("an image of whatever name, in a job that says what it runs,", () => {
    const withNames = (core: string, electrs: string) =>
      violations((draft) => {
        sayWhatRuns(draft);
        setRest(draft);
        draft.bitcoin.task.Config.image = core;
        draft.electrs.task.Config.image = electrs;
      }).map(({ path, value }) => `${path} ${value}`);

    test.each(["getumbrel/bitcoind:v30.0", "registry.lan:5000/bitcoind:30.0", "node:30.1-slim"])(
      "%s is known to be bad",
      (image) => {
        expect(withNames(image, "electrs:v0.11.1")).toEqual([`homelab/bitcoin ${image}`]);
      },
    );

    test.each(["registry.lan:5000/electrs:v0.12.0", "indexer:0.12.1"])("%s needs Core 31", (image) => {
      expect(withNames("registry.lan:5000/bitcoind:30.2", image)).toEqual([`homelab/electrs ${image}`]);
      expect(withNames("registry.lan:5000/bitcoind:31.0", image)).toEqual([]);
    });

    test("is that of its main task alone, and not one that the job does not say", () => {
      expect(withNames("node:30.2", "node:0.11.1")).toEqual([]);
      const beside = violations((draft) => {
        sayWhatRuns(draft);
        const { group, task } = draft.bitcoin;
        const probe = { ...task, Name: "probe", Config: { image: "probe:30.0" } };
        group.Tasks.unshift({ ...probe, Lifecycle: { Hook: "prestart", Sidecar: true } });
        group.Tasks.push(probe);
      });
      expect(beside).toEqual([]);
      expect(withCore("registry.lan:5000/bitcoind:30.0")).toEqual([]);
    });

    test("of a repository that is known is still found beside it", () => {
      const found = violations((draft) => {
        sayWhatRuns(draft);
        const { group, task } = draft.electrs;
        group.Tasks.push({ ...task, Name: "second", Config: { image: "bitcoin/bitcoin:30.0" } });
      });
      expect(found).toHaveLength(1);
    });
  });

  describe("electrs from 0.12 on", () => {
    const withPair = (electrsTag: string, coreTag: string) =>
      findings(imageVersions, (draft) => {
        setRest(draft);
        const { bitcoin, electrs } = draft;
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
      expect(withPair("v0.11.1", coreTag).filter(({ problem }) => !/end of life/.test(problem))).toEqual([]);
    });

    describe("with the configuration of 0.11", () => {
      const edited = (electrsImage: string, change: (draft: Draft) => void) =>
        violations((draft) => {
          draft.electrs.task.Config.image = electrsImage;
          change(draft);
        }).map(({ path, problem }) => `${path}: ${problem}`);
      const p2pInConfig: (line: string) => (draft: Draft) => void = (line) => (draft) => {
        setRest(draft);
        const [template] = draft.electrs.task.Templates ?? [];
        if (template) template.EmbeddedTmpl += `\n${line}`;
      };

      test("is refused when bitcoind has no rest=1", () => {
        expect(edited("getumbrel/electrs:v0.12.0", () => {})).toEqual([
          expect.stringMatching(/^homelab\/electrs: .*homelab\/bitcoin is configured without rest=1$/),
        ]);
        expect(
          edited("getumbrel/electrs:v0.12.0", (draft) => {
            const [template] = draft.bitcoin.task.Templates ?? [];
            if (template) template.EmbeddedTmpl += "\nrest=0\n#rest=1\nforest=1";
          }),
        ).toHaveLength(1);
      });

      test("passes when it has, in its file or as an argument", () => {
        expect(edited("getumbrel/electrs:v0.12.0", setRest)).toEqual([]);
        expect(
          edited("getumbrel/electrs:v0.12.0", ({ bitcoin }) => void bitcoin.task.Config.args?.push("-rest")),
        ).toEqual([]);
      });

      test.each([
        'daemon_p2p_addr = "192.168.68.11:8335"',
        '{{ range nomadService "bitcoin" }}daemon_p2p_addr = "{{ .Address }}:{{ .Port }}"{{ end }}',
      ])("is refused when it still says %s", (line) => {
        expect(edited("getumbrel/electrs:v0.12.0", p2pInConfig(line))).toEqual([
          expect.stringContaining("electrs 0.12.0 knows daemon_p2p_addr no more"),
        ]);
        expect(edited("getumbrel/electrs:v0.11.1", p2pInConfig(line))).toEqual([]);
      });
    });

    test("is compared with the node it depends on, not with another one", () => {
      const found = (on: string) =>
        findings(imageVersions, (draft) => {
          draft.electrs.task.Config.image = "getumbrel/electrs:v0.12.0";
          setRest(draft);
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

describe("the table of versions", () => {
  test("has a source and a date in each row", () => {
    const rows = Object.entries(VERSIONS).flatMap(([list, rows]) => rows.map((row, at) => ({ list, at, ...row })));
    expect(rows.length).toBeGreaterThan(10);
    for (const { list, at, source, date } of rows) {
      expect([list, at, source]).toEqual([list, at, expect.stringMatching(/^https:\/\/[\w.-]+\/\S+$/)]);
      expect([list, at, date]).toEqual([list, at, expect.stringMatching(/^20\d\d-(?:0[1-9]|1[0-2])(?:-[0-3]\d)?$/)]);
    }
  });

  test("knows electrs that is too old for Core 28 and later", () => {
    const found = (electrs: string, core: string) =>
      violations((draft) => {
        draft.bitcoin.task.Config.image = `bitcoin/bitcoin:${core}`;
        draft.electrs.task.Config.image = `getumbrel/electrs:v${electrs}`;
      }).map(({ problem }) => problem);
    expect(found("0.10.4", "28.0")).toEqual([expect.stringContaining("electrs 0.10.4 cannot read what it answers")]);
    expect(found("0.10.5", "28.0")).toEqual([]);
    expect(found("0.10.4", "27.2")).toEqual([]);
  });

  test("warns of Core at its end of life, and of one that takes a cache by itself", () => {
    const warnings = (image: string, config = "") =>
      findings(imageVersions, ({ bitcoin }) => {
        bitcoin.task.Config.image = image;
        bitcoin.task.Config.args = [config];
        bitcoin.task.Templates = [];
      })
        .filter(({ severity }) => severity === "warning")
        .map(({ problem }) => problem);
    expect(warnings("bitcoin/bitcoin:29.4")).toEqual([expect.stringContaining("is at its end of life")]);
    expect(warnings("bitcoin/bitcoin:30.2")).toEqual([]);
    expect(warnings("bitcoin/bitcoin:31.1")).toEqual([expect.stringContaining("1,024 MiB")]);
    expect(warnings("bitcoin/bitcoin:31.1", "-dbcache=450")).toEqual([]);
  });

  test("knows Tor that no longer works, and tools with faults", () => {
    expect(withCore("lncm/tor:0.4.8.10").some(({ problem }) => problem.includes("no longer works"))).toBe(true);
    expect(withCore("lncm/tor:0.4.9.1").some(({ problem }) => problem.includes("no longer works"))).toBe(false);
    expect(judgeTool("hashicorp/nomad", "2.6.0")).toHaveLength(1);
    expect(judgeTool("hashicorp/nomad", "2.6.1")).toEqual([]);
    expect(judgeTool("Nomad", "2.0.4")).toHaveLength(1);
    expect(judgeTool("Nomad", "2.0.5")).toEqual([]);
    expect(judgeTool("Nomad", "nonsense")).toEqual([]);
  });
});
