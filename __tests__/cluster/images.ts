import { chmodSync, copyFileSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { PinnedImage } from "../../nomad/image";
import { postgresFolder } from "../backup/postgres";
import { postgresBinaries } from "../tools";
import { attempt, command } from "./command";
import type { Run } from "./run";

/**
 * Whether bitcoind and electrs are the real ones, on regtest: where both are on PATH, since a real one wants no stand-in
 * for its partner. The stand-in in their image starts them and keeps the journal.
 */
export const REAL = ["bitcoind", "electrs"].every((program) => attempt("which", [program]));

/** The images of the homelab, each under its real name and tag, in a registry of the run. */
export interface Images {
  readonly bitcoin: PinnedImage;
  readonly electrs: PinnedImage;
  readonly hub: PinnedImage;
  readonly busybox: PinnedImage;
  readonly nfs: PinnedImage;
  readonly pause: PinnedImage;
  readonly restic: PinnedImage;
  readonly postgres: PinnedImage;
}

/**
 * Builds the images from nothing but local programs: stand-ins for bitcoind, electrs and Alby Hub, this machine's
 * busybox, NFS plugin, restic and PostgreSQL. A registry of their own keeps them apart from real images of the same name, which a Nomad
 * client on this machine may be running.
 */
export function buildImages(run: Run): Images {
  const standIn = run.path("stand-in");
  command("go", ["build", "-trimpath", "-ldflags=-s -w", "-o", standIn, "."], {
    cwd: join(__dirname, "stand-ins"),
    env: { CGO_ENABLED: "0", GOTOOLCHAIN: "local", GOFLAGS: "-buildvcs=false" },
  });
  const busybox = which("busybox");
  return {
    bitcoin: image(run, "bitcoin/bitcoin:31.1", { "usr/local/bin/bitcoind": standIn, ...real("bitcoind") }),
    electrs: image(run, "getumbrel/electrs:v0.11.1", { "usr/local/bin/electrs": standIn, ...real("electrs") }),
    hub: image(run, "getalby/hub:v1.24.0", { "bin/main": standIn }),
    nfs: image(
      run,
      "sig-storage/nfsplugin:v4.13.4",
      { nfsplugin: which("nfsplugin"), "bin/mount": standIn, "bin/umount": standIn },
      'ENTRYPOINT ["/nfsplugin"]',
    ),
    busybox: image(run, "library/busybox:1.37.0-musl", { "bin/busybox": busybox }),
    pause: image(run, "pause:3.3", { pause: standIn }, 'ENTRYPOINT ["/pause"]'),
    ...backupImages(run, busybox),
  };
}

/** One layer with these files, and the folders that programs expect. busybox comes with a link for each applet. */
export function image(
  run: Run,
  name: PinnedImage,
  files: Record<string, string>,
  change = 'CMD ["/bin/sh"]',
  path = "/usr/local/bin:/bin",
): PinnedImage {
  const root = run.path("images", name.replace(/\W/g, "-"));
  for (const folder of ["tmp", "etc", "dev", "proc", "sys"]) mkdirSync(join(root, folder), { recursive: true });
  chmodSync(join(root, "tmp"), 0o1777);
  for (const [target, source] of Object.entries(files)) {
    mkdirSync(dirname(join(root, target)), { recursive: true });
    copyFileSync(source, join(root, target));
    chmodSync(join(root, target), 0o755);
    if (target !== "bin/busybox") continue;
    const applets = command(source, ["--list"]).split("\n");
    for (const applet of applets) if (applet && applet !== "busybox") symlinkSync("busybox", join(root, "bin", applet));
  }
  const reference = `${run.registry}/${name}` as const;
  command("tar", ["-C", root, "--owner=0", "--group=0", "-cf", `${root}.tar`, "."]);
  command("docker", ["import", "--change", `ENV PATH=${path}`, "--change", change, `${root}.tar`, reference]);
  return reference;
}

/** restic and PostgreSQL as they are here, with busybox's programs around them, or none where they are not here. */
function backupImages(run: Run, busybox: string): Pick<Images, "restic" | "postgres"> {
  const names = { restic: "restic/restic:0.18.1", postgres: `library/postgres:${postgresVersion()}` } as const;
  const shell = { "bin/busybox": busybox };
  const restic = attempt("which", ["restic"]).trim();
  const folder = postgresBinaries() && postgresFolder();
  return {
    restic: restic
      ? image(run, names.restic, { ...shell, "usr/local/bin/restic": restic, ...librariesOf(restic) })
      : `${run.registry}/${names.restic}`,
    postgres: folder
      ? image(
          run,
          names.postgres,
          { ...shell, ...postgresFiles(run, folder) },
          undefined,
          `${folder}:/usr/local/bin:/bin`,
        )
      : `${run.registry}/${names.postgres}`,
  };
}

/** Its programs, where they are here, with what they load and read; and the user that they want to be. */
function postgresFiles(run: Run, folder: string): Record<string, string> {
  const users = run.path("passwd");
  writeFileSync(users, "root:x:0:0::/:/bin/sh\npostgres:x:999:999::/tmp:/bin/sh\n");
  const ask = (what: string) => command(join(folder, "pg_config"), [what]).trim();
  const programs = ["initdb", "pg_ctl", "postgres", "psql", "pg_dump", "pg_restore", "createdb"];
  const files = [
    ...programs.map((program) => join(folder, program)),
    ...["plpgsql.so", "dict_snowball.so"].map((library) => join(ask("--pkglibdir"), library)),
    ...filesBelow(ask("--sharedir")),
  ];
  return {
    "etc/passwd": users,
    ...Object.fromEntries(files.map((file) => [file.slice(1), file])),
    ...Object.assign({}, ...files.filter((file) => !file.startsWith(ask("--sharedir"))).map(librariesOf)),
  };
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** `15.13`; of the server's own major version, as a backup demands it. */
function postgresVersion(): string {
  const folder = postgresBinaries();
  return /[\d.]+/.exec(folder ? command(join(folder, "postgres"), ["--version"]) : "")?.[0] ?? "0";
}

/** A real program with the libraries that it is linked with, as files of an image. */
function real(program: string): Record<string, string> {
  if (!REAL) return {};
  const file = which(program);
  return { [`real/${program}`]: file, ...librariesOf(file) };
}

function librariesOf(file: string): Record<string, string> {
  const libraries = [...attempt("ldd", [file]).matchAll(/(?:^|\s)(\/\S+) \(0x/g)].map(([, library = ""]) => library);
  return Object.fromEntries(libraries.map((library) => [library.slice(1), library]));
}

export function which(program: string): string {
  return command("which", [program]).trim();
}
