import { type Command, CommanderError } from "commander";
import type { BackupJob } from "../../model/backup-jobs";
import { forcePeriodic } from "../../nomad/batch";
import { Session } from "../shared/session";
import { ENVIRONMENT, withOptions } from "../shared/target";
import { ageText } from "../shared/text";
import type { Verb } from "../shared/verb";
import { registerBeforeUpgrade } from "./before-upgrade";
import { backupJob, hasBackup } from "./jobs";
import { backupOf, RED_AFTER } from "./model";
import { registerRestore } from "./restore";
import { resultsOf, snapshotsOf } from "./results";
import { assertCanRun, CLOCK_SKEW, follow, kindOf, outcomeText } from "./run";
import { backupText, setLine, snapshotsText } from "./text";

const HELP = `
What is backed up is what cannot be had again: the hub's database, the static channel backups, the cluster's own memory.
Blocks, chainstate and indexes come back by themselves. The live state of Lightning channels is in no backup, because an
older state that is started can lose the money in the channels. How to recover: docs/recovery.md.

Exit codes: 0 well or done, 1 an error, a run that failed, or interrupted, 2 the backup is red (status). Ctrl-C ends the
waiting; a run that has begun goes on in Nomad. With --json, each part prints what its own help says.

With ACLs status and list take the policy reader of the server role, the others the policy deployer.
${ENVIRONMENT}`;

const HELP_STATUS = `
A set is red when the last backup in which it was well is older than ${ageText(RED_AFTER.toSeconds())}, or when there is none; yellow while the last run
failed. A failed check or drill is red too, a late one yellow.

Exit codes: 0 not red, 1 an error, 2 red. With --json, standard output is { stacks: [{ stack, nomadAddress, backup: { mood,
problem, sets: [{ name, at, age, snapshot, bytes, files, rows, channels, incomplete, mood, problem }], check: { at, age, mood, problem }, drill:
{ …, checks } } }] }; an age is in seconds, a mood "good", "waiting" or "bad".`;

const HELP_RUN = `
Exit codes: 0 it ended well, 1 it failed, an error, or interrupted; the run itself goes on then. With --json, standard
output is { run, allocation, node, succeeded, seconds, failedTask, message, log, sets, checks }.`;

export const backup: Verb = {
  examples: [
    ["homelab backup status", "how old each set's backup is, and when it was last checked and drilled"],
    ["homelab backup now", "run the hourly backup now, and wait for its end"],
    ["homelab backup list --set albyhub", "the snapshots that can be restored"],
    ["homelab backup drill", "restore the newest backup into a throw-away place, and compare"],
    ["homelab backup restore albyhub", "files of the newest snapshot, into a new folder of the backup's volume"],
    ["homelab backup restore albyhub --database nwc", "its database too, into one that is there and empty"],
    [
      "homelab backup restore albyhub --work-directory",
      "put the copy of before-upgrade back, if the upgrade never ran",
    ],
    ["homelab backup before-upgrade albyhub", "stop the hub and copy its work directory, before its image is changed"],
  ],
  register: (program: Command) => {
    const command = program
      .command("backup")
      .summary("backups: status, now, list, restore, drill, before-upgrade")
      .description("Shows, makes, tries and restores the backups of what cannot be had again.")
      .addHelpText("after", HELP);
    withOptions(command.command("status"))
      .summary("how old each backup is, and whether it restores")
      .description("Shows age and size of every set's newest backup, the last check and the last drill.")
      .addHelpText("after", HELP_STATUS)
      .action((_options: unknown, self: Command) => status(new Session(self)));
    withOptions(command.command("now"))
      .summary("run a backup now")
      .description("Runs the hourly backup now, waits for its end, and shows what it took.")
      .addHelpText("after", HELP_RUN)
      .action((_options: unknown, self: Command) => runNow("backup", "the backup", new Session(self)));
    withOptions(command.command("list"))
      .summary("the snapshots that can be restored")
      .description("Lists the snapshots in the repository as the last backup left them, the newest first.")
      .option("--set <name>", "of this set alone")
      .addHelpText(
        "after",
        "\nExit codes: 0 shown, 1 an error. With --json, standard output is { snapshots: [{ id, at, set, bytes }] }.",
      )
      .action(({ set }: { readonly set?: string }, self: Command) => list(set, new Session(self)));
    withOptions(command.command("drill"))
      .summary("prove that the newest backup restores")
      .description(
        "Restores the newest backup into a throw-away place and compares it with what was backed up. It touches nothing that lives.",
      )
      .addHelpText("after", HELP_RUN)
      .action((_options: unknown, self: Command) => runNow("backup-drill", "the drill", new Session(self)));
    registerRestore(command);
    registerBeforeUpgrade(command);
    return command;
  },
};

async function status(session: Session): Promise<void> {
  const all = session.targets();
  const targets = all.filter(hasBackup);
  // Names what is missing.
  if (targets.length === 0) for (const target of all) backupJob(target, "backup");
  const reports = await session.looking(targets, () =>
    Promise.all(
      targets.map(async (target) => ({
        stack: target.stack,
        nomadAddress: target.client.address,
        backup: await backupOf(target),
      })),
    ),
  );
  session.print({ stacks: reports }, (style) =>
    reports.map((one) => backupText(one.stack, one.nomadAddress, one.backup, style)).join("\n"),
  );
  if (reports.some((one) => one.backup.mood === "bad")) {
    throw new CommanderError(2, "homelab.bad", "the backup is red");
  }
}

async function list(set: string | undefined, session: Session): Promise<void> {
  const target = session.target();
  backupJob(target, "backup");
  const all = await session.looking([target], () => snapshotsOf(target.client));
  if (all.length === 0) throw new Error("no backup has told of a snapshot yet; homelab backup now makes one");
  const sets = [...new Set(all.map((one) => one.set))];
  const snapshots = all.filter((one) => set === undefined || one.set === set);
  if (snapshots.length === 0) throw new Error(`there is no snapshot of a set ${set}; there are ${sets.join(", ")}`);
  session.print({ snapshots }, (style) => snapshotsText(snapshots, style));
}

/** Forces a periodic job and waits. @throws CommanderError with 1 when it failed, after it was told. */
async function runNow(id: BackupJob, what: string, session: Session): Promise<void> {
  const target = session.target();
  const { client } = target;
  const job = backupJob(target, id);
  await session.looking([target], () => assertCanRun(client, job));
  const since = Date.now();
  const outcome = await follow(session, client, kindOf(job), () => forcePeriodic(client, job));
  const { done } = await resultsOf(client, id);
  // Its clock may be behind this one's; what it told before cannot be newer than the begin by minutes.
  const told = outcome.succeeded && done && done.at > since - CLOCK_SKEW.toMilliseconds() ? done : undefined;
  session.print({ ...outcome, sets: told?.sets ?? [], checks: told?.checks ?? [] }, () =>
    [
      outcomeText(what, outcome),
      ...(told?.sets ?? []).map((set) => `${setLine(set)}\n`),
      ...(told?.checks ?? []).map((line) => `  ${line}\n`),
    ].join(""),
  );
  if (!outcome.succeeded) throw new CommanderError(1, "homelab.failed", `${what} failed`);
  if (!told) {
    throw new Error(
      `${what} ended well, and wrote no result: with ACLs its policy must be there, which ansible-playbook nomad_cluster.yml makes`,
    );
  }
}
