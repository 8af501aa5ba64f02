import type { DatabaseRecord } from "../../model/homelab";
import { databaseIdentity } from "../../rules/database-identity";
import { findings } from "./homelab";

const OWN: DatabaseRecord = { server: "192.168.68.50", port: 5432, name: "nwc" };

/** A second hub with a database of its own, in the same stack or in one before it. */
const withSecond = (database: Partial<DatabaseRecord>, { own = OWN, elsewhere = false } = {}) =>
  findings(databaseIdentity, ({ albyhub, jobs, others }) => {
    albyhub.record.database = own;
    const second = { ...albyhub.record, path: "homelab/second", database: { ...own, ...database } };
    if (elsewhere) others.push({ jobs: [second], volumes: [], sameCluster: false });
    else jobs.push(second);
  }).map(({ path, problem }) => `${path} ${problem}`);

describe(databaseIdentity.statement, () => {
  test("one database of two hubs is refused, in one stack or in two", () => {
    expect(withSecond({})).toEqual([
      expect.stringContaining("homelab/second is the database of homelab/albyhub already"),
    ]);
    expect(withSecond({}, { elsewhere: true })).toEqual([
      expect.stringContaining("homelab/albyhub is the database of homelab/second already"),
    ]);
  });

  test.each([
    ["DB.example.", { ...OWN, server: "db.example" }],
    ["192.168.68.50.", OWN],
  ])("a server that is spelled %s is the same", (server, own) => {
    expect(withSecond({ server }, { own })).toEqual([expect.stringContaining(" is the database of ")]);
  });

  test("what cannot be told to be another is refused: a name beside an address, and a pooler's port", () => {
    expect(withSecond({ server: "nas.local" })).toEqual([
      expect.stringContaining("may be the database (192.168.68.50:5432/nwc, by another spelling of the server)"),
    ]);
    expect(withSecond({ port: 6432 })).toEqual([expect.stringContaining("by another port, such as a pooler's")]);
  });

  test("another name, and another address, pass", () => {
    expect(withSecond({ name: "nwc2" })).toEqual([]);
    expect(withSecond({ server: "192.168.68.51" })).toEqual([]);
  });
});
