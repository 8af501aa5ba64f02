import { printable } from "../cli/shared/text";
import { parseImage } from "../nomad/image";
import { oneLine } from "../nomad/one-line";
import { callsOf } from "../nomad/template-calls";
import { grantsOf } from "../review/acl-grants";
import { readCommits, readTrailers } from "../review/allow";
import { markdown } from "../review/markdown";
import { readPlan } from "../review/plan";
import { reviewPlan } from "../review/review";
import { literalSecrets } from "../rules/shared/literal-secrets";
import { scrub } from "../rules/shared/scrub";
import { changed } from "./review/plans";

/** Texts that make a careless pattern look again and again, of some length. */
const HOSTILE: Readonly<Record<string, (length: number) => string>> = {
  "one sign": (length) => "a".repeat(length),
  "a URL": (length) => `${"a".repeat(length / 3)}://${"b".repeat(length / 3)}:${"c".repeat(length / 3)}`,
  "URLs without an end": (length) => "a://b:".repeat(length / 6),
  "at signs": (length) => "a:b@".repeat(length / 4),
  "opened actions": (length) => "{{".repeat(length / 2),
  "opened comments": (length) => "{{/*".repeat(length / 4),
  "opened strings": (length) => '{{"'.repeat(length / 3),
  "opened variables": (length) => "${".repeat(length / 2),
  "opened commands": (length) => "$(".repeat(length / 2),
  "digits of hex": (length) => `${"0".repeat(63)} `.repeat(length / 128) + "a".repeat(length / 2),
  spaces: (length) => `x${" ".repeat(length)}y`,
  lines: (length) => "\n \n".repeat(length / 3),
  names: (length) => "a=".repeat(length / 2),
  dashes: (length) => "- ".repeat(length / 2),
  "flags and names": (length) => "--a-".repeat(length / 4),
  tokens: (length) => "eyJa.".repeat(length / 5),
  dots: (length) => "a.".repeat(length / 2),
  words: (length) => "zoo abandon the ".repeat(length / 16),
  quotes: (length) => `"'\``.repeat(length / 3),
  backticks: (length) => "`".repeat(length),
  brackets: (length) => "[a".repeat(length / 2),
  percent: (length) => "%2F%3a".repeat(length / 6),
  prefixes: (length) => "ghp_xoxb-sk_live_AGE-SECRET-KEY-1".repeat(length / 33),
  "echo without a pipe": (length) => "echo aaaaaaa ".repeat(length / 13),
  "mysql without a password": (length) => "mysql -".repeat(length / 7),
};

/** A review of a job that has each of them in a variable, an argument and a template. */
const review = (texts: readonly string[]) => {
  const plan = changed("no-op", (plan) => {
    delete plan.output_changes;
    const found = plan.resource_changes.find(({ address }) => address === "nomad_job.bitcoin");
    if (!found?.change.after) throw new Error("no job");
    const job = JSON.parse(String(found.change.after.jobspec));
    const [task] = job.TaskGroups[0].Tasks;
    task.Env = Object.fromEntries(texts.map((text, at) => [`A${at}`, text]));
    task.Config.args = texts;
    task.Config.image = texts.join("");
    task.Templates = texts.map((EmbeddedTmpl, at) => ({ DestPath: `local/${at}`, EmbeddedTmpl }));
    found.change.actions = ["update"];
    found.change.after.jobspec = JSON.stringify(job);
  });
  return markdown(reviewPlan(readPlan(plan)));
};

const READERS: Readonly<Record<string, (text: string) => unknown>> = {
  "a text in one line": oneLine,
  "the search for secrets in a value": (text) => literalSecrets("X", text, { shell: true, free: true }),
  "the search in a template": (text) =>
    literalSecrets("EmbeddedTmpl", text, { shell: true, template: { DestPath: "x", EmbeddedTmpl: text } }),
  "the calls of a template": (text) => callsOf({ DestPath: "x", EmbeddedTmpl: text }, /./),
  "what is printed": (text) => scrub(printable(text)),
  "an image": parseImage,
  "a policy": grantsOf,
  "the trailers of a commit": (text) => {
    try {
      readTrailers(readCommits(`a\0b\0Homelab-Allow: ${text}\0`));
    } catch {
      // That it is none is told in time, too.
    }
  },
};

/** The shorter of two runs, in milliseconds of this process, since a busy machine is no fault of ours. */
function time(work: () => unknown): number {
  const runs = Array.from({ length: 2 }, () => {
    const start = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1e3;
  });
  return Math.min(...runs);
}

const SHORT = 8_000;
const FACTOR = 8;

describe.each(Object.entries(READERS))("the time of %s grows no faster than a text from outside:", (_, read) => {
  test.each(Object.entries(HOSTILE))("%s", (_, hostile) => {
    const [short, long] = [hostile(SHORT), hostile(SHORT * FACTOR)];
    read(short);
    // Eight times as long takes sixty-four times as long where it is quadratic; what is quick anyhow is noise.
    const [quick, slow] = [time(() => read(short)), time(() => read(long))];
    expect(slow).toBeLessThan(Math.max(quick * FACTOR * 3, 400));
  });
});

test("the time of a review grows no faster than its plan", () => {
  const texts = (length: number) => Object.values(HOSTILE).map((hostile) => hostile(length));
  const [short, long] = [texts(1_500), texts(1_500 * FACTOR)];
  review(short);
  const quick = time(() => review(short));
  const start = Date.now();
  review(long);
  expect(Date.now() - start).toBeLessThan(Math.max(quick * FACTOR * 3, 3_000));
}, 120_000);
