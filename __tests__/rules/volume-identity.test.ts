import type { VolumeRecord } from "../../model/homelab";
import { volumeIdentity } from "../../rules/volume-identity";
import { findings, places } from "./homelab";

const NAS = "192.168.68.50";

/** Places the folders of bitcoind and electrs. */
const withShares = (bitcoin: string, electrs: string, changes: Partial<VolumeRecord> = {}, server = NAS) =>
  places(volumeIdentity, (draft) => {
    draft.bitcoin.volume.source = { server: NAS, share: bitcoin };
    Object.assign(draft.electrs.volume, { source: { server, share: electrs }, ...changes });
  });

describe(volumeIdentity.statement, () => {
  describe("two volumes with one folder", () => {
    test.each([
      ["/mnt/x/data", "/mnt/x/data"],
      ["/mnt/x/data", "/mnt/x/data/"],
      ["/mnt/x/data", "/mnt//x/./data"],
      ["/mnt/x", "/mnt/x/data"],
      ["/mnt/x/data", "/mnt/x"],
      ["/mnt/x/", "/mnt/x/data"],
      ["/mnt/x/data", "/"],
    ])("%s and %s are refused", (bitcoin, electrs) => {
      expect(withShares(bitcoin, electrs)).toContain(`homelab/electrs-data share = ${NAS}:${electrs}`);
    });

    test.each([
      ["nas.local", "NAS.Local"],
      ["nas.local", "nas.local."],
      [NAS, "192.168.68.50."],
      ["192.168.68.40", "192.168.68.050"],
      ["fd00::1", "[fd00:0::1]"],
      [NAS, "::ffff:192.168.68.50"],
    ])("are refused on %s and %s, which are one server", (one, other) => {
      const found = findings(volumeIdentity, ({ bitcoin, electrs }) => {
        bitcoin.volume.source = { server: one, share: "/mnt/x" };
        electrs.volume.source = { server: other, share: "/mnt/x/../x/" };
      });
      expect(found).toEqual([expect.objectContaining({ problem: expect.stringContaining("is, holds, or lies in") })]);
    });

    test.each([
      ["nas.local", NAS],
      ["nas", "nas.local"],
      [NAS, "fd00::1"],
    ])("are refused on %s and %s, which may be one server", (one, other) => {
      const found = findings(volumeIdentity, ({ bitcoin, electrs }) => {
        bitcoin.volume.source = { server: one, share: "/mnt/x" };
        electrs.volume.source = { server: other, share: "/mnt/x/a" };
      });
      expect(found).toEqual([
        expect.objectContaining({
          problem: expect.stringContaining(`may be the folder of homelab/bitcoin-data (${one}:/mnt/x)`),
          remedy: expect.stringContaining("as a number"),
        }),
      ]);
    });

    test.each([
      ["/mnt/x/a", "/mnt/x/ab"],
      ["/mnt/x/ab/", "/mnt/x/a"],
      ["/mnt/x/a", "/mnt/x/b"],
      ["/mnt/x", "/mnt/x/../y"],
    ])("are not %s and %s", (bitcoin, electrs) => {
      expect(withShares(bitcoin, electrs)).toEqual([]);
    });

    test("are not two of that name on two servers", () => {
      expect(withShares("/mnt/x", "/mnt/x", {}, "192.168.68.51")).toEqual([]);
    });

    test("are refused in two namespaces as well, and are named with their folders", () => {
      const found = findings(volumeIdentity, ({ bitcoin, albyhub }) => {
        bitcoin.volume.source = { server: "nas.local", share: "/mnt/x" };
        Object.assign(albyhub.volume, { namespace: "other", source: { server: "NAS.local", share: "/mnt/x/albyhub" } });
      });
      expect(found).toEqual([
        expect.objectContaining({
          path: "homelab/albyhub-data",
          value: "NAS.local:/mnt/x/albyhub",
          problem: expect.stringContaining("the folder of homelab/bitcoin-data (/mnt/x)"),
        }),
      ]);
    });

    test.each(["single-node-reader-only", "multi-node-reader-only"] as const)(
      "pass when one of them is %s, as for a backup of all",
      (accessMode) => {
        expect(withShares("/mnt/x/data", "/mnt/x", { accessMode })).toEqual([]);
      },
    );

    test("may be where a volume is only referred to, and has the name of another's folder", () => {
      const referred = { source: undefined, managed: false };
      const found = withShares("/mnt/x/electrs-data", "/", referred);
      expect(found).toEqual(['homelab/electrs-data share = volume "electrs-data", whose folder nobody tells']);
      expect(withShares("/mnt/x/bitcoin-data", "/", referred)).toEqual([]);
    });
  });

  describe("a volume that is declared twice", () => {
    test("with other contents is refused, and both are told", () => {
      const found = findings(
        volumeIdentity,
        ({ volumes, albyhub }) => void volumes.push({ ...albyhub.volume, path: "homelab/again", holds: "index" }),
      );
      expect(found).toEqual([
        expect.objectContaining({
          path: "homelab/again",
          place: "volumeId",
          value: "albyhub-data",
          problem:
            'is the volume of homelab/albyhub-data in namespace bitcoin already, which says that it holds "funds", and this one "index"',
        }),
      ]);
    });

    test("and is alike is refused too, registered or referred to", () => {
      for (const managed of [true, false]) {
        const found = places(
          volumeIdentity,
          ({ volumes, electrs }) => void volumes.push({ ...electrs.volume, path: "homelab/again", managed }),
        );
        expect(found).toEqual(["homelab/again volumeId = electrs-data"]);
      }
    });

    test("is not one of that name in another namespace", () => {
      const found = places(
        volumeIdentity,
        ({ volumes, electrs }) =>
          void volumes.push({
            ...electrs.volume,
            path: "homelab/again",
            namespace: "other",
            source: { server: NAS, share: "/mnt/other" },
          }),
      );
      expect(found).toEqual([]);
    });
  });

  describe("the volumes of another stack of the app", () => {
    /** A stack before this one with the hub's volume, changed. */
    const withOther = (changes: Partial<VolumeRecord>, sameCluster = true, mine: Partial<VolumeRecord> = {}) =>
      findings(volumeIdentity, ({ others, albyhub }) => {
        Object.assign(albyhub.volume, mine);
        const volume = { ...albyhub.volume, path: "lab/albyhub-data", ...changes };
        others.push({ jobs: [], volumes: [volume], sameCluster });
      }).map(({ path, problem }) => `${path} ${problem}`);

    test("are compared too, in another namespace and on another cluster", () => {
      const found = ["homelab/albyhub-data is, holds, or lies in the folder of lab/albyhub-data"].map((text) =>
        expect.stringContaining(text),
      );
      expect(withOther({ namespace: "lab" })).toEqual(found);
      expect(withOther({}, false)).toEqual(found);
      expect(withOther({ id: "other", source: { server: NAS, share: "/mnt/homelab-general/" } })).not.toEqual([]);
    });

    test("pass with a folder of their own", () => {
      expect(withOther({ namespace: "lab", source: { server: NAS, share: "/mnt/lab/albyhub-data" } })).toEqual([]);
      expect(withOther({ source: { server: "192.168.68.51", share: "/mnt/x" } }, false)).toEqual([]);
    });

    test("are declared once in one Nomad, and referred to elsewhere to be read", () => {
      const source = { server: "192.168.68.51", share: "/mnt/x" };
      expect(withOther({ source })).toEqual([
        expect.stringContaining("is the volume of lab/albyhub-data in namespace bitcoin already"),
      ]);
      expect(withOther({ source: undefined, managed: false })).not.toEqual([]);
      const reader = { source: undefined, managed: false, accessMode: "multi-node-reader-only" } as const;
      expect(withOther(reader)).toEqual([]);
      expect(withOther({}, true, reader)).toEqual([]);
    });

    test("are refused where both stacks refer to one by its name", () => {
      const referred = { source: undefined, managed: false };
      expect(withOther({ ...referred, namespace: "lab" }, true, referred)).toEqual([
        expect.stringContaining("may be the folder of lab/albyhub-data"),
      ]);
    });
  });
});
