import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Job } from "../../.gen/nomad/job";
import { copyBackScript } from "../../cli/backup/copy-back-script";
import { command } from "../cluster/command";
import { addBackup, buildHomelab } from "../homelab-fixture";
import { describeWith } from "../tools";

const [A, B] = [1, 2].map((n) => `0000000${n}-1111-4222-8333-444444444444`);

function scriptOf(job: Job | undefined, path: string): string {
  const templates = job?.TaskGroups.flatMap(({ Tasks }) => Tasks).flatMap(({ Templates = [] }) => Templates);
  return templates?.find(({ DestPath }) => DestPath === path)?.EmbeddedTmpl ?? "";
}

/** A Debian 12 with the kernel's NFS tools, and what machines.sh needs. */
function makeRoot(root: string): void {
  const packages = "nfs-kernel-server,nfs-common,rpcbind,iproute2,procps,util-linux,kmod";
  command("debootstrap", ["--variant=minbase", `--include=${packages}`, "bookworm", root]);
  copyFileSync(command("which", ["busybox"]).trim(), join(root, "usr/local/bin/busybox"));
  mkdirSync(join(root, "nfs"));
  const { albyHub, backup } = addBackup(buildHomelab({ backup: {} }));
  const files = {
    entry: scriptOf(albyHub.job, "local/entry"),
    copy: scriptOf(backup.jobs["backup-copy"], "local/copy"),
    "copy-back": copyBackScript("albyhub", "20261126T230000Z"),
    "identity-a": `${A}\n`,
    "identity-b": `${B}\n`,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, "nfs", name), text);
  copyFileSync(join(__dirname, "machines.sh"), join(root, "nfs/machines.sh"));
}

describeWith(
  ["kernel-run", "debootstrap", "busybox"],
  "the work directory on a real NFS server, with two machines",
  () => {
    /** What machines.sh printed, by section. */
    let sections: ReadonlyMap<string, string>;
    beforeAll(() => {
      const folder = mkdtempSync(join(tmpdir(), "nfs-"));
      try {
        const root = join(folder, "root");
        makeRoot(root);
        const { stdout, stderr } = spawnSync("kernel-run", ["--seconds", "1800", root, "sh", "/nfs/machines.sh"], {
          encoding: "utf8",
          maxBuffer: 1 << 28,
        });
        sections = new Map(
          `\n${stdout}`.split("\n== ").map((one) => [one.split("\n", 1)[0] ?? "", one.slice(one.indexOf("\n") + 1)]),
        );
        if (!sections.has("the end")) throw new Error(`machines.sh did not come to its end:\n${stdout}\n${stderr}`);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
    const printed = (section: string) => sections.get(section) ?? "";
    /** Who wrote in each second. */
    const writers = (section: string) =>
      [...printed(section).matchAll(/^writers:(.*)$/gm)].map(([, names = ""]) => names.trim());
    const IN_USE = "refuses to start: volume albyhub-data: /data is in use: another hub, or a restore, holds the lock";

    test("a client of the server has the host name of whoever mounts, whatever its network", () => {
      const names = printed("the names of the clients").trim().split("\n").sort();
      expect(names).toEqual(['"Linux NFSv4.1 pinode1"', '"Linux NFSv4.1 pinode2"']);
    });

    test("a hub claims what version 0.1.0 left, and no second one starts on another machine", () => {
      const text = printed("a second start on another machine");
      expect(text).toContain(`1: entry: claimed the volume albyhub-data for the homelab ${A}\n`);
      expect(text).toContain(`entry: ${IN_USE}`);
      expect(text).toMatch(/^status 1$/m);
    });

    test("neither a copy of the work directory nor its restore runs beside a hub", () => {
      const text = printed("other writers");
      expect(text).toMatch(/^failed: \/nfs\/read-only\/albyhub is in use/m);
      expect(text).toMatch(/refuses: \/nfs\/writable\/albyhub is in use/);
    });

    test("a hub that was cut off loses its lock with the lease, and ends when it is back and another one runs", () => {
      const section = "a machine that is cut off, and comes back";
      const [, waited] = /^machine2 runs (\d+) s after/m.exec(printed(section)) ?? [];
      // The lease is 10 s here.
      expect(Number(waited)).toBeGreaterThanOrEqual(8);
      expect(printed(section)).toContain(`2: entry: ${IN_USE}`);
      expect(printed(section)).toContain("1: entry: another hub has started on the volume albyhub-data since");
      expect(printed(section)).toContain("1: main: ended by QUIT");
      expect(printed(section)).toContain(`\nentry: ${IN_USE}`);
      // No fence: for some seconds both may write. Then one does.
      expect(writers(section).slice(-8)).toEqual(Array(8).fill("machine2"));
    });

    test("the hub of another homelab starts only after it was told to adopt the folder, and then the first one does not", () => {
      const text = printed("another homelab");
      expect(text).toContain(`belongs to the homelab ${A}, and this is the homelab ${B}`);
      expect(text).toContain(`1: entry: took the volume albyhub-data over from the homelab ${A}`);
      expect(text).toContain(`belongs to the homelab ${B}, and this is the homelab ${A}`);
      expect(text.match(/^status 1$/gm)).toHaveLength(2);
    });

    test("a copy shares the lock from a mount that is read-only, and no hub starts meanwhile", () => {
      const text = printed("a copy while nobody writes, and a start while it is made");
      expect(text).toContain("shared: 0\n");
      expect(text).toContain(`entry: ${IN_USE}`);
      expect(text).toContain("copied the work directory of albyhub to before-upgrade/albyhub/");
    });

    test("where a mount has no locks the hub runs all the same and says so, and ends when another one starts", () => {
      const text = printed("NFS 3 without locks");
      expect(text).toContain("1: entry: goes on without a lock, since the mount of the work directory has none");
      expect(text).toContain("2: entry: goes on without a lock");
      expect(text).toContain("1: entry: another hub has started on the volume albyhub-data since");
      expect(writers("NFS 3 without locks").slice(-5)).toEqual(Array(5).fill("machine2"));
    });

    test("where a mount keeps its locks to itself, the hub says so", () => {
      expect(printed("NFS 3 with nolock")).toContain(
        "1: entry: the mount of the work directory keeps its locks to itself",
      );
    });

    test("two machines with one host name are one client, and take each other's locks", () => {
      const text = printed("two machines with one host name");
      expect(text).not.toContain(IN_USE);
      expect(text).toContain("1: entry: another hub has started on the volume albyhub-data since");
    });
  },
);
