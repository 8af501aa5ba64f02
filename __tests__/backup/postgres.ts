import { execFileSync } from "node:child_process";
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { freePort } from "../cluster/loopback-agent";
import { postgresBinaries } from "../tools";

/** Whom the tasks run as here, when the tests run as root. */
export const NOBODY = 65534;

/** Options with which a program is started as that user. */
export const AS_NOBODY = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};

/** The folder of all of PostgreSQL's programs: `initdb` may be a link into it. */
export function postgresFolder(): string {
  return dirname(realpathSync(join(postgresBinaries() as string, "initdb")));
}

export interface PostgresOptions {
  /** @default 127.0.0.1 */
  readonly address?: string;
  /** Of the superuser and of Alby Hub's role. */
  readonly password?: string;
  /** How a client proves that it knows it. @default scram-sha-256 */
  readonly auth?: "scram-sha-256" | "password";
}

/** A PostgreSQL server with passwords, and the role and database of Alby Hub. */
export class Postgres {
  static async start(options: PostgresOptions = {}): Promise<Postgres> {
    // Short, since the path of a unix socket may have 107 characters.
    const postgres = new Postgres(mkdtempSync("/tmp/hl-pg-"), await freePort(), options);
    postgres.initialize();
    return postgres;
  }

  readonly address: string;
  readonly password: string;

  private constructor(
    readonly folder: string,
    readonly port: number,
    private readonly options: PostgresOptions,
  ) {
    this.address = options.address ?? "127.0.0.1";
    this.password = options.password ?? "url-safe_1.~";
  }

  private initialize(): void {
    const data = join(this.folder, "data");
    mkdirSync(data);
    if (process.getuid?.() === 0) execFileSync("chown", ["-R", `${NOBODY}:${NOBODY}`, this.folder]);
    chmodSync(this.folder, 0o755);
    const secret = join(this.folder, "secret");
    writeFileSync(secret, this.password, { mode: 0o644 });
    this.run(
      "initdb",
      "-D",
      data,
      "-U",
      "postgres",
      `--auth=${this.options.auth ?? "scram-sha-256"}`,
      `--pwfile=${secret}`,
      "-E",
      "UTF8",
      "--no-sync",
    );
    appendFileSync(join(data, "pg_hba.conf"), `host all all 0.0.0.0/0 ${this.options.auth ?? "scram-sha-256"}\n`);
    const options = `-k ${this.folder} -p ${this.port} -c listen_addresses=${this.address} -c fsync=off`;
    this.run("pg_ctl", "-D", data, "-w", "-o", options, "-l", join(this.folder, "log"), "start");
    this.sql(`create role albyhub login password '${this.password}'`);
    this.sql("create database nwc owner albyhub");
  }

  /** As the superuser, or as the role of the hub: the lines of the answer. */
  sql(text: string, database = "postgres", user = "postgres"): string {
    const line = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-U", user, "-c", text];
    return this.run(...(line as [string, ...string[]])).trim();
  }

  /** Starts what runs beside the test; it ends by itself or is killed. */
  environment(): Record<string, string> {
    return {
      PATH: `${postgresFolder()}:${process.env.PATH}`,
      PGHOST: this.address,
      PGPORT: String(this.port),
      PGPASSWORD: this.password,
      HOME: this.folder,
    };
  }

  stop(): void {
    this.run("pg_ctl", "-D", join(this.folder, "data"), "-m", "immediate", "stop");
    rmSync(this.folder, { recursive: true, force: true });
  }

  private run(command: string, ...args: string[]): string {
    const options = { encoding: "utf8", env: this.environment(), cwd: "/", stdio: "pipe", ...AS_NOBODY } as const;
    return execFileSync(join(postgresFolder(), command), args, options);
  }
}

/** Tables of Alby Hub with rows, as far as a backup minds them. */
export const HUB_TABLES = `
  create table apps (id serial primary key, name text);
  create table user_configs (id serial primary key, key text, value text, encrypted boolean);
  create table transactions (id bigserial primary key, amount bigint, payment_hash text);
  create table "Odd ""name with blanks" (x int);
  insert into "Odd ""name with blanks" values (1), (2);
  insert into apps (name) select 'app ' || n from generate_series(1, 7) n;
  insert into user_configs (key, value, encrypted) values ('Mnemonic', 'encrypted words', true), ('LNBackendType', 'LDK', false);
  insert into transactions (amount, payment_hash) select n, md5(n::text) from generate_series(1, 500) n;`;
