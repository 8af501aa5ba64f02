import { copyFileSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { attempt, command } from "../cluster/command";
import type { Machines } from "./machines";

export const CLIENTS = ["pinode1", "pinode3", "pinode4"];

/** The image of every job: this machine's busybox, and its NFS plugin where there is one. */
export const STAND_IN = "stand-in:1";

/** Puts the image on every client, for machines without a registry, and makes a folder that outlives containers. */
export function installImage(machines: Machines): void {
  const root = join(machines.folder, "image");
  for (const folder of ["bin", "tmp"]) mkdirSync(join(root, folder), { recursive: true });
  copyFileSync(command("which", ["busybox"]).trim(), join(root, "bin", "busybox"));
  for (const applet of ["sh", "sleep"]) symlinkSync("busybox", join(root, "bin", applet));
  const plugin = attempt("which", ["nfsplugin"]).trim();
  if (plugin) copyFileSync(plugin, join(root, "bin", "nfsplugin"));
  command("tar", ["-C", root, "-cf", `${root}.tar`, "."]);
  for (const client of machines.hosts.filter((host) => CLIENTS.includes(host))) {
    machines.copy(`${root}.tar`, client, "/root/image.tar");
    machines.on(client, `docker import /root/image.tar ${STAND_IN}; rm /root/image.tar; mkdir -p /var/lib/journal`);
  }
}
