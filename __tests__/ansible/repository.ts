import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { command } from "../cluster/command";
import type { Machines } from "./machines";

/** A package repository like HashiCorp's, with this machine's Nomad as a package, signed with a key of its own. */
export interface Repository {
  readonly url: string;
  readonly keyUrl: string;
  readonly fingerprint: string;
  readonly version: string;
  end(): void;
}

/** @param address where the machines reach this one */
export async function startRepository(machines: Machines, address: string): Promise<Repository> {
  const root = join(machines.folder, "repository");
  const home = join(machines.folder, "gnupg");
  mkdirSync(home, { mode: 0o700 });
  const gpg = (...args: string[]) => command("gpg", ["--homedir", home, "--batch", "--quiet", ...args]);
  gpg("--passphrase", "", "--quick-generate-key", "repository@localhost");
  const [, fingerprint = ""] = /^fpr:+([0-9A-F]+):/m.exec(gpg("--with-colons", "--list-keys")) ?? [];

  const version = /Nomad v(\S+)/.exec(command("nomad", ["version"]))?.[1] ?? "";
  const architecture = command("dpkg", ["--print-architecture"]).trim();
  const index = join(root, "dists/bookworm", `main/binary-${architecture}`);
  mkdirSync(index, { recursive: true });
  mkdirSync(join(root, "pool"));
  const file = join(root, "pool", "nomad.deb");
  buildPackage(join(machines.folder, "package"), file, `${version}-1`, architecture);
  const entry = ["Filename: pool/nomad.deb", `Size: ${statSync(file).size}`, `SHA256: ${sha256(file)}`].join("\n");
  writeFileSync(join(index, "Packages"), `${command("dpkg-deb", ["--field", file])}${entry}\n`);
  const list = `main/binary-${architecture}/Packages`;
  const release = [
    "Suite: bookworm",
    "Components: main",
    `Architectures: ${architecture}`,
    `Date: ${new Date().toUTCString()}`,
    "SHA256:",
    ` ${sha256(join(index, "Packages"))} ${statSync(join(index, "Packages")).size} ${list}`,
  ];
  writeFileSync(join(root, "Release"), `${release.join("\n")}\n`);
  gpg("--output", join(root, "dists/bookworm/InRelease"), "--clearsign", join(root, "Release"));
  writeFileSync(join(root, "gpg"), gpg("--armor", "--export"));

  const server = await serve(root, address);
  const { port } = server.address() as { port: number };
  const url = `http://${address}:${port}`;
  return { url, keyUrl: `${url}/gpg`, fingerprint, version, end: () => server.close() };
}

/** As HashiCorp's: the program, a unit and a configuration of its own. */
function buildPackage(root: string, file: string, version: string, architecture: string): void {
  for (const folder of ["DEBIAN", "etc/nomad.d", "usr/bin", "lib/systemd/system"])
    mkdirSync(join(root, folder), { recursive: true });
  copyFileSync(command("which", ["nomad"]).trim(), join(root, "usr/bin/nomad"));
  const control = [
    "Package: nomad",
    `Version: ${version}`,
    `Architecture: ${architecture}`,
    "Maintainer: tests <t@localhost>",
  ];
  writeFileSync(join(root, "DEBIAN/control"), `${control.join("\n")}\nDescription: Nomad\n`);
  writeFileSync(
    join(root, "lib/systemd/system/nomad.service"),
    "[Service]\nExecStart=/usr/bin/nomad agent -config /etc/nomad.d\n[Install]\nWantedBy=multi-user.target\n",
  );
  writeFileSync(join(root, "etc/nomad.d/nomad.hcl"), 'data_dir = "/opt/nomad/data"\n');
  writeFileSync(join(root, "DEBIAN/conffiles"), "/etc/nomad.d/nomad.hcl\n");
  writeFileSync(join(root, "DEBIAN/postinst"), "#!/bin/sh\nsystemctl daemon-reload\n");
  chmodSync(join(root, "DEBIAN/postinst"), 0o755);
  command("dpkg-deb", ["--root-owner-group", "-Znone", "--build", root, file]);
}

function serve(root: string, address: string): Promise<Server> {
  const server = createServer((request, response) => {
    try {
      response.end(readFileSync(join(root, new URL(request.url ?? "", "http://x").pathname)));
    } catch {
      response.writeHead(404).end();
    }
  });
  return new Promise((done, fail) => {
    server.once("error", fail);
    server.listen(0, address, () => done(server));
  });
}

function sha256(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}
