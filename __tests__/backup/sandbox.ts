import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import type { Job, Task } from "../../.gen/nomad/job";
import type { BackupProps } from "../../constructs";
import { testCluster } from "../cluster-fixture";
import { addBackup, buildHomelab } from "../homelab-fixture";
import { AS_NOBODY, NOBODY, type Postgres, postgresFolder } from "./postgres";

export const RESTIC_PASSWORD = "restic-test_1";

/** What one run of a job was. */
export interface Run {
  /** Of the last task: what Nomad would call the allocation's end. */
  readonly code: number | null;
  /** All that the tasks printed, by task. */
  readonly logs: Readonly<Record<string, string>>;
}

/** What a run may differ in. */
export interface Circumstances {
  /** Another folder, for a run beside another. */
  readonly allocation?: string;
  readonly meta?: Record<string, string>;
  readonly env?: Record<string, string>;
  readonly secrets?: Record<string, string>;
  /** Called after a task has ended. */
  readonly after?: (task: string, allocation: string) => void;
  /** Called when a task has started. */
  readonly started?: (task: string, child: ChildProcess, allocation: string) => void;
}

/**
 * The folders that Nomad and the NAS give to the jobs of a backup, below a temporary one, and the jobs as the construct
 * renders them: every script runs as it is, with busybox's programs where the image is restic's, with this machine's
 * where it is PostgreSQL's.
 */
export class Sandbox {
  static async start(postgres: Postgres, props: Partial<BackupProps> = {}): Promise<Sandbox> {
    const api = createServer();
    await new Promise<void>((done) => api.listen(0, "127.0.0.1", done));
    return new Sandbox(postgres, api, props);
  }

  readonly root = mkdtempSync("/tmp/hl-backup-");
  readonly jobs: Readonly<Record<string, Job>>;
  /** What was written to Nomad's variables, by path. */
  variables: Record<string, Record<string, string>> = {};
  /** Status of every answer of Nomad. */
  nomadStatus = 200;

