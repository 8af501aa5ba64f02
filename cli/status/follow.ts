import { Duration } from "../../nomad/duration";
import { NomadError } from "../../nomad/nomad-error";
import { scrubbed } from "../../rules/shared/scrub";
import type { Target } from "../shared/target";
import { sleep } from "../shared/watch";
import { statusOf } from "./model";

const EVERY = Duration.seconds(10);

/**
 * Tells of each service that becomes bad, and why, until it is ended: beside a deploy, which itself says nothing until
 * Nomad gives up on a deployment. What was bad before is not told.
 */
export async function follow(
  targets: readonly Target[],
  say: (text: string) => void,
  { every = EVERY, signal }: { readonly every?: Duration; readonly signal?: AbortSignal } = {},
): Promise<void> {
  const known = new Map<string, string>();
  for (let isFirst = true; !signal?.aborted; isFirst = false) {
    try {
      // What programs say of themselves may hold a password in a URL.
      for (const { stack, services } of scrubbed(await Promise.all(targets.map(statusOf)))) {
        for (const { name, mood, problem = "" } of services) {
          const id = `${stack}/${name}`;
          // Ages in it change, and are no news.
          const text = mood === "bad" ? problem.replace(/\d+/g, "…") : "";
          if (!isFirst && text && known.get(id) !== text) say(`${name}: ${problem}`);
          known.set(id, text);
        }
      }
    } catch (error) {
      // Whoever is followed tells of it.
      if (!(error instanceof NomadError)) throw error;
    }
    await sleep(every);
  }
}
