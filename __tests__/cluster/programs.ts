import type { Job, Task } from "../../.gen/nomad/job";
import { Duration } from "../../nomad/duration";

export interface ProgramOptions {
  /** Fenced as services of the homelab are. */
  readonly disconnect?: boolean;
  /** @default "lab" */
  readonly namespace?: string;
  /** What it does. @default - it sleeps */
  readonly script?: string;
  readonly memory?: number;
  readonly version?: number;
  readonly killTimeout?: Duration;
}

/** A job that is a shell script of this machine. The types know Docker alone, and the commands any driver. */
export function program(id: string, options: ProgramOptions = {}): Job {
  const { namespace = "lab", script = "sleep 1d & wait", memory = 32, version = 1 } = options;
  const task = {
    Name: "main",
    Driver: "raw_exec",
    Config: { command: "/bin/sh", args: ["-c", `trap 'exit 0' TERM INT; ${script}`] },
    Resources: { CPU: 50, MemoryMB: memory },
    KillTimeout: (options.killTimeout ?? Duration.seconds(5)).toNanoseconds(),
  } as unknown as Task;
  return {
    ID: id,
    Name: id,
    Namespace: namespace,
    Type: "service",
    Datacenters: ["homelab"],
    Meta: { version: String(version) },
    TaskGroups: [
      {
        Name: "main",
        Count: 1,
        Update: {
          HealthCheck: "task_states",
          MinHealthyTime: Duration.seconds(1).toNanoseconds(),
          HealthyDeadline: Duration.seconds(30).toNanoseconds(),
          ProgressDeadline: Duration.seconds(60).toNanoseconds(),
        },
        ...(options.disconnect && {
          Disconnect: {
            LostAfter: Duration.hours(2160).toNanoseconds(),
            Replace: false,
            Reconcile: "keep_original" as const,
          },
        }),
        Tasks: [task],
      },
    ],
  };
}
