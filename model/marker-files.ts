/** The file in the work directory that names its volume. */
export const VOLUME_MARKER = ".homelab-volume";

/**
 * The file in the work directory that names the homelab whose hub owns it. Beside {@link VOLUME_MARKER}, since version
 * 0.1.0 wants nothing but the volume's name in that. It belongs to the folder: no copy takes it along, and none brings one.
 */
export const IDENTITY_MARKER = ".homelab-identity";

/** The file in the work directory that is locked by whoever writes there. It is never replaced: a lock is on the file. */
export const LOCK = ".homelab-lock";

/**
 * In the work directory: changes at every start of the hub, so a copy with the same content was made after the last
 * start. Not when its Lightning node ran: nothing outside of the hub can tell that it never did, not even for a second.
 */
export const START_MARKER = `${VOLUME_MARKER}.started`;

/** Where the hub's Lightning node keeps the state of its channels, below the work directory. */
export const LIGHTNING_STATE = "ldk/storage";

/** In the work directory while a copy is being put back into it; names the copy. Nothing may start on what is between two states. */
export const UNFINISHED_RESTORE = ".homelab-restore";

/** In the work directory: a copy that is being written into it, of which nothing is in its place yet. */
export const RESTORE_PART = ".restore.part";

/** In the work directory: what was there before a copy was put back, with the state of channels in it. */
export const SET_ASIDE = ".before-restore-";
