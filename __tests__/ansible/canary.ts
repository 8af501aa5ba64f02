import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { command } from "../cluster/command";
import type { Machines } from "./machines";

/** What its installation does: asks for a restart of the machine, or fails. */
const POSTINST = `#!/bin/sh
[ ! -e /etc/canary-fails ] || exit 1
[ ! -e /etc/canary-restarts ] || touch /run/reboot-required
`;

/** Installs a package on every machine, of which a repository on the machine has a newer version. */
export function installCanary(machines: Machines): void {
  const folder = join(machines.folder, "canary");
  mkdirSync(join(folder, "repository"), { recursive: true });
  const old = build(folder, "1.0", "#!/bin/sh\n");
  const fresh = build(join(folder, "repository"), "1.1", POSTINST);
  const sha256 = createHash("sha256").update(readFileSync(fresh)).digest("hex");
  const entry = [`Filename: ./canary_1.1.deb`, `Size: ${statSync(fresh).size}`, `SHA256: ${sha256}`].join("\n");
  writeFileSync(join(folder, "repository", "Packages"), `${command("dpkg-deb", ["--field", fresh])}${entry}\n`);
  for (const host of machines.hosts) {
    machines.copy(old, host, "/root/canary.deb");
    machines.copy(join(folder, "repository"), host, "/srv/repository");
    const list = "deb [trusted=yes] file:/srv/repository ./";
    machines.on(host, `dpkg -i /root/canary.deb; echo '${list}' > /etc/apt/sources.list.d/canary.list`);
  }
}

function build(folder: string, version: string, postinst: string): string {
  const root = join(folder, `root-${version}`);
  mkdirSync(join(root, "DEBIAN"), { recursive: true });
  const control = [
    "Package: canary",
    `Version: ${version}`,
    "Architecture: all",
    "Maintainer: tests <tests@localhost>",
  ];
  writeFileSync(join(root, "DEBIAN", "control"), `${control.join("\n")}\nDescription: something to upgrade\n`);
  writeFileSync(join(root, "DEBIAN", "postinst"), postinst);
  chmodSync(join(root, "DEBIAN", "postinst"), 0o755);
  const file = join(folder, `canary_${version}.deb`);
  command("dpkg-deb", ["--root-owner-group", "--build", root, file]);
  return file;
}
