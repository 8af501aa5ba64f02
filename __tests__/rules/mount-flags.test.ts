import { mountFlags } from "../../rules/mount-flags";
import { findings, places } from "./homelab";

const ofVolume = (...flags: string[]) =>
  places(mountFlags, ({ bitcoin }) => {
    bitcoin.volume.mountFlags = flags;
  });
const ofRequest = (...flags: string[]) =>
  places(mountFlags, ({ bitcoin }) => {
    bitcoin.request.MountOptions = { MountFlags: flags };
  });

describe(mountFlags.statement, () => {
  test.each([
    "nolock",
    "local_lock=all",
    "local_lock=flock",
    "local_lock=posix",
    "local_lock",
    "soft",
    "softerr",
    "intr",
    "nointr",
    "sloppy",
  ])("%s is refused, on the volume and in the request", (flag) => {
    expect(ofVolume("nfsvers=4.1", flag)).toEqual([`homelab/bitcoin-data mountFlags = ${flag}`]);
    expect(ofRequest("hard", flag)).toEqual([
      `homelab/bitcoin TaskGroups[bitcoin].Volumes[data].MountOptions.MountFlags = ${flag}`,
    ]);
  });

  test.each(["soft", "softerr"])("%s passes for backups alone, on the volume and in the request", (flag) => {
    const of = (holds: "backup" | "funds") =>
      places(mountFlags, ({ bitcoin }) => {
        Object.assign(bitcoin.volume, { holds, mountFlags: ["nfsvers=4.1", flag] });
        bitcoin.request.MountOptions = { MountFlags: [flag] };
      });
    expect(of("backup")).toEqual([]);
    expect(of("funds")).toHaveLength(2);
  });

  test.each(["nolock", "sloppy", "sofft"])("%s is refused for backups too", (flag) => {
    expect(
      places(mountFlags, ({ bitcoin }) => {
        Object.assign(bitcoin.volume, { holds: "backup", mountFlags: [flag] });
      }),
    ).toHaveLength(1);
  });

  test("it is found within a list written as one flag", () => {
    expect(ofVolume("nfsvers=4.1,soft, timeo=50 ,nolock")).toEqual([
      "homelab/bitcoin-data mountFlags = soft",
      "homelab/bitcoin-data mountFlags = nolock",
    ]);
  });

  test.each(["noatim", "Hard", "nfsver=4.1", "hard=1", "rsize", "timeo=", "-o hard", "nolocks"])(
    "%s is no mount option of NFS",
    (flag) => {
      expect(ofVolume(flag)).toEqual([`homelab/bitcoin-data mountFlags = ${flag}`]);
    },
  );

  test("an empty flag is found", () => {
    expect(ofVolume("hard", "")).toEqual(['homelab/bitcoin-data mountFlags = ""']);
  });

  test("what is near to a refused flag passes", () => {
    expect(
      ofVolume("lock", "local_lock=none", "hard", "softreval", "vers=4.2", "timeo=600", "nconnect=4", "sec=sys", "ro"),
    ).toEqual([]);
    expect(ofRequest()).toEqual([]);
  });

  test("says why", () => {
    const found = findings(mountFlags, ({ bitcoin }) => {
      bitcoin.volume.mountFlags = ["soft", "softerr", "nolock", "sloppi"];
    });
    expect(found.map(({ problem }) => problem)).toEqual([
      expect.stringContaining("I/O error"),
      expect.stringContaining("I/O error"),
      expect.stringContaining("the last fence"),
      expect.stringContaining("no mount option"),
    ]);
  });
});