  private constructor(
    readonly postgres: Postgres,
    private readonly api: Server,
    props: Partial<BackupProps>,
  ) {
    const homelab = buildHomelab({
      backup: {},
      stack: {
        cluster: testCluster({ postgres: { address: "127.0.0.1", port: postgres.port } }),
        ...(props.terraformState && { state: "pg" }),
      },
    });
    this.jobs = addBackup(homelab, props).backup.jobs;
    for (const folder of ["backup", "snapshots", "data/albyhub", "bin", "allocations"]) {
      mkdirSync(join(this.root, folder), { recursive: true });
    }
    const busybox = execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim();
    for (const applet of execFileSync(busybox, ["--list"], { encoding: "utf8" }).split("\n")) {
      if (applet) symlinkSync(busybox, join(this.root, "bin", applet));
    }
    const restic = execFileSync("sh", ["-c", "command -v restic"], { encoding: "utf8" }).trim();
    symlinkSync(restic, join(this.root, "bin/restic"));
    this.own();
    api.on("request", (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk) => chunks.push(chunk));
      request.on("end", () => {
        if (this.nomadStatus !== 200) {
          response.writeHead(this.nomadStatus).end("no");
          return;
        }
        if (request.url?.startsWith("/v1/vars")) {
          const query = new URL(request.url, "http://nomad").searchParams;
          const own = Object.keys(this.variables).map((Path) => ({ Namespace: "default", Path, CreateIndex: 5 }));
          const of = (namespace: string | null) => (one: { Namespace: string; Path: string }) =>
            (namespace === "*" || one.Namespace === namespace) && one.Path.startsWith(query.get("prefix") ?? "");
          response.end(JSON.stringify([...VARIABLES, ...own].filter(of(query.get("namespace")))));
          return;
        }
        const { Path, Namespace, Items } = JSON.parse(Buffer.concat(chunks).toString());
        expect([Namespace, request.url]).toEqual(["default", `/v1/var/${Path}?namespace=default`]);
        expect(request.headers["x-nomad-token"]).toBe("identity");
        this.variables[Path] = Items;
        response.end(JSON.stringify({ Path }));
      });
    });
  }

  /** A path below the sandbox. */
  path(...parts: string[]): string {
    return join(this.root, ...parts);
  }

  /** Writes a file, for the tasks to read. */
  put(path: string, content: string | Buffer): void {
    mkdirSync(dirname(this.path(path)), { recursive: true });
    writeFileSync(this.path(path), content);
    this.own();
  }

  /** The variable that a job leaves. */
  told(name: string): Record<string, string> {
    return this.variables[`homelab/backup/${name}`] ?? {};
  }

  /** Runs a job's tasks one after the other, as Nomad does, in an allocation of their own. */
  async run(id: string, circumstances: Circumstances = {}): Promise<Run> {
    const job = this.jobs[id];
    const [group] = job?.TaskGroups ?? [];
    if (!group) throw new Error(`there is no job ${id}`);
    // One path for all, as in a container: it is that of the files in the repository.
    const allocation = this.path("allocations", circumstances.allocation ?? "one");
    mkdirSync(join(allocation, "alloc/data"), { recursive: true });
    const order = ["prestart", undefined, "poststop"] as const;
    const tasks = order.flatMap((hook) => group.Tasks.filter(({ Lifecycle }) => Lifecycle?.Hook === hook));
    const logs: Record<string, string> = {};
    let code: number | null = 0;
    for (const task of tasks) {
      const ended = await this.task(task, allocation, circumstances);
      logs[task.Name] = ended.text;
      ({ code } = ended);
      circumstances.after?.(task.Name, allocation);
    }
    rmSync(allocation, { recursive: true, force: true });
    return { code, logs };
  }

  private task(
    task: Task,
    allocation: string,
    circumstances: Circumstances,
  ): Promise<{ code: number | null; text: string }> {
    const folder = join(allocation, task.Name);
    for (const part of ["local", "secrets"]) mkdirSync(join(folder, part), { recursive: true });
    for (const { DestPath, EmbeddedTmpl } of task.Templates ?? []) {
      const key = DestPath?.replace("secrets/", "") ?? "";
      const isSecret = DestPath?.startsWith("secrets/");
      const values: Record<string, string> = {
        restic_password: RESTIC_PASSWORD,
        albyhub_database_password: this.postgres.password,
        terraform_database_password: this.postgres.password,
        ...circumstances.secrets,
      };
      const secret = values[key] ?? `the Nomad variable has no value under the key ${key}`;
      writeFileSync(join(folder, DestPath ?? ""), isSecret ? secret : (EmbeddedTmpl ?? ""));
    }
    this.own(allocation);
    const isPostgres = String(task.Config.image).startsWith("postgres");
    const mapped = Object.entries(task.Env ?? {}).map(([name, value]) => [
      name,
      value
        .replace(/^\/(backup|data|snapshots)\b/, `${this.root}/$1`)
        .replace(/^\/(local|secrets)\b/, `${folder}/$1`)
        .replace("${attr.unique.network.ip-address}:4646", `127.0.0.1:${(this.api.address() as AddressInfo).port}`),
    ]);
    const meta = Object.entries(circumstances.meta ?? {}).map(([key, value]) => [`NOMAD_META_${key}`, value]);
    const env = {
      PATH: isPostgres ? `${postgresFolder()}:/usr/bin:/bin` : this.path("bin"),
      NOMAD_ALLOC_DIR: join(allocation, "alloc"),
      NOMAD_TASK_DIR: join(folder, "local"),
      NOMAD_SECRETS_DIR: join(folder, "secrets"),
      NOMAD_TASK_NAME: task.Name,
      ...(task.Identity && { NOMAD_TOKEN: "identity" }),
      REPORT_PAUSE: "0",
      ...Object.fromEntries([...mapped, ...meta]),
      LOCK_WAIT: "5s",
      OPEN_WAIT: "10",
      ...circumstances.env,
    };
    const [, script = ""] = /^\/local\/(.*)$/.exec(task.Config.args?.[0] ?? "") ?? [];
    const shell = isPostgres ? "/bin/sh" : this.path("bin/sh");
    const child = spawn(shell, [join(folder, "local", script)], { env, cwd: "/", detached: true, ...AS_NOBODY });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        text += chunk;
      });
    }
    circumstances.started?.(task.Name, child, allocation);
    return new Promise((done) => child.once("close", (code) => done({ code, text })));
  }

  /** restic on the sandbox's repository, as its owner. */
  restic(...args: string[]): string {
    const env = { ...process.env, RESTIC_REPOSITORY: this.path("backup/restic"), RESTIC_PASSWORD, TMPDIR: this.root };
    const options = { encoding: "utf8", env, cwd: "/", stdio: "pipe", ...AS_NOBODY } as const;
    return execFileSync(this.path("bin/restic"), ["--no-cache", ...args], options);
  }

  /** Every path in every snapshot. */
  paths(): string[] {
    const ids = JSON.parse(this.restic("snapshots", "--json")).map(({ id }: { id: string }) => id);
    return ids.flatMap((id: string) => this.restic("ls", id).trim().split("\n").slice(1));
  }

  /** Whoever made it, the tasks may write it. */
  own(path = this.root): void {
    if (process.getuid?.() === 0) execFileSync("chown", ["-R", "-h", `${NOBODY}:${NOBODY}`, path]);
  }

  stop(): void {
    this.api.closeAllConnections();
    this.api.close();
    chmodSync(this.root, 0o755);
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** As Nomad lists variables: names, never values. */
const VARIABLES = [
  { Namespace: "bitcoin", Path: "nomad/jobs/albyhub/albyhub/albyhub", CreateIndex: 1, ModifyIndex: 2 },
  { Namespace: "default", Path: "homelab/pause", CreateIndex: 3, ModifyIndex: 4, Lock: { ID: "x", TTL: "15s" } },
];

/** A static channel backup as the hub writes one. */
export function channelBackup(channels: number, node = `02${"ab".repeat(32)}`): string {
  return JSON.stringify({
    node_id: node,
    channels: Array.from({ length: channels }, (_, n) => ({
      channel_id: createHash("sha256").update(String(n)).digest("hex"),
      peer_id: `03${"cd".repeat(32)}`,
      peer_socket_address: "203.0.113.7:9735",
      channel_size: 1_000_000 + n,
      funding_tx_id: createHash("sha256").update(`tx${n}`).digest("hex"),
      funding_tx_vout: 0,
    })),
    monitors: [{ key: "monitor", value: "00ff".repeat(100) }],
  });
}

/** A snapshot of Nomad's state: a tar in gzip, with checksums of its own. */
export function raftSnapshot(state = "the state of Nomad", sums?: string): Buffer {
  const folder = mkdtempSync("/tmp/hl-raft-");
  try {
    const files: Record<string, string> = {
      "meta.json": JSON.stringify({ Version: 1, ID: "2-42-1", Index: 42, Term: 2 }),
      "state.bin": state,
    };
    const checksum = (text: string) => createHash("sha256").update(text).digest("hex");
    const own = Object.entries(files).map(([name, text]) => `${checksum(text)}  ${name}\n`);
    for (const [name, text] of Object.entries({ ...files, SHA256SUMS: sums ?? own.join("") })) {
      writeFileSync(join(folder, name), text);
    }
    execFileSync("tar", ["-C", folder, "-czf", join(folder, "snap"), "meta.json", "state.bin", "SHA256SUMS"]);
    return readFileSync(join(folder, "snap"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Content of every file below a folder, by path. */
export function tree(folder: string): Record<string, string> {
  if (!existsSync(folder)) return {};
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  return Object.fromEntries(
    files.map((file) => {
      const path = join(file.parentPath, file.name);
      return [path.slice(folder.length + 1), readFileSync(path, "latin1")];
    }),
  );
}
