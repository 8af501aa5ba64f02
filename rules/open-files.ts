import type { Task } from "../.gen/nomad/job";
import { writersOf } from "../model/places";
import type { Finding, Rule } from "./rule";
import { breach } from "./shared/breach";

/**
 * LevelDB takes a fifth of the limit for its tables, and asks for 1,000 of each of bitcoind's databases; RocksDB opens
 * hundreds at once when electrs compacts its index. Connections come on top.
 *
 * @see https://github.com/bitcoin/bitcoin/blob/v31.1/src/leveldb/util/env_posix.cc MaxOpenFiles
 * @see https://github.com/romanz/electrs/blob/v0.11.1/src/db.rs
 */
const FEWEST = 8192;

/** The soft limit of `soft:hard`, or of one number for both; -1 is none. */
function softLimit({ Config }: Task): number | undefined {
  const limits: readonly unknown[] = [Config.ulimit ?? []].flat();
  const text = limits.map((one) => (one as { nofile?: unknown } | null)?.nofile).findLast((one) => one !== undefined);
  const soft = /^(-1|\d+)(?::(?:-1|\d+))?$/.exec(`${text ?? ""}`.trim())?.[1];
  return soft === "-1" ? Number.POSITIVE_INFINITY : soft === undefined ? undefined : Number(soft);
}

/**
 * A limit that the job does not state is the engine's: about a million with Docker 28, and 1,024 with Docker 29, where a
 * first sync ended in a corrupt database.
 *
 * @see https://github.com/moby/moby/issues/51485
 * @see https://github.com/btcpayserver/btcpayserver-docker/issues/1070
 */
export const openFiles = {
  name: "open-files",
  statement: `a task that writes a chain, an index or channels states that it may open at least ${FEWEST} files`,
  check: (homelab) =>
    writersOf(homelab)
      .filter(({ volumes }) => volumes.some(({ holds }) => holds !== "backup"))
      .flatMap((writer) =>
        writer.tasks
          .filter(({ Driver }) => Driver === "docker")
          .flatMap((task): Finding[] => {
            const soft = softLimit(task);
            return breach((soft ?? 0) < FEWEST, { ...writer, task }, "Config.ulimit", {
              value: soft === undefined ? "no nofile" : `nofile ${soft}`,
              problem:
                soft === undefined
                  ? "the limit is the engine's, and Docker 29 gives 1024: a database that cannot open a file can be damaged"
                  : `is below ${FEWEST}: a database that cannot open a file can be damaged`,
              remedy: 'write `ulimit: [{ nofile: "65536:65536" }]` into the Config of the task',
            });
          }),
      ),
} as const satisfies Rule;
