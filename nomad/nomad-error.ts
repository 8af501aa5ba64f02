import { STATUS_CODES } from "node:http";
import type { Duration } from "./duration";

/** A request to Nomad that failed; the message says what to do, and holds nothing of what was sent. */
export class NomadError extends Error {
  override readonly name = "NomadError";

  constructor(
    message: string,
    /** The HTTP status; absent when there was no answer. */
    readonly status?: number,
    /** Whether the next moment may bring another answer. */
    readonly passing = false,
  ) {
    super(message);
  }
}

/** Of the request that an answer refuses. */
export interface Refused {
  readonly hasToken: boolean;
  /** The capability it takes. */
  readonly needs?: string | undefined;
}

/** What a status other than 2xx means. */
export function explainStatus(status: number, answer: string, { hasToken, needs }: Refused): string {
  // A conflict is answered with the variable as it is, secrets and all.
  const told = status === 409 ? "" : problemOf(answer).slice(0, 200);
  if (status === 403) {
    const token = hasToken ? "the token in NOMAD_TOKEN is unknown or has too few rights" : "NOMAD_TOKEN is not set";
    return `${told}: ${token}; this takes ${needs ?? "a capability that it does not have"}`;
  }
  if (told.includes("No cluster leader")) return "the servers have no leader; wait, or see nomad server members";
  if (told.includes("HTTP request to an HTTPS server"))
    return "Nomad speaks TLS here; its address begins with https://";
  return `${status} ${told || STATUS_CODES[status] || "unknown"}`;
}

/** The first line of an answer; of a list of errors, its entries without the heading. */
function problemOf(answer: string): string {
  const [first = "", ...rest] = answer.trim().split("\n");
  const isList = /^\d+ errors? occurred:$/.test(first);
  return isList
    ? rest
        .map((line) => line.replace(/^\s*\*?\s*/, ""))
        .filter(Boolean)
        .join("; ")
    : first;
}

/** Why there was no answer. */
export function explainFailure(error: NodeJS.ErrnoException, address: string, timeout: Duration): string {
  const { code = error.name } = error;
  const server = `Nomad at ${address}`;
  if (code === "ABORT_ERR") return `${server} did not answer within ${timeout.toSeconds()} s; is it the right address?`;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    const { subjectaltname = "none" } = (error as { cert?: { subjectaltname?: string } }).cert ?? {};
    return `${server} has a certificate for other names: set NOMAD_TLS_SERVER_NAME to one of ${subjectaltname} (${code})`;
  }
  if (UNKNOWN_AUTHORITY.has(code)) {
    return `${server} has a certificate of an unknown authority: set NOMAD_CACERT to the file with its CA (${code})`;
  }
  if (/wrong version number|packet length too long/i.test(error.message)) {
    return `${server} does not speak TLS; its address begins with http:// (${code})`;
  }
  if (/alert/i.test(`${code} ${error.message}`)) {
    return `${server} wants another client certificate: set NOMAD_CLIENT_CERT and NOMAD_CLIENT_KEY (${code})`;
  }
  return `${server} cannot be reached: ${REASONS[code] ?? error.message} (${code})`;
}

const UNKNOWN_AUTHORITY = new Set([
  "CERT_UNTRUSTED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

const REASONS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  EAI_AGAIN: "its name cannot be looked up now",
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the connection was cut",
  EHOSTUNREACH: "there is no way to the host",
  ENOTFOUND: "its name is not known here",
  ETIMEDOUT: "it does not answer",
};
