import type { Template } from "../../.gen/nomad/job";
import { BEFORE_UPGRADE, CHANNEL_BACKUPS, CHANNEL_COPIES } from "../../model/backup-jobs";
import { IDENTITY_FILE } from "../../model/identity";
import {
  IDENTITY_MARKER,
  LIGHTNING_STATE,
  LOCK,
  RESTORE_PART,
  SET_ASIDE,
  START_MARKER,
  UNFINISHED_RESTORE,
  VOLUME_MARKER,
} from "../../model/marker-files";
import { Duration } from "../../nomad/duration";
import { shellScript } from "../../nomad/shell";
import { MISSING_SECRET } from "../../nomad/template";
import { entryScript } from "../shell/busybox";
import { probeScript } from "../shell/probe";

/** Where the entry script tells the probe what it does. */
const STATE = "/alloc/data/albyhub";

/** Where the probe records when the node last ran, in epoch seconds. */
const SEEN = "/alloc/data/albyhub-seen";

/** Where the probe counts the starts in a row that were too slow. */
const LATE = "/alloc/data/albyhub-late";

/** No node needs longer to start; and one that cannot start at all is tried again within this. */
const LONGEST_START = Duration.hours(4);

/** Looking at a volume and two files takes a moment; on a NAS that hangs it never ends. */
const LONGEST_CHECK = Duration.minutes(5);

/** The file with the addresses of electrs, rendered for the program and for the probe alike. Empty while there is none. */
export const ELECTRS_ADDRESS = "local/electrs";

/** Keys of the service's Nomad variable; each is rendered to a file of its name below `secrets/`. */
export const DATABASE_PASSWORD = "database_password";
export const AUTO_UNLOCK_PASSWORD = "auto_unlock_password";

export interface EntryProps {
  /** ID of the job. */
  readonly job: string;
  readonly volumeId: string;
  readonly firstStart: boolean;
  /** The Nomad variable, for messages. */
  readonly secrets: string;
  readonly autoUnlock: boolean;
  readonly database: {
    /** `host:port/name` */
    readonly location: string;
    readonly user: string;
    /** libpq's `sslmode`. */
    readonly tls: string;
  };
}

/** Checks volume and secrets, waits for electrs, starts the hub. */
export function albyHubEntry({ job, volumeId, firstStart, secrets, autoUnlock, database }: EntryProps): Template {
  const parts = ["electrs/ping-electrs", "alby-hub/lock", "alby-hub/claim", "alby-hub/entry"];
  return entryScript(
    parts.map((part) => `constructs/${part}.sh`),
    {
      JOB: job,
      STATE,
      SEEN,
      ADDRESS_FILE: `/${ELECTRS_ADDRESS}`,
      IDENTITY_FILE: `/${IDENTITY_FILE}`,
      VOLUME_ID: volumeId,
      FIRST_START: firstStart,
      LOCK,
      VOLUME_MARKER,
      IDENTITY_MARKER,
      START_MARKER,
      LIGHTNING_STATE,
      UNFINISHED_RESTORE,
      RESTORE_PART,
      SET_ASIDE,
      VARIABLE: secrets,
      MISSING_VALUE: MISSING_SECRET,
      AUTO_UNLOCK: autoUnlock,
      PASSWORD_NAME: DATABASE_PASSWORD,
      UNLOCK_PASSWORD_NAME: AUTO_UNLOCK_PASSWORD,
      DATABASE: database.location,
      DATABASE_USER: database.user,
      DATABASE_TLS: database.tls,
    },
  );
}

/** Answers whether the Lightning node is running, or still has time to start: `grace`, and longer each time it was too slow. */
export function albyHubHealth(httpPort: number, grace: Duration, autoUnlock: boolean): string {
  return probeScript(["constructs/alby-hub/health.sh"], {
    STATE,
    SEEN,
    LATE,
    ADDRESS_FILE: `/${ELECTRS_ADDRESS}`,
    AUTO_UNLOCK: autoUnlock,
    HTTP_PORT: httpPort,
    GRACE: grace.toSeconds(),
    LONGEST: (grace.isLongerThan(LONGEST_START) ? grace : LONGEST_START).toSeconds(),
    CHECKING: LONGEST_CHECK.toSeconds(),
  });
}

/** Copies channel backups to a second place, and removes stale copies of the work directory from there. */
export function channelBackupsScript(job: string): string {
  return shellScript(["constructs/alby-hub/is-complete.sh", "constructs/alby-hub/channel-backups.sh"], {
    JOB: job,
    CHANNEL_BACKUPS,
    CHANNEL_COPIES,
    BEFORE_UPGRADE,
    SEEN,
  });
}
