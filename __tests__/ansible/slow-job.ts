import { copyFileSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { attempt, command, until } from "../cluster/command";
import type { Machines } from "./machines";

/** Ignores SIGTERM for a minute, then writes that it ended by itself. A task that is killed leaves its «start» alone. */
const SCRIPT = `trap 'sleep 60; echo clean $NOMAD_ALLOC_ID >> /journal/log; exit 0' TERM
echo start $NOMAD_ALLOC_ID >> /journal/log
while :; do sleep 1; done`;

const CLIENTS = ["pinode1", "pinode3", "pinode4"];

const JOB = {
  ID: "slow",
  Name: "slow",
  Type: "service",
  Datacenters: ["homelab"],
  Update: { MinHealthyTime: 2e9, HealthCheck: "task_states" },
  TaskGroups: [
    {
      Name: "slow",
      Count: 1,
      Migrate: { MaxParallel: 1, HealthCheck: "task_states", MinHealthyTime: 2e9, HealthyDeadline: 60e9 },
      Tasks: [
        {
          Name: "slow",
          Driver: "docker",
          KillTimeout: 120e9,
          Config: {
            image: "stand-in:1",
            command: "/bin/sh",
            args: ["-c", SCRIPT],
            volumes: ["/var/lib/journal:/journal"],
          },
          Resources: { CPU: 100, MemoryMB: 64 },
        },
      ],
    },
  ],
};

/** Registers a job that takes a minute to stop, with an image that every client has already. */
export async function runSlowJob(machines: Machines): Promise<void> {
  const root = join(machines.folder, "image");
  mkdirSync(join(root, "bin"), { recursive: true });
  copyFileSync(attempt("which", ["busybox"]).trim(), join(root, "bin", "busybox"));
  for (const applet of ["sh", "sleep"]) symlinkSync("busybox", join(root, "bin", applet));
  command("tar", ["-C", root, "-cf", `${root}.tar`, "."]);
  for (const client of CLIENTS) {
    machines.copy(`${root}.tar`, client, "/root/image.tar");
    machines.on(client, "docker import /root/image.tar stand-in:1; mkdir -p /var/lib/journal");
  }
  await machines.nomad("jobs", { method: "POST", body: { Job: JOB } });
  await until("the slow job runs", 60, async () => ((await runningOn(machines)) ? true : undefined));
}

/** The client that the job runs on now. */
export async function runningOn(machines: Machines): Promise<string | undefined> {
  const allocations =
    await machines.nomad<{ NodeName: string; ClientStatus: string; DesiredStatus: string }[]>("job/slow/allocations");
  const live = allocations.filter((one) => one.DesiredStatus === "run" && one.ClientStatus === "running");
  return live.length === 1 ? live[0]?.NodeName : undefined;
}

/** How often it was started and how often it ended by itself, on all clients together. */
export function journal(machines: Machines): { starts: number; cleanStops: number } {
  const lines = CLIENTS.flatMap((client) =>
    machines.on(client, "cat /var/lib/journal/log 2>/dev/null || true").split("\n"),
  );
  const count = (event: string) => lines.filter((line) => line.startsWith(event)).length;
  return { starts: count("start"), cleanStops: count("clean") };
}
