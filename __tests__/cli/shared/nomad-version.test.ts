import { judgeAgents } from "../../../cli/shared/nomad-version";
import type { NodeStub, ServerMember } from "../../../nomad/live";
import { homelabWith } from "../../rules/homelab";

const server = (Name: string, build?: string, Status = "alive"): ServerMember => ({
  Name,
  Status,
  Tags: build ? { build } : {},
});
const client = (Name: string, Version?: string, Status = "ready") =>
  ({ Name, Status, ...(Version && { Version }) }) as NodeStub;

const judged = (servers: ServerMember[], nodes: NodeStub[], homelab = homelabWith()) =>
  judgeAgents({ homelab }, servers, nodes);

describe("the Nomad that runs", () => {
  test("is good when every agent is new enough", () => {
    expect(judged([server("pinode2.global", "2.0.5")], [client("pinode1", "2.0.6")])).toEqual({
      versions: ["2.0.5", "2.0.6"],
      mood: "good",
    });
  });

  test.each([
    ["a server", [server("a", "2.0.4")], [client("b", "2.0.5")], "Nomad 2.0.4 (server a) is older than 2.0.5"],
    ["a client", [server("a", "2.0.5")], [client("b", "2.0.4", "disconnected")], "Nomad 2.0.4 (client b) is older"],
    ["one that does not tell", [server("a", "2.0.5")], [client("b")], "Nomad unknown (client b) is no release"],
  ])("is bad with %s", (_title, servers, nodes, problem) => {
    expect(judged(servers, nodes)).toMatchObject({
      mood: "bad",
      problem: expect.stringContaining(problem),
      remedy: expect.stringContaining("patch_cluster.yml"),
    });
  });

  test("is not judged by machines that are gone", () => {
    expect(judged([server("a", "1.0.0", "left"), server("b", "2.0.5")], [client("c", "1.0.0", "down")]).mood).toBe(
      "good",
    );
  });

  test("is told but stops nothing once it is accepted, or while nothing is written", () => {
    const acknowledgements = [{ path: "homelab", rule: "nomad-version", reason: "patched on Sunday" }];
    expect(judged([server("a", "2.0.4")], [], { ...homelabWith(), acknowledgements })).toMatchObject({
      mood: "waiting",
      acknowledged: "patched on Sunday",
    });
    expect(judged([server("a", "2.0.4")], [], { ...homelabWith(), jobs: [] })).toEqual({
      versions: ["2.0.4"],
      mood: "good",
    });
  });
});
