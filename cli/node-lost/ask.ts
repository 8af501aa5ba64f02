import { createConnection } from "node:net";
import { networkInterfaces } from "node:os";
import { Duration } from "../../nomad/duration";

/** The first and two more attempts of TCP, after one and three seconds, find their way through a busy Wi-Fi. */
const RESPONSE_TIMEOUT = Duration.seconds(4);

/** A place where a machine may answer, and what is there. */
export interface Place {
  readonly host: string;
  readonly port: number;
  readonly what: string;
}

/**
 * What a machine says at one place. `refused` is an answer as well: a machine that is off refuses nothing. `unasked`: the
 * question never left this machine, so silence means nothing.
 */
export type Answer = "answers" | "refused" | "silent" | "unasked";

export interface Asked extends Place {
  readonly answer: Answer;
  /** The system's own word, such as EHOSTUNREACH. */
  readonly code?: string;
}

/** What the system says when nothing came back. Whatever else it says, it does not know. */
const SILENT = new Set(["ETIMEDOUT", "EHOSTUNREACH", "EHOSTDOWN"]);
const REFUSED = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE"]);

/** Knocks at every place at once. It takes as long as the slowest, at most {@link RESPONSE_TIMEOUT}. */
export function ask(places: readonly Place[], timeout = RESPONSE_TIMEOUT): Promise<readonly Asked[]> {
  return Promise.all(places.map((place) => knock(place, timeout)));
}

function knock(place: Place, timeout: Duration): Promise<Asked> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: place.host, port: place.port });
    const end = (answer: Answer, code?: string) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ ...place, answer, ...(code && { code }) });
    };
    const timer = setTimeout(() => end("silent"), timeout.toMilliseconds());
    socket.once("connect", () => end("answers"));
    socket.once("error", ({ code = "unknown" }: NodeJS.ErrnoException) =>
      end(REFUSED.has(code) ? "refused" : SILENT.has(code) ? "silent" : "unasked", code),
    );
  });
}

/** The addresses of the machine that asks: it answers itself whatever its network does. */
export function ownAddresses(): ReadonlySet<string> {
  return new Set(Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address)));
}

/** Each place once, with all that is there. */
export function distinct(places: readonly Place[]): Place[] {
  const known = new Map<string, Set<string>>();
  for (const place of places) {
    known.set(addressOf(place), (known.get(addressOf(place)) ?? new Set()).add(place.what));
  }
  return [...new Map(places.map((place) => [addressOf(place), place])).values()].map((place) => ({
    ...place,
    what: [...(known.get(addressOf(place)) ?? [])].join(", "),
  }));
}

/** `host:port` read back; undefined for what is none, and for an address that means every interface or this machine. */
export function placeOf(address: string, what: string): Place | undefined {
  const [, host = "", port = ""] = /^\[?(.*?)\]?:(\d+)$/.exec(address) ?? [];
  if (host === "" || host === "0.0.0.0" || host === "::") return undefined;
  return { host, port: Number(port), what };
}

export function addressOf({ host, port }: Pick<Place, "host" | "port">): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
