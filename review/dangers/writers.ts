import { type Writer, writersOf } from "../../rules/anatomy";
import { fenceGaps } from "../../rules/fence";
import type { Homelab, JobRecord } from "../../rules/homelab";
import { type Context, keyOf, leftBehind } from "../context";
import type { Finding } from "../findings";
import type { Side } from "../stack";

/** Nomad lets any number of tasks write such a volume. */
const MANY_WRITERS = "multi-node-multi-writer";

/** A claim to write, with what it is a claim to. */
interface Claim {
  readonly writer: Writer;
  /** The folder on the NAS where it is known, since two volumes may be one folder; else the volume. */
  readonly storage: string;
  readonly holds: string | undefined;
  readonly shared: boolean;
}

/** Who else writes a volume, in how many instances, and what keeps a second one away when a machine is lost. */
export function writers(context: Context): Finding[] {
  const { before, after, jobs } = context;
  const left = leftBehind(context).flatMap((one): JobRecord[] => {
    const job = one.before?.shown;
    return job ? [{ path: one.change.address, job, retained: true }] : [];
  });
  const was = claimsOf(before, []);
  const will = claimsOf(after, left, before);
  const addressOf = ({ job }: Writer) =>
    jobs.find(({ after: entry }) => entry?.read.job && keyOf(entry.read.job) === keyOf(job))?.change.address ?? "stack";
  const had = (claim: Claim) => was.find((one) => one.storage === claim.storage && same(one.writer, claim.writer));
  return will.flatMap((claim, at) => {
    const { writer, storage, holds, shared } = claim;
    const resource = addressOf(writer);
    const subject = `job ${writer.job.ID}`;
    const old = had(claim);
    const others = will.filter((one, other) => other !== at && one.storage === storage);
    const isNew = others.filter((other) => !old || !had(other));
    const isLeft = left.some(({ job }) => job === writer.job);
    const findings: Finding[] = [];
    const funds = holds === "funds";
    // Of two writers the one that comes is told, and each pair once.
    const [other] = isNew.filter((one) => !old || will.indexOf(one) > at);
    if (other && !shared && !isLeft && !(isNew.length > 0 && old && !had(other))) {
      const beside = `would write volume ${writer.request.Source} beside job ${other.writer.job.ID}`;
      const running = left.some(({ job }) => job === other.writer.job) ? ", which Nomad goes on running" : "";
      findings.push({
        finding: funds ? "second-writer-on-funds" : "second-writer",
        resource,
        subject,
        problem: `${beside}${running}`,
        remedy: "stop the other one first, or mount the volume read-only",
      });
    }
    const [count, counted] = [countOf(writer), old ? countOf(old.writer) : 1];
    if (count > 1 && count > counted && !shared) {
      findings.push({
        finding: funds ? "second-writer-on-funds" : "count-above-one",
        resource,
        subject,
        problem: `would run ${count} instances of ${writer.group.Name}, and each writes volume ${writer.request.Source}`,
        remedy: "set Count to 1",
      });
    }
    if (old && !shared && !isLeft) findings.push(...fence(old.writer, writer, resource, subject));
    return findings;
  });
}

function claimsOf(side: Side, more: readonly JobRecord[], earlier?: Side): Claim[] {
  const known = [...side.volumes, ...(earlier?.volumes ?? [])];
  const homelab: Homelab = { ...side.homelab, jobs: [...side.homelab.jobs, ...more] };
  return writersOf(homelab).map((writer) => {
    const { request, job } = writer;
    const entry = known.find(({ record }) => record.id === request.Source && record.namespace === job.Namespace);
    const record = entry?.record ?? writer.volumes[0];
    const source = record?.source;
    const holds = entry ? entry.holds : record?.holds;
    const mode = record?.accessMode ?? request.AccessMode;
    return {
      writer,
      storage: source ? `${source.server}:${source.share.replace(/\/+$/, "")}` : `${job.Namespace}/${request.Source}`,
      holds,
      // What is known to be one program's database has one writer, whatever its volume allows.
      shared: mode === MANY_WRITERS && holds === undefined,
    };
  });
}

function same(a: Writer, b: Writer): boolean {
  return keyOf(a.job) === keyOf(b.job) && a.group.Name === b.group.Name;
}

function countOf({ group }: Writer): number {
  return Math.max(group.Count ?? group.Scaling?.Min ?? 1, group.Scaling?.Max ?? 0);
}

/** Only what is worse than before: a stack without any fence is not told at every change. */
function fence(old: Writer, now: Writer, resource: string, subject: string): Finding[] {
  const what = `volume ${now.request.Source}`;
  const had = fenceGaps(old, what).map(({ place }) => place);
  const gaps = fenceGaps(now, what).filter(({ place }) => !had.includes(place) && !had.some((one) => one.endsWith(".Disconnect")));
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
          resource,
          subject,
          problem: `loses what keeps its instance on a lost machine the only one (${texts.join("; ")})`,
          remedy: 'keep Disconnect at LostAfter 2160h, Replace false, Reconcile "keep_original"',
        },
      ];
}

