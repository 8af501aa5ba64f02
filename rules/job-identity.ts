import type { Finding, Rule } from "./rule";

export const jobIdentity = {
  name: "job-identity",
  statement: "no two jobs have the same ID in one namespace, since the second would overwrite the first",
  check: ({ jobs, others = [] }) => {
    const elsewhere = others.filter(({ sameCluster }) => sameCluster).flatMap((other) => other.jobs);
    return jobs.flatMap(({ path, job }, at): Finding[] => {
      const first = [...elsewhere, ...jobs.slice(0, at)].find(
        (other) => other.job.ID === job.ID && other.job.Namespace === job.Namespace,
      );
      if (!first) return [];
      return [
        {
          path,
          place: "ID",
          value: job.ID,
          problem: `is the ID of ${first.path} in namespace ${job.Namespace} already`,
          remedy: "give one of them another ID with the prop `jobId`",
        },
      ];
    });
  },
} as const satisfies Rule;
