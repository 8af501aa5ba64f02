import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { attempt, command } from "../cluster/command";

/** What a freshly flashed machine has, and a container lacks. */
const PACKAGES = "systemd,systemd-sysv,dbus,udev,python3,python3-apt,ca-certificates,iproute2,procps,sudo";

/** A machine's init shares the root mount; in a container systemd leaves that to us. */
const SHARED_ROOT = `[Unit]
Description=Shared root mount
DefaultDependencies=no
Before=sysinit.target
[Service]
Type=oneshot
ExecStart=/bin/mount --make-rshared /
[Install]
WantedBy=sysinit.target
`;

/**
 * In place of the kernel's NFS, which containers have not: shows a folder below /nas, refuses what is not version 4.1, and
 * says what the real one says.
 */
const MOUNT_NFS = `#!/bin/sh
case "$*" in
  *nfsvers=4.1*) ;;
  *) echo "mount.nfs: Protocol not supported" >&2; exit 32 ;;
esac
folder="/nas/\${1#*:}"
[ -d "$folder" ] || { echo "mount.nfs: mounting $1 failed, reason given by server: No such file or directory" >&2; exit 32; }
mount --bind "$folder" "$2"
`;

const SETUP = `set -e
ln -s ../shared-root.service /etc/systemd/system/sysinit.target.wants/shared-root.service
dpkg-divert --local --no-rename --divert /sbin/mount.nfs.real --add /sbin/mount.nfs >/dev/null
chmod 0755 /sbin/mount.nfs
: > /etc/machine-id
rm -rf /var/cache/apt/archives/*.deb /debootstrap
`;

/**
 * A Debian 12 with systemd, made once on a machine and kept under a tag that changes with its recipe; a minute with
 * debootstrap.
 *
 * @returns the image's name
 */
export function baseImage(): string {
  const recipe = createHash("sha256").update(PACKAGES + SHARED_ROOT + MOUNT_NFS + SETUP);
  const name = `bitcoin-homelab-tests/debian:12-${recipe.digest("hex").slice(0, 8)}`;
  if (attempt("docker", ["image", "inspect", name])) return name;
  const root = mkdtempSync(join(tmpdir(), "debian-"));
  try {
    command("debootstrap", ["--variant=minbase", `--include=${PACKAGES}`, "bookworm", root]);
    writeFileSync(join(root, "etc/systemd/system/shared-root.service"), SHARED_ROOT);
    command("mkdir", ["-p", join(root, "etc/systemd/system/sysinit.target.wants")]);
    writeFileSync(join(root, "usr/sbin/mount.nfs"), MOUNT_NFS);
    writeFileSync(join(root, "setup"), SETUP);
    command("chroot", [root, "sh", "/setup"]);
    rmSync(join(root, "setup"));
    command("tar", ["-C", root, "--numeric-owner", "-cf", `${root}.tar`, "."]);
    command("docker", ["import", "--change", 'CMD ["/lib/systemd/systemd"]', `${root}.tar`, name]);
    return name;
  } finally {
    rmSync(root, { recursive: true, force: true });
    rmSync(`${root}.tar`, { force: true });
  }
}
