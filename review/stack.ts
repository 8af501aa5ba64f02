import type { Job } from "../.gen/nomad/job";
import type {
  AccessMode,
  ClusterFigures,
  Dependency,
  Holds,
  Homelab,
  HomelabOutput,
  VolumeRecord,
} from "../model/homelab";
import { imagesOf } from "../model/places";
import { identify } from "../model/versions";
import { callsOf } from "../nomad/template-calls";
import { provides, serviceName } from "../rules/service-provided";
import { type ReadJob, readJob, withoutSecrets } from "./jobs";
import { type Change, known, type Plan, type Values } from "./plan";
import { OUTPUT, oddity } from "./shape";

export const VOLUME_TYPES = [
  "nomad_csi_volume_registration",
  "nomad_csi_volume",
  "nomad_volume",
  "nomad_external_volume",
];

/** A job of the stack, before or after. */
export interface JobEntry {
  readonly address: string;
  readonly read: ReadJob;
  /** The job with its secrets taken out, for every text. */
  readonly shown?: Job;
  /** Whether Nomad stops it when Terraform destroys the resource. */
  readonly deregisters: boolean;
}

/** A volume of the stack, before or after. */
export interface VolumeEntry {
  readonly address: string;
  readonly record: VolumeRecord;
  /** What it holds; undefined when neither the stack nor its jobs say. */
  readonly holds?: Holds;
  /** Whether Nomad forgets it when Terraform destroys the resource. */
  readonly deregisters: boolean;
  /** Whether destroying the resource deletes what is in it. */
  readonly deletes: boolean;
}

/** All that a plan says of one moment. */
export interface Side {
  readonly jobs: readonly JobEntry[];
  readonly volumes: readonly VolumeEntry[];
  /** For the rules: the jobs that can be read, without their secrets. */
  readonly homelab: Homelab;
  /** Whether the stack describes itself in the output `homelab`. */
  readonly described: boolean;
  /** Terraform's own settings, when the stack tells them. */
  readonly terraform?: HomelabOutput["terraform"];
}

/** The stack as it is in Terraform's state, and as it will be. */
export function sidesOf(plan: Plan): { before: Side; after: Side } {
  return { before: sideOf(plan.changes, "before", plan.homelab), after: sideOf(plan.changes, "after", plan.homelab) };
}

export function sideOf(
  changes: readonly Pick<Change, "address" | "type" | "before" | "after">[],
  side: "before" | "after",
  outputs: Plan["homelab"],
): Side {
  // A stack that is destroyed describes itself before, one that is made after; each holds for the other.
  const output = described(outputs[side]) ?? described(outputs.before) ?? described(outputs.after);
  const own = described(outputs[side]);
  const values = changes.flatMap(({ address, type, [side]: value }) => (value ? [{ address, type, value }] : []));
  const jobs = values
    .filter(({ type }) => type === "nomad_job")
    .map(({ address, value }): JobEntry => {
      const read = readJob(value);
      return {
        address,
        read,
        ...(read.job && { shown: withoutSecrets(read.job) }),
        deregisters: value.deregister_on_destroy !== false,
      };
    });
  const readable = jobs.flatMap(({ address, shown }) => (shown ? [{ address, job: shown }] : []));
  const volumes = values
    .filter(({ type }) => VOLUME_TYPES.includes(type))
    .map(({ address, type, value }) => volumeOf(address, type, value, output, readable));
  const records = readable.map(({ address, job }) => ({
    ...(output?.jobs[address] ?? {
      path: address,
      retained: !jobs.find((one) => one.address === address)?.deregisters,
    }),
    job,
  }));
  return {
    jobs,
    volumes,
    described: output !== undefined,
    ...(own?.terraform && { terraform: own.terraform }),
    homelab: {
      cluster: output?.cluster ?? NOT_TOLD,
      jobs: records,
      volumes: [...volumes.map(({ record }) => record), ...(output?.volumes ?? []).filter(({ managed }) => !managed)],
      secrets: output?.secrets ?? [],
      dependencies: dependenciesOf(
        readable.map(({ job }) => job),
        output,
      ),
      acknowledgements: own?.acknowledgements ?? [],
      notices: [],
    },
  };
}

function described(value: unknown): HomelabOutput | undefined {
  if (value === undefined || value === null || oddity(value, OUTPUT, "odd")) return undefined;
  const output = value as HomelabOutput;
  const { maxKillTimeout, drainDeadline } = output.cluster;
  return [maxKillTimeout, drainDeadline].every((text) => /^(?:\d+[smh])+$/.test(text)) ? output : undefined;
}

/** Where nobody tells how the cluster is set, nothing is held against a job for it. */
const NOT_TOLD: ClusterFigures = {
  datacenter: "*",
  clients: [],
  maxKillTimeout: "1h",
  drainDeadline: "1h",
  memoryOversubscription: true,
};

