import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Testing } from "cdktf";
import { buildHomelab } from "../../homelab-fixture";
import { FakeNomad } from "../fake-nomad";
import { toldOfSecrets } from "../told";

const VARIABLE = "nomad/jobs/albyhub";
const [OWN, OTHER] = [1, 2].map((n) => `0000000${n}-1111-4222-8333-444444444444`);
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

describe("the homelab's identity", () => {
  let nomad: FakeNomad;
  let outdir: string;
  beforeAll(async () => {
    nomad = await FakeNomad.start();
    outdir = Testing.fullSynth(buildHomelab().stack);
    const file = join(outdir, "stacks/homelab/cdk.tf.json");
    writeFileSync(file, readFileSync(file, "utf8").replaceAll("http://127.0.0.1:4646", nomad.address));
  });
  beforeEach(() => nomad.reset());
  afterAll(() => nomad.stop());

  const secrets = (args: string) => toldOfSecrets(outdir, args);
  const identity = () => nomad.items(VARIABLE).homelab_identity;
  const give = (text: string) => nomad.put(VARIABLE, { homelab_identity: text });

  test("is made once, and nothing else with it, before a deploy", async () => {
    const { code, out } = await secrets("init --identity");
    expect([code, out]).toEqual([0, expect.stringMatching(/^made homelab_identity in nomad\/jobs\/albyhub: .*\n$/)]);
    expect(identity()).toMatch(UUID);
    expect(nomad.writes).toEqual([`${VARIABLE} homelab_identity`]);
    const first = identity();
    expect(await secrets("init --identity")).toEqual({ code: 0, out: "", err: "" });
    expect([identity(), nomad.writes.length]).toEqual([first, 1]);
  });

  test("is that of whoever came first", async () => {
    nomad.beforeWrite = () => {
      if (identity() === undefined) give(OWN ?? "");
    };
    expect(await secrets("init --identity")).toEqual({ code: 0, out: "", err: "" });
    expect(identity()).toBe(OWN);
  });

  test("holds up no deploy whose token may not make it, which is said; and is not missed when it is there", async () => {
    nomad.capabilities = new Set(["list"]);
    const { code, err } = await secrets("init --identity");
    expect([code, err]).toEqual([
      0,
      expect.stringMatching(/^warning: cannot see to the homelab's identity .*secrets init/),
    ]);
    give(OWN ?? "");
    expect(await secrets("init --identity")).toEqual({ code: 0, out: "", err: "" });
  });

  test("is an error for a deploy when Nomad does not answer", async () => {
    nomad.failFrom = 1;
    expect((await secrets("init --identity")).code).toBe(1);
  });

  test("is no secret that a deploy waits for, but check says that it is missing, or none", async () => {
    const note = async () => JSON.parse((await secrets("check --json")).out).stacks[0].notes;
    expect(await note()).toEqual([expect.stringContaining("albyhub has no identity")]);
    give(OWN ?? "");
    expect(await note()).toEqual([]);
    give(`${OWN} adopts ${OTHER}`);
    expect(await note()).toEqual([]);
    for (const text of ["x", `${OWN} adopts x`, `${OWN} adopts ${OTHER} ${OTHER}`, `${OWN} ${OTHER}`]) {
      give(text);
      expect(await note()).toEqual([expect.stringContaining("homelab_identity in nomad/jobs/albyhub is no identity")]);
    }
    const { secrets: all } = JSON.parse((await secrets("check --json")).out).stacks[0];
    expect(all.map(({ path }: { path: string }) => path)).not.toContain(VARIABLE);
  });

  test("adopts the folder of another homelab when its owner types the service's name, and says the danger", async () => {
    give(OWN ?? "");
    const refused = await secrets(`adopt albyhub ${OTHER}`);
    expect([refused.code, refused.err]).toEqual([
      1,
      expect.stringContaining("--confirm albyhub says that you mean it"),
    ]);
    expect((await secrets(`adopt albyhub ${OTHER} --confirm hub`)).code).toBe(1);
    expect(identity()).toBe(OWN);
    const { code, out } = await secrets(`adopt albyhub ${OTHER} --confirm albyhub`);
    expect([code, out.replaceAll("\n", " ")]).toEqual([
      0,
      expect.stringContaining("Two hubs on one Lightning state lose the money in the channels"),
    ]);
    expect(identity()).toBe(`${OWN} adopts ${OTHER}`);
  });

  test("keeps its own identity however often it adopts, and makes one when it has none", async () => {
    expect((await secrets(`adopt albyhub ${OTHER} --confirm albyhub`)).code).toBe(0);
    const [own = ""] = identity()?.split(" ") ?? [];
    expect(own).toMatch(UUID);
    expect((await secrets(`adopt albyhub ${OWN} --confirm albyhub --json`)).code).toBe(0);
    expect(identity()).toBe(`${own} adopts ${OWN}`);
    const { err } = await secrets(`adopt albyhub ${own} --confirm albyhub`);
    expect(err).toContain("is this homelab's own identity");
  });

  test.each([
    ["x", '"x" is no identity'],
    [`${OWN}0`, "is no identity"],
  ])("is not adopted from %j", async (text, message) => {
    const { code, err } = await secrets(`adopt albyhub ${text} --confirm albyhub`);
    expect([code, err]).toEqual([1, expect.stringContaining(message)]);
    expect(nomad.writes).toEqual([]);
  });

  test("belongs to services with a work directory, which are named", async () => {
    const { err } = await secrets(`adopt electrs ${OTHER} --confirm electrs`);
    expect(err).toContain("electrs has no work directory that a homelab claims; services that have one: albyhub");
  });

  test("is not adopted over what somebody else has just written", async () => {
    give(OWN ?? "");
    nomad.beforeWrite = () => give(OTHER ?? "");
    const { code, err } = await secrets(`adopt albyhub ${OTHER} --confirm albyhub`);
    expect([code, err]).toEqual([1, expect.stringContaining("somebody else changed homelab_identity")]);
    expect(identity()).toBe(OTHER);
  });
});
