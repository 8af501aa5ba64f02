import { type Command, CommanderError } from "commander";
import { dispatch } from "../../nomad/batch";
import { Session } from "../shared/session";
import { type Target, withOptions } from "../shared/target";
import { copyBack } from "./copy-back";
import { backupJob } from "./jobs";
import { snapshotsOf } from "./results";
import { assertCanRun, follow, kindOf, outcomeText } from "./run";

interface RestoreOptions {
  readonly snapshot?: string;
  readonly database?: string;
  readonly workDirectory?: true;
}

const HELP = `
Files go to a new folder of the backup's volume, restored/<set>-<snapshot>, and it is refused when there is something in it.
--database loads the dump too, with pg_restore, into a database that must be there and hold no table: createdb makes one.
Nothing that lives is ever written over, so no service need be stopped for it; a hub that is to use the database must be.

--work-directory is another thing: it puts back the copy that homelab backup before-upgrade made, for an upgrade whose
Lightning node never ran. The hub must be stopped; what is there is moved aside, in the hub's volume. If the node has run
since, that copy is stale, and starting from it can lose the money in the channels; so it is refused when the hub was started
since and its Lightning state has changed: then recover by the static channel backup, as docs/recovery.md says. A restore that
broke off keeps the hub from starting; run it again.

You are asked to type the name of the set; --confirm <set> says it beforehand, where nobody can be asked.

Exit codes: 0 restored, 1 an error, a refusal, or interrupted; a restore that has begun goes on then. With --json, standard
output is { run, allocation, node, succeeded, seconds, failedTask, log, set, snapshot }.`;

export function registerRestore(command: Command): void {
  withOptions(command.command("restore <set>"))
    .summary("restore a set, never over anything that lives")
    .description("Restores a set's files into a new folder, and with --database its dump into an empty database.")
    .option("--snapshot <id>", "this one of homelab backup list, not the newest")
    .option("--database <name>", "an empty database of the homelab's PostgreSQL for the dump")
    .option("--work-directory", "put back the copy that before-upgrade made, instead")
    .option("--confirm <set>", "the name of the set, where nobody can be asked")
    .addHelpText("after", HELP)
    .action((set: string, options: RestoreOptions, self: Command) => restore(set, options, new Session(self)));
}

async function restore(set: string, options: RestoreOptions, session: Session): Promise<void> {
  const target = session.target();
  if (options.workDirectory) {
    if (options.snapshot !== undefined || options.database !== undefined) {
      throw new Error(
        "--work-directory restores the copy of before-upgrade alone: leave --snapshot and --database out",
      );
    }
    return copyBack(set, session, target);
  }
  const { client } = target;
  const job = backupJob(target, "backup-restore");
  const database = databaseOf(options.database);
  const snapshot = await session.looking([target], async () => {
    const found = await snapshotFor(target, set, options.snapshot);
    // A restore may be wanted just while services are paused; another restore beside it never is.
    await assertCanRun(client, job, { allowPaused: true });
    return found;
  });
  session.say(
    `restores the files of ${set}, snapshot ${snapshot}, into restored/${set}-<snapshot> of the backup's volume`,
  );
  if (database) session.say(`and its dump into the database ${database}, which must hold no table`);
  await session.confirmName(set);
  // Whoever was asked may have taken an hour.
  await assertCanRun(client, job, { allowPaused: true });
  const meta = { set, snapshot, ...(database && { database }) };
  const outcome = await follow(session, client, kindOf(job), () => dispatch(client, job, meta));
  session.print({ ...outcome, set, snapshot }, () => outcomeText("the restore", outcome));
  if (!outcome.succeeded) throw new CommanderError(1, "homelab.failed", "the restore failed");
}

/** It becomes a word of a command line in the job. */
function databaseOf(name: string | undefined): string | undefined {
  if (name !== undefined && !/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(name)) {
    throw new Error(`--database ${name}: letters, digits and underscores alone, as createdb takes them unquoted`);
  }
  return name;
}

/** The snapshot that is meant. A cluster that was made anew knows of none: then the repository is asked for its newest. */
async function snapshotFor({ client }: Target, set: string, wanted: string | undefined): Promise<string> {
  const all = await snapshotsOf(client);
  if (all.length === 0) {
    if (wanted !== undefined && !/^[0-9a-f]{8,64}$/.test(wanted)) {
      throw new Error(`--snapshot ${wanted} is no id of restic, 8 to 64 hex digits`);
    }
    if (!/^[a-z0-9-]+$/.test(set)) throw new Error(`${set} is no name of a set, such as albyhub`);
    return wanted ?? "latest";
  }
  const sets = [...new Set(all.map((one) => one.set))];
  const own = all.filter((one) => one.set === set);
  if (own.length === 0) throw new Error(`there is no snapshot of a set ${set}; there are ${sets.join(", ")}`);
  const found = wanted === undefined ? own[0] : own.find(({ id }) => id === wanted || wanted.startsWith(id));
  if (found) return found.id;
  throw new Error(
    `there is no snapshot ${wanted} of ${set}; the newest are ${own
      .slice(0, 3)
      .map(({ id }) => id)
      .join(", ")}, and homelab backup list shows all`,
  );
}
