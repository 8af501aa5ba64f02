import type { Job } from "../.gen/nomad/job";
import type { Holds } from "./homelab";
import { identify } from "./versions";

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
export function guessContents(
  id: string,
  namespace: string,
  jobs: readonly { readonly job: Job }[],
): Holds | undefined {
  const writers = jobs.filter(({ job }) =>
    job.TaskGroups.some(({ Volumes }) =>
      Object.values(Volumes ?? {}).some(
        ({ Source, ReadOnly }) => Source === id && ReadOnly !== true && job.Namespace === namespace,
      ),
    ),
  );
  const tasks = writers.flatMap(({ job }) =>
    job.TaskGroups.flatMap(({ Tasks }) => Tasks.map((task) => ({ job, task, image: task.Config.image ?? "" }))),
  );
  const known = tasks.flatMap(({ image, ...place }) => {
    const program = image ? identify(place, image)?.program : undefined;
    return program ? [HOLDS[program]] : [];
  });
  for (const holds of ["funds", "chain", "index"] as const) if (known.includes(holds)) return holds;
  const words = [id, ...writers.map(({ job }) => job.ID), ...tasks.map(({ image }) => image)].map((one) =>
    one.toLowerCase().replaceAll("_", "-"),
  );
  return WORDS.find(([, pattern]) => words.some((word) => pattern.test(word)))?.[0];
}
