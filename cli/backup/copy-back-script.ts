import { BEFORE_UPGRADE } from "../../model/backup-jobs";
import {
  IDENTITY_MARKER,
  LIGHTNING_STATE,
  LOCK,
  RESTORE_PART,
  SET_ASIDE,
  START_MARKER,
  UNFINISHED_RESTORE,
} from "../../model/marker-files";
import { shellScript } from "../../nomad/shell";

/**
 * The script that puts the copy of a work directory back, for a task with the environment of the job backup-copy.
 *
 * @param service ID of its job.
 * @param time of the copy, the name of its folder.
 */
export function copyBackScript(service: string, time: string): string {
  return shellScript(["constructs/alby-hub/lock.sh", "cli/backup/copy-back.sh"], {
    SERVICE: service,
    TIME: time,
    BEFORE_UPGRADE,
    LOCK,
    IDENTITY_MARKER,
    START_MARKER,
    LIGHTNING_STATE,
    UNFINISHED_RESTORE,
    RESTORE_PART,
    SET_ASIDE,
  });
}