/** The first block of its kind, or a map, by its keys. */
function block(value: unknown): Values {
  const first = Array.isArray(value) ? value[0] : value;
  return typeof first === "object" && first !== null ? (first as Values) : {};
}

function volumeOf(
  address: string,
  type: string,
  values: Values,
  output: HomelabOutput | undefined,
  jobs: readonly { readonly job: Job }[],
): VolumeEntry {
  const id = known(values.volume_id) ?? address;
  const namespace = known(values.namespace) ?? "default";
  const told =
    output?.volumes.find((one) => one.id === id && one.namespace === namespace) ??
    output?.volumes.find((one) => one.id === id);
  const holds = told?.holds ?? guessHolds(id, namespace, jobs);
  const [capability, options] = [block(values.capability), block(values.mount_options)];
  const [server, share] = ["server", "share"].map((key) =>
    known({ ...block(values.parameters), ...block(values.context) }[key]),
  );
  const deletes = type === "nomad_csi_volume" || type === "nomad_external_volume";
  return {
    address,
    ...(holds && { holds }),
    deletes,
    deregisters: deletes || values.deregister_on_destroy !== false,
    record: {
      path: told?.path ?? address,
      namespace,
      id,
      // The rules know no volume that holds nothing; an index is what they are the least strict with.
      holds: holds ?? "index",
      accessMode: (known(capability.access_mode) ?? known(values.access_mode) ?? "single-node-writer") as AccessMode,
      attachmentMode: (known(capability.attachment_mode) ??
        known(values.attachment_mode) ??
        "file-system") as "file-system",
      mountFlags: [options.mount_flags].flat().filter((flag): flag is string => known(flag) !== undefined),
      retained: told?.retained ?? values.deregister_on_destroy === false,
      ...(server && share && { source: { server, share } }),
      managed: true,
    },
  };
}

const HOLDS = { "Bitcoin Core": "chain", electrs: "index", "Alby Hub": "funds" } as const;

/** Words that tell what a volume holds where no image does. Lightning comes first: `bitcoin-lnd` holds funds. */
const WORDS: readonly [Holds, RegExp][] = [
  [
    "funds",
    /(?:^|[^a-z])(?:lnd|ldk|cln|clightning|core-lightning|lightning|eclair|phoenixd|alby(?:hub)?|wallets?|cashu|fedimint)(?:$|[^a-z])/,
  ],
  ["index", /(?:^|[^a-z])(?:electrs|electrumx|fulcrum|mempool|esplora)(?:$|[^a-z])/],
  ["chain", /(?:^|[^a-z])(?:bitcoin|bitcoind|btc|chain|knots)(?:$|[^a-z])/],
];

/** What a volume holds by who writes it, when the stack does not say. */
function guessHolds(id: string, namespace: string, jobs: readonly { readonly job: Job }[]): Holds | undefined {
  const writers = jobs.filter(({ job }) =>
    job.TaskGroups.some(({ Volumes }) =>
      Object.values(Volumes ?? {}).some(
        ({ Source, ReadOnly }) => Source === id && ReadOnly !== true && job.Namespace === namespace,
      ),
    ),
  );
  const images = imagesOf({ jobs: writers.map(({ job }) => ({ path: "", job, retained: false })) });
  const known = images.flatMap((place) => {
    const program = identify(place, place.image)?.program;
    return program ? [HOLDS[program]] : [];
  });
  for (const holds of ["funds", "chain", "index"] as const) if (known.includes(holds)) return holds;
  const words = [id, ...writers.map(({ job }) => job.ID), ...images.map(({ image }) => image)].map((one) =>
    one.toLowerCase().replaceAll("_", "-"),
  );
  return WORDS.find(([, pattern]) => words.some((word) => pattern.test(word)))?.[0];
}

/** What the stack says, and what the templates of its jobs ask for. */
function dependenciesOf(jobs: readonly Job[], output: HomelabOutput | undefined): Dependency[] {
  const asked = jobs.flatMap((job) => {
    const templates = job.TaskGroups.flatMap(({ Tasks }) => Tasks.flatMap(({ Templates }) => Templates ?? []));
    const names = templates.flatMap((template) => callsOf(template, ["nomadService"]).map(({ argument }) => argument));
    const providers = jobs.filter(
      (one) => one !== job && names.some((name) => name !== undefined && provides(one, serviceName(name))),
    );
    return providers.map(({ ID }) => ({ from: job.ID, on: ID }));
  });
  const told = output?.dependencies ?? [];
  return [...told, ...asked.filter(({ from, on }) => !told.some((one) => one.from === from && one.on === on))];
}
