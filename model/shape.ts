import type { DockerConfig } from "../.gen/nomad/docker-config";
import type { Job } from "../.gen/nomad/job";
import type { HomelabOutput } from "./homelab";

/**
 * The form of a value: a leaf, a list of one form, a map (`*`) of one form, or an object by its keys, of which others
 * may be there too. `?` marks what may be absent where absence counts.
 */
type Shape =
  | "text"
  | "number"
  | "flag"
  | readonly [Shape]
  | { readonly "*": Shape }
  | { readonly "?": Shape }
  | { readonly [key: string]: Shape };

/** Keeps a shape to the type that it stands for: no key of another name, no leaf of another kind. */
type ShapeOf<T> = T extends string
  ? "text"
  : T extends number
    ? "number"
    : T extends boolean
      ? "flag"
      : T extends readonly (infer M)[]
        ? readonly [ShapeOf<M>]
        : string extends keyof T
          ? { readonly "*": ShapeOf<T[string & keyof T]> }
          : { readonly [K in keyof T]?: ShapeOf<NonNullable<T[K]>> | { readonly "?": ShapeOf<NonNullable<T[K]>> } };

const UPDATE = {
  Stagger: "number",
  MaxParallel: "number",
  MinHealthyTime: "number",
  HealthyDeadline: "number",
  ProgressDeadline: "number",
  Canary: "number",
  AutoRevert: "flag",
} as const;
const CONSTRAINTS = [{ LTarget: "text", RTarget: "text", Operand: "text" }] as const;
const PORTS = [{ Label: "text", Value: "number", To: "number", IgnoreCollision: "flag" }] as const;
const NETWORKS = [{ Mode: "text", ReservedPorts: PORTS, DynamicPorts: PORTS }] as const;
const RESTART = { Limit: "number" } as const;
const SERVICES = [
  {
    Name: "text",
    PortLabel: "text",
    Provider: "text",
    Checks: [{ Name: "text", CheckRestart: RESTART }],
    CheckRestart: RESTART,
  },
] as const;

/** What is read of a job by its kind. A type error in any other field only shows as what it is. */
export const JOB = {
  ID: "text",
  Name: "text",
  Namespace: "text",
  Type: "text",
  Region: "text",
  NodePool: "text",
  Priority: "number",
  Datacenters: ["text"],
  Constraints: CONSTRAINTS,
  Update: UPDATE,
  TaskGroups: [
    {
      Name: "text",
      Count: "number",
      Scaling: { Min: "number", Max: "number" },
      Constraints: CONSTRAINTS,
      Update: UPDATE,
      Disconnect: { LostAfter: "number", Replace: "flag", Reconcile: "text" },
      ShutdownDelay: "number",
      EphemeralDisk: { SizeMB: "number" },
      Volumes: {
        "*": {
          Type: "text",
          Source: "text",
          ReadOnly: "flag",
          AccessMode: "text",
          AttachmentMode: "text",
          PerAlloc: "flag",
        },
      },
      Networks: NETWORKS,
      Services: SERVICES,
      Tasks: [
        {
          Name: "text",
          Driver: "text",
          User: "text",
          KillTimeout: "number",
          KillSignal: "text",
          ShutdownDelay: "number",
          Lifecycle: { Hook: "text", Sidecar: "flag" },
          CSIPluginConfig: { ID: "text" },
          Resources: {
            CPU: "number",
            Cores: "number",
            MemoryMB: "number",
            MemoryMaxMB: "number",
            SecretsMB: "number",
            Networks: NETWORKS,
          },
          LogConfig: { MaxFiles: "number" },
          Services: SERVICES,
          VolumeMounts: [{ Volume: "text", Destination: "text", ReadOnly: "flag" }],
          Templates: [
            {
              DestPath: "text",
              EmbeddedTmpl: "text",
              ChangeMode: "text",
              LeftDelim: "text",
              RightDelim: "text",
              ErrMissingKey: "flag",
            },
          ],
        },
      ],
    },
  ],
} as const satisfies ShapeOf<Job>;

/** What is read of any driver's options. */
export const OPTIONS = { image: "text", command: "text" } as const satisfies ShapeOf<DockerConfig>;

