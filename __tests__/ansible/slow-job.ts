import { until } from "../cluster/command";
import { CLIENTS, STAND_IN } from "./image";
import type { Machines } from "./machines";

/** Ignores SIGTERM for a minute, then writes that it ended by itself. A task that is killed leaves its «start» alone. */
const SCRIPT = `trap 'sleep 60; echo clean $NOMAD_ALLOC_ID >> /journal/log; exit 0' TERM
echo start $NOMAD_ALLOC_ID >> /journal/log
while :; do sleep 1; done`;

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
            image: STAND_IN,
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

/** Registers a job that takes a minute to stop. */
export async function runSlowJob(machines: Machines): Promise<void> {
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
  const clients = CLIENTS.filter((client) => machines.hosts.includes(client));
  const lines = clients.flatMap((client) =>
    machines.on(client, "cat /var/lib/journal/log 2>/dev/null || true").split("\n"),
  );
  const count = (event: string) => lines.filter((line) => line.startsWith(event)).length;
  return { starts: count("start"), cleanStops: count("clean") };
}
