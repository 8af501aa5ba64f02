import { volumeExists } from "../../rules/volume-exists";
import { findings, places } from "./homelab";

describe(volumeExists.statement, () => {
  const at = "homelab/electrs TaskGroups[electrs].Volumes[data]";

  test("a misspelt volume is refused, and the known ones are named", () => {
    const [found] = findings(volumeExists, ({ electrs }) => {
      electrs.request.Source = "electrs-dta";
    });
    expect(found).toMatchObject({ value: "electrs-dta", problem: expect.stringContaining("electrs-data") });
  });

  test("a volume of another namespace is not there", () => {
    expect(
      places(volumeExists, ({ electrs }) => {
        electrs.volume.namespace = "default";
      }),
    ).toEqual([`${at}.Source = electrs-data`]);
    expect(
      places(volumeExists, ({ electrs }) => {
        electrs.job.Namespace = "default";
      }),
    ).toEqual([`${at}.Source = electrs-data`]);
  });

  test("other modes than the volume's are refused, and so are none", () => {
    expect(
      places(volumeExists, ({ electrs }) => {
        electrs.request.AccessMode = "single-node-writer";
      }),
    ).toEqual([`${at}.AccessMode = single-node-writer`]);
    expect(places(volumeExists, ({ electrs }) => void delete electrs.request.AccessMode)).toEqual([
      `${at}.AccessMode = not set`,
    ]);
    expect(
      places(volumeExists, ({ electrs }) => {
        electrs.volume.attachmentMode = "block-device";
      }),
    ).toEqual([`${at}.AttachmentMode = file-system`]);
  });

  test("a volume that is declared twice must have the modes of both", () => {
    const found = findings(
      volumeExists,
      ({ volumes, electrs }) =>
        void volumes.push({ ...electrs.volume, path: "homelab/adopted", accessMode: "single-node-writer" }),
    );
    expect(found).toEqual([expect.objectContaining({ problem: expect.stringContaining("homelab/adopted") })]);
  });

  test("a volume that is only referred to exists", () => {
    expect(
      places(volumeExists, ({ electrs }) => {
        electrs.volume.managed = false;
      }),
    ).toEqual([]);
  });

  test("a mount of what the group does not request is refused", () => {
    const place = "homelab/electrs TaskGroups[electrs].Tasks[electrs].VolumeMounts[/data].Volume";
    expect(
      places(volumeExists, ({ electrs }) => {
        electrs.group.Volumes = { other: electrs.request };
      }),
    ).toEqual([`${place} = data`]);
    expect(places(volumeExists, ({ electrs }) => void delete electrs.group.Volumes)).toEqual([`${place} = data`]);
  });

  test("a volume per allocation is another one", () => {
    expect(
      places(volumeExists, ({ electrs }) => {
        electrs.request.PerAlloc = true;
      }),
    ).toEqual([`${at}.PerAlloc = true`]);
    expect(
      places(volumeExists, ({ electrs }) => {
        electrs.request.PerAlloc = false;
      }),
    ).toEqual([]);
  });

  test("a host volume is the machine's own affair", () => {
    const found = places(volumeExists, ({ electrs }) => {
      electrs.group.Volumes = { data: { Name: "data", Type: "host", Source: "disk" } };
    });
    expect(found).toEqual([]);
  });
});
