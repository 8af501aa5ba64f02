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
      expect(withShares(bitcoin, electrs)).toEqual([`homelab/electrs-data share = ${NAS}:${electrs}`]);
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

    test("cannot be told where a volume is only referred to", () => {
      expect(withShares("/mnt/x", "/mnt/x", { source: undefined, managed: false })).toEqual([]);
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
        ({ volumes, electrs }) => void volumes.push({ ...electrs.volume, path: "homelab/again", namespace: "other" }),
      );
      expect(found).toEqual([]);
    });
  });
});
