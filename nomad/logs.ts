import type { NomadClient } from "./client";
import { type AllocationStub, capability } from "./live";

export type LogStream = "stdout" | "stderr";

/** A task's log, as far as Nomad has it; rotated files are joined. */
export interface LogPlace {
  readonly allocation: Pick<AllocationStub, "ID" | "Namespace">;
  readonly task: string;
  readonly stream: LogStream;
}

/**
 * The text of a log, piece by piece; with `follow` without an end.
 *
 * @param tail so many bytes at the end; all of it without.
 * @throws NomadError with status 404 when the task has written nothing yet, or Nomad has forgotten it.
 */
export async function* readLog(
  client: NomadClient,
  { allocation, task, stream }: LogPlace,
  {
    tail,
    follow = false,
    signal,
  }: { readonly tail?: number | undefined; readonly follow?: boolean; readonly signal: AbortSignal },
): AsyncGenerator<string> {
  const place = tail === undefined ? { origin: "start", offset: 0 } : { origin: "end", offset: tail };
  const query = { task, type: stream, plain: true, follow, ...place };
  const decoder = new TextDecoder();
  const options = { namespace: allocation.Namespace, query, needs: capability("read-logs", allocation.Namespace) };
  for await (const chunk of client.stream(["client", "fs", "logs", allocation.ID], options, signal)) {
    yield decoder.decode(chunk, { stream: true });
  }
}

/** The last lines of a log, whole, of at most so many bytes. */
export async function lastLines(client: NomadClient, place: LogPlace, bytes: number): Promise<readonly string[]> {
  let text = "";
  for await (const piece of readLog(client, place, { tail: bytes, signal: AbortSignal.timeout(30_000) })) {
    text += piece;
    // Whoever sends more than was asked for may go on for ever.
    if (text.length > 2 * bytes) break;
  }
  const lines = text.split("\n");
  // The first may have lost its beginning.
  const whole = Buffer.byteLength(text) >= bytes ? lines.slice(1) : lines;
  return whole.filter((line) => line !== "");
}
