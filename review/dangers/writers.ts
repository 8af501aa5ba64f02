import { posix } from "node:path";
import type { Homelab, JobRecord } from "../../model/homelab";
import { runsAlongsideMainTask, runsEverywhere, updateOf, type Writer, writersOf } from "../../model/places";
import { canonicalHost } from "../../model/server";
import { instances } from "../../nomad/defaults";
import { MANY_WRITERS } from "../../nomad/volume";
import { fenceGaps } from "../../rules/shared/fence";
import { addressOf, type Context, keyOf, leftRecords } from "../context";
import type { Finding } from "../findings";
import type { Side } from "../stack";

/** A claim to write, with what it is a claim to. */
interface Claim {
  readonly writer: Writer;
  /** The group that claims, in the same words on both sides. */
  readonly group: string;
  /** The folder on the NAS where it is known, since two volumes may be one folder; else the volume. */
  readonly storage: string;
  readonly holds: string | undefined;
  readonly shared: boolean;
}

/** Who else writes a volume, in how many instances, and what keeps a second one away when a machine is lost. */
export function writers(context: Context): Finding[] {
  const { before, after } = context;
  const left = leftRecords(context);
  const was = claimsOf(before, []);
  const will = claimsOf(after, left, before);
  const isLeft = ({ writer }: Claim) => left.some(({ job }) => job === writer.job);
  const had = (claim: Claim) => was.find((one) => one.storage === claim.storage && one.group === claim.group);
  const at = ({ writer: { job } }: Claim) => ({ resource: addressOf(context, job), subject: `job ${job.ID}` });
  const second = (claim: Claim, problem: string, remedy: string, holds = claim.holds): Finding => ({
    finding: holds === "funds" ? "second-writer-on-funds" : "second-writer",
    ...at(claim),
    problem,
    remedy,
  });
  // What describes itself was held to the rules when it was synthesized; funds have a rule of their own.
  const unfenced = (claim: Claim): Finding[] => {
    const what = `volume ${claim.writer.request.Source}`;
    const gaps = after.described || claim.holds === "funds" ? [] : fenceGaps(claim.writer, what);
    const { resource, subject } = at(claim);
    return gaps.slice(0, 1).map(({ place, value, problem, remedy }) => ({
      finding: "rule-broken",
      resource: `${resource}:single-writer`,
      subject,
      problem: `breaks the rule single-writer: ${place} = ${value}: ${problem}`,
      remedy,
      ownerOnly: true,
    }));
  };
  const pairs = will.flatMap((one, index) => {
    const others = will.slice(index + 1).filter((other) => other.storage === one.storage && other.group !== one.group);
    return others.flatMap((other): Finding[] => {
      if (one.shared || other.shared || (had(one) && had(other))) return [];
      // The one that comes is told; what is left behind has no resource any more.
      const [comes, is] = isLeft(one) || (!isLeft(other) && had(one)) ? [other, one] : [one, other];
      const whose = comes.writer.job.ID === is.writer.job.ID ? ` of namespace ${is.writer.job.Namespace}` : "";
      const runs = isLeft(is) ? ", which Nomad goes on running" : "";
      // One folder may be two volumes, of which one is known to hold funds.
      const funds = is.holds === "funds" ? is.holds : comes.holds;
      const problem = `would write volume ${comes.writer.request.Source} beside job ${is.writer.job.ID}${whose}${runs}`;
      return [second(comes, problem, "stop the other one first, or mount the volume read-only", funds)];
    });
  });
  const own = will
    .filter((claim) => !isLeft(claim) && !claim.shared)
    .flatMap((claim): Finding[] => {
      const old = had(claim);
      const { writer } = claim;
      const [count, tasks] = [countOf(writer), tasksOf(writer)];
      const [counted, writing] = old ? [countOf(old.writer), tasksOf(old.writer)] : [1, 1];
      const findings = old ? fence(old.writer, writer, at(claim)) : unfenced(claim);
      if (count > 1 && count > counted) {
        const problem = `would run ${count} instances of ${writer.group.Name}, and each writes volume ${writer.request.Source}`;
        const finding = claim.holds === "funds" ? "second-writer-on-funds" : "count-above-one";
        findings.push({ finding, ...at(claim), problem, remedy: "set Count to 1" });
      }
      if (updateOf(writer).Canary > 0 && !(old && updateOf(old.writer).Canary > 0)) {
        const problem = `would start a canary beside the instance that writes volume ${writer.request.Source}`;
        findings.push(second(claim, problem, "set Canary to 0"));
      }
      if (runsEverywhere(writer) && !(old && runsEverywhere(old.writer))) {
        const problem = `would run on every client, and each instance writes volume ${writer.request.Source}`;
        findings.push(second(claim, problem, 'make it a job of Type "service"'));
      }
      if (tasks > 1 && tasks > writing) {
        const problem = `would write volume ${writer.request.Source} with ${tasks} tasks of ${writer.group.Name}`;
        findings.push(second(claim, problem, "let one task write, and the others mount it read-only"));
      }
      return findings;
    });
  return [...pairs, ...own];
}

