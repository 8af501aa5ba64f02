import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, openSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

export interface LoopbackAgent {
  /** Where its configuration, data and log are. */
  readonly folder: string;
  readonly http: number;
  readonly rpc: number;
  readonly serf: number;
  /** The rest of its configuration: what makes it a server, a client or both. */
  readonly options: string;
}

/** Starts an agent of Nomad that listens on 127.0.0.1 alone, for the first time or again. */
export function startAgent({ folder, http, rpc, serf, options }: LoopbackAgent): ChildProcess {
  mkdirSync(folder, { recursive: true });
  const config = join(folder, "agent.hcl");
  writeFileSync(
    config,
    `datacenter = "homelab"
data_dir = "${folder}/data"
bind_addr = "127.0.0.1"
disable_update_check = true
leave_on_interrupt = false
ports {
  http = ${http}
  rpc = ${rpc}
  serf = ${serf}
}
advertise {
  http = "127.0.0.1"
  rpc = "127.0.0.1"
  serf = "127.0.0.1"
}
consul {
  auto_advertise = false
  server_auto_join = false
  client_auto_join = false
}
${options}
`,
  );
  const log = openSync(join(folder, "agent.log"), "a");
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("NOMAD_")));
  return spawn("nomad", ["agent", "-config", config], { stdio: ["ignore", log, log], env });
}

/** Ends an agent and waits until it has ended. */
export async function endAgent(agent: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (!agent || agent.exitCode !== null || agent.signalCode !== null) return;
  const ended = new Promise((done) => agent.once("exit", done));
  agent.kill(signal);
  await ended;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}
