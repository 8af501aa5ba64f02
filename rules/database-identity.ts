import type { DatabaseRecord, JobRecord } from "../model/homelab";
import { isSameServer } from "../model/server";
import type { Finding, Rule } from "./rule";

const text = ({ server, port, name }: DatabaseRecord) => `${server}:${port}/${name}`;

/** PostgreSQL tells names apart by case. A pooler offers the same database on another port. */
function twin(one: DatabaseRecord, { database }: JobRecord): string | undefined {
  if (!database || one.name !== database.name) return undefined;
  const same = isSameServer(one.server, database.server);
  if (same === false) return undefined;
  if (same && one.port === database.port) return "is the database";
  return `may be the database (${text(database)}, by another ${same ? "port, such as a pooler's" : "spelling of the server"})`;
}

export const databaseIdentity = {
  name: "database-identity",
  statement: "no two hubs of the app have one database, since they would have one seed and two channel stores",
  check: ({ jobs, others = [] }) => {
    const elsewhere = others.flatMap((other) => other.jobs);
    return jobs.flatMap((record, at): Finding[] => {
      const { path, database } = record;
      if (!database) return [];
      return [...elsewhere, ...jobs.slice(0, at)].flatMap((other) => {
        const is = twin(database, other);
        return is
          ? [
              {
                path,
                place: "databaseName",
                value: text(database),
                problem: `${is} of ${other.path} already: two hubs with one seed can lose their channels`,
                remedy:
                  "give each its own databaseName and databaseUser, and write the address of the server as a number in both",
              },
            ]
          : [];
      });
    });
  },
} as const satisfies Rule;