function tasksOf({ tasks }: Writer): number {
  return tasks.filter(runsAlongsideMainTask).length;
}

function claimsOf(side: Side, more: readonly JobRecord[], earlier?: Side): Claim[] {
  const known = [...side.volumes, ...(earlier?.volumes ?? [])];
  const homelab: Homelab = { ...side.homelab, jobs: [...side.homelab.jobs, ...more] };
  return writersOf(homelab).map((writer) => {
    const { request, job } = writer;
    const source = request.Source ?? "";
    // Of a request for each allocation every instance has its own, `data[0]`, `data[1]`.
    const isOf = (id: string) => id === source || (request.PerAlloc === true && id.startsWith(`${source}[`));
    const entry = known.find(({ record }) => isOf(record.id) && record.namespace === job.Namespace);
    const record = entry?.record ?? writer.volumes[0];
    const folder = record?.source;
    const holds = entry ? entry.holds : record?.holds;
    const mode = record?.accessMode ?? request.AccessMode;
    return {
      writer,
      group: `${keyOf(job)}/${writer.group.Name}`,
      storage: folder
        ? `${canonicalHost(folder.server)}:${posix.normalize(`${folder.share}/`)}`
        : `${job.Namespace}/${source}`,
      holds,
      // What is known to be one program's database has one writer, whatever its volume allows; backups are none.
      shared: mode === MANY_WRITERS && (holds === undefined || holds === "backup"),
    };
  });
}

function countOf({ group, request }: Writer): number {
  if (request.PerAlloc) return 1;
  return Math.max(instances(group), group.Scaling?.Max ?? 0);
}

/** Only what is worse than before: a stack without any fence is not told at every change. */
function fence(old: Writer, now: Writer, place: Pick<Finding, "resource" | "subject">): Finding[] {
  const what = `volume ${now.request.Source}`;
  const had = fenceGaps(old, what).map(({ place }) => place);
  const gaps = fenceGaps(now, what).filter(
    ({ place }) => !had.includes(place) && !had.some((one) => one.endsWith(".Disconnect")),
  );
  const [before = 0, after = 0] = [old, now].map(({ group }) => group.Disconnect?.LostAfter ?? 0);
  const texts = gaps.map(({ place, value, problem }) => `${place.replace(/^.*\]\./, "")} = ${value}: ${problem}`);
  if (texts.length === 0 && after < before && old.group.Disconnect) {
    texts.push(`LostAfter becomes shorter: a lost machine's instance is replaced earlier, and two write ${what}`);
  }
  return texts.length === 0
    ? []
    : [
        {
          finding: "fence-weakened",
          ...place,
          problem: `loses what keeps its instance on a lost machine the only one (${texts.join("; ")})`,
          remedy: 'keep Disconnect at LostAfter 2160h, Replace false, Reconcile "keep_original"',
        },
      ];
}