const MOUNTS = [{ type: "text", source: "text", target: "text" }] as const;

/** What is read of Docker's options. */
export const DOCKER = {
  ...OPTIONS,
  args: ["text"],
  cap_add: ["text"],
  devices: [{ host_path: "text" }],
  security_opt: ["text"],
  volumes: ["text"],
  volume_driver: "text",
  network_mode: "text",
  pid_mode: "text",
  ipc_mode: "text",
  userns_mode: "text",
  uts_mode: "text",
  cgroupns: "text",
  memory_hard_limit: "number",
  mount: MOUNTS,
  mounts: MOUNTS,
} as const satisfies ShapeOf<DockerConfig>;

const DATABASE = { server: "text", port: "number", name: "text" } as const;

/** The output `homelab`, in which nothing may lack: one of that name in another form is somebody else's. */
export const OUTPUT = {
  jobs: { "*": { path: "text", retained: "flag", program: { "?": "text" }, database: { "?": DATABASE } } },
  cluster: {
    datacenter: "text",
    clients: [{ name: "text", memory: "number", cpu: "number", arch: { "?": "text" } }],
    maxKillTimeout: "text",
    drainDeadline: "text",
    memoryOversubscription: "flag",
    nomadVersion: { "?": "text" },
  },
  volumes: [
    {
      path: "text",
      namespace: "text",
      id: "text",
      holds: "text",
      accessMode: "text",
      attachmentMode: "text",
      mountFlags: ["text"],
      retained: "flag",
      managed: "flag",
      source: { "?": { server: "text", share: "text" } },
    },
  ],
  secrets: { "?": [{ namespace: "text", path: "text", key: "text", readBy: "text" }] },
  dependencies: [{ from: "text", on: "text" }],
  acknowledgements: [{ path: "text", rule: "text", reason: "text" }],
  terraform: { "?": { provider: "text", nomadAddress: "text", state: "text" } },
} as const satisfies ShapeOf<HomelabOutput>;

/** What Nomad's whole numbers reach to. */
const LARGEST = 2 ** 63;

const KINDS = { text: "text", number: "a number that Nomad takes", flag: "true or false" } as const;

/**
 * The first place where a value has another form; undefined when there is none. The value itself is not told, since it
 * may be a secret.
 *
 * @param absence whether what is not there is `fine` or `odd`.
 * @returns such as `TaskGroups[0].Count is not a number that Nomad takes`.
 */
export function shapeMismatch(value: unknown, shape: Shape, absence: "fine" | "odd", place = ""): string | undefined {
  const isAbsent = value === undefined || value === null;
  const told = (kind: string) => `${place || "it"} is not ${kind}`;
  if (typeof shape === "object" && "?" in shape)
    return isAbsent ? undefined : shapeMismatch(value, shape["?"], absence, place);
  if (isAbsent) return absence === "fine" ? undefined : `${place} is not there`;
  if (typeof shape === "string") return isLeaf(value, shape) ? undefined : told(KINDS[shape]);
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return told("a list");
    return first(value.map((member, at) => () => shapeMismatch(member, shape[0], absence, `${place}[${at}]`)));
  }
  if (typeof value !== "object" || Array.isArray(value)) return told("an object");
  const members = value as Readonly<Record<string, unknown>>;
  const fields = shape as Readonly<Record<string, Shape>>;
  const keys = "*" in fields ? Object.keys(members) : Object.keys(fields);
  return first(
    keys.map((key) => () => {
      const form = fields["*"] ?? fields[key];
      return form && shapeMismatch(members[key], form, absence, place ? `${place}.${key}` : key);
    }),
  );
}

function isLeaf(value: unknown, kind: keyof typeof KINDS): boolean {
  if (kind === "number") return typeof value === "number" && Math.abs(value) < LARGEST;
  return typeof value === (kind === "text" ? "string" : "boolean");
}

function first(attempts: readonly (() => string | undefined)[]): string | undefined {
  for (const attempt of attempts) {
    const found = attempt();
    if (found !== undefined) return found;
  }
  return undefined;
}
