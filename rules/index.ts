import { bridgeNetworking } from "./bridge-networking";
import { changeMode } from "./change-mode";
import { databaseIdentity } from "./database-identity";
import { funds } from "./funds";
import { healthCheck } from "./health-check";
import { imageVersions } from "./image-versions";
import { jobIdentity } from "./job-identity";
import { memoryLimits } from "./memory-limits";
import { mountFlags } from "./mount-flags";
import { noErrorTemplates } from "./no-error-templates";
import { noSecretInJob } from "./no-secret-in-job";
import { nomadVersion } from "./nomad-version";
import { nonRoot } from "./non-root";
import { oneProvider } from "./one-provider";
import { oneWayData } from "./one-way-data";
import { openFiles } from "./open-files";
import { ownSecretPath } from "./own-secret-path";
import { pinnedImage } from "./pinned-image";
import { placement } from "./placement";
import { privileged } from "./privileged";
import { readableJob } from "./readable-job";
import { resources } from "./resources";
import type { Rule } from "./rule";
import { schedule } from "./schedule";
import { secondPlace } from "./second-place";
import { secretChangeMode } from "./secret-change-mode";
import { serviceProvided } from "./service-provided";
import { singleWriter } from "./single-writer";
import { staticPort } from "./static-port";
import { stopChain } from "./stop-chain";
import { volumeExists } from "./volume-exists";
import { volumeIdentity } from "./volume-identity";

/** All but `placement`, with their names as literals. */
const NAMED = [
  // What costs money or days comes first.
  funds,
  singleWriter,
  oneWayData,
  volumeIdentity,
  databaseIdentity,
  secondPlace,
  volumeExists,
  mountFlags,
  stopChain,
  changeMode,
  // What runs.
  readableJob,
  pinnedImage,
  imageVersions,
  nomadVersion,
  jobIdentity,
  memoryLimits,
  openFiles,
  resources,
  healthCheck,
  schedule,
  // How it is reached.
  bridgeNetworking,
  staticPort,
  serviceProvided,
  oneProvider,
  // What it may do and know.
  privileged,
  nonRoot,
  noSecretInJob,
  ownSecretPath,
  secretChangeMode,
  noErrorTemplates,
] as const;

/** Every rule, in the order in which findings are reported. */
export const RULES: readonly Rule[] = [...NAMED, placement];

export type RuleName = (typeof NAMED)[number]["name"] | "placement";
