import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { NomadClient } from "../../nomad/client";
import { planJob } from "../../nomad/plan";
import { job, task } from "../cli/project";

const field = (Name: string, Old: string, New: string) => ({ Type: Old ? "Edited" : "Added", Name, Old, New });
const object = (Name: string, Type: string, Fields: readonly object[], Objects: readonly object[] = []) => ({
  Name,
  Type,
  Fields,
  Objects,
});

/** The changes that a server's answer to a plan is told as. */
async function changesOf(Diff: object) {
  const server = createServer((_, response) => response.end(JSON.stringify({ Diff })));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  try {
    const client = new NomadClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, {});
    return (await planJob(client, job("one", [task("main", "name:1", [100, 128])]))).changes;
  } finally {
    server.close();
  }
}

test("an edited field stands with its place, the live value and that of the code", async () => {
  const main = { ...object("main", "Edited", [], [object("Resources", "Edited", [field("MemoryMB", "64", "32")])]) };
  const group = { ...object("main", "Edited", [field("Count", "3", "1")]), Tasks: [main] };
  expect(await changesOf({ ...object("", "Edited", [field("Priority", "50", "90")]), TaskGroups: [group] })).toEqual([
    { field: "Priority", live: "50", code: "90" },
    { field: "TaskGroups[main].Count", live: "3", code: "1" },
    { field: "TaskGroups[main].Tasks[main].Resources.MemoryMB", live: "64", code: "32" },
  ]);
});

test("what is there on one side alone is one change, without what Nomad fills in", async () => {
  const port = object("Static Port", "Added", [
    field("Label", "", "rpc"),
    field("To", "", "8332"),
    field("HostNetwork", "", ""),
  ]);
  const network = object("Network", "Added", [field("Mode", "", "bridge"), field("MBits", "", "0")], [port]);
  const gone = object("Disconnect", "Deleted", [
    { Type: "Deleted", Name: "LostAfter", Old: "7776000000000000", New: "" },
  ]);
  const group = { ...object("main", "Edited", [], [network, gone]), Tasks: [] };
  const added = { ...object("other", "Added", [field("Count", "", "1")]), Tasks: [] };
  expect(await changesOf({ ...object("", "Edited", []), TaskGroups: [group, added] })).toEqual([
    { field: "TaskGroups[main].Network", code: "Mode bridge, Static Port (Label rpc, To 8332)" },
    { field: "TaskGroups[main].Disconnect", live: "LostAfter 7776000000000000" },
    { field: "TaskGroups[other]", code: "other" },
  ]);
});
