import { Testing } from "cdktf";
import { fill } from "../../../cli/secrets/fill";
import { type Given, statusesOf } from "../../../cli/secrets/state";
import { Variables } from "../../../cli/secrets/variables";
import { needsOf } from "../../../cli/shared/secret-needs";
import { NomadClient } from "../../../nomad/client";
import { addBackup, buildHomelab } from "../../homelab-fixture";
import { FakeNomad } from "../fake-nomad";
import { toldOfSecrets } from "../told";

const HUB = "nomad/jobs/albyhub/albyhub/albyhub";
const DUMP = "nomad/jobs/backup/backup/database";
const LOAD = "nomad/jobs/backup-restore/backup-restore/database";
const RESTIC = ["backup", "backup-check", "backup-drill", "backup-restore"].map(
  (job) => `nomad/jobs/${job}/${job}/restic`,
);
const KEY = "albyhub_database_password";

describe("a secret that several tasks read, each at its own path", () => {
  let nomad: FakeNomad;
  let client: NomadClient;
  const { stack } = addBackup(buildHomelab({ backup: {} }));
  const { needs } = needsOf({ homelab: stack.homelab() });

  beforeAll(async () => {
    nomad = await FakeNomad.start();
    client = new NomadClient(nomad.address, {});
  });
  beforeEach(() => nomad.reset());
  afterAll(() => nomad.stop());

  const init = async (given: Given, answers: Record<string, string> = {}) => {
    const asked: string[] = [];
    const told: string[] = [];
    const ask = async ({ path, key }: { path: string; key: string }) => {
      asked.push(`${path} ${key}`);
      return answers[key] ?? "";
    };
    await fill(client, needs, { given, ask, show: false }, ({ need, how }) => told.push(`${how} ${need.path}`));
    return { asked, told };
  };
  const statuses = async () => statusesOf(needs, await Variables.read(client, needs), { held: new Map() });
  const values = () => [nomad.items(HUB).database_password, nomad.items(DUMP)[KEY], nomad.items(LOAD)[KEY]];

  test("is asked for once, and written to every path", async () => {
    const { asked, told } = await init({}, { database_password: "hubs", restic_password: "papers" });
    expect(asked).toEqual([`${HUB} database_password`, `${RESTIC[0]} restic_password`]);
    expect(values()).toEqual(["hubs", "hubs", "hubs"]);
    expect(RESTIC.map((path) => nomad.items(path).restic_password)).toEqual(Array(4).fill("papers"));
    expect(told).toEqual(expect.arrayContaining([`typed ${HUB}`, `copied ${DUMP}`, `copied ${LOAD}`]));
    expect((await statuses()).filter(({ state }) => state !== "present")).toEqual([]);
  });

  test("is taken from the path that has it already, as when a backup comes to a hub that runs", async () => {
    nomad.put(HUB, { database_password: "hubs" });
    const missing = (await statuses()).find(({ path }) => path === DUMP);
    expect(missing).toMatchObject({ state: "missing", problem: `homelab secrets init copies it from ${HUB}` });
    const { asked } = await init({}, { restic_password: "papers" });
    expect(asked).toEqual([`${RESTIC[0]} restic_password`]);
    expect(values()).toEqual(["hubs", "hubs", "hubs"]);
  });

  test("is given for one path alone, and reaches the others", async () => {
    await init({ [HUB]: { database_password: "hubs" }, [RESTIC[2] as string]: { restic_password: "papers" } });
    expect(values()).toEqual(["hubs", "hubs", "hubs"]);
    expect(RESTIC.map((path) => nomad.items(path).restic_password)).toEqual(Array(4).fill("papers"));
  });

  test("is refused when two values are given for it, or another than there is, and nothing is written", async () => {
    const two = { [HUB]: { database_password: "hubs" }, [DUMP]: { [KEY]: "another" } };
    await expect(init(two)).rejects.toThrow(/the value given for .* is not that of .* both must be the same/);
    nomad.put(HUB, { database_password: "hubs" });
    await expect(init({ [DUMP]: { [KEY]: "another" } })).rejects.toThrow(
      `the value given for ${KEY} in ${DUMP} is not that of database_password in ${HUB}`,
    );
    expect(nomad.writes).toEqual([]);
  });

  test("is wrong when the paths differ, and check says so at each", async () => {
    await init({ [HUB]: { database_password: "hubs" }, [RESTIC[0] as string]: { restic_password: "papers" } });
    nomad.put(DUMP, { [KEY]: "another" });
    const wrong = (await statuses()).filter(({ state }) => state !== "present");
    expect(wrong.map(({ path, state }) => [path, state])).toEqual([
      [HUB, "mismatch"],
      [DUMP, "mismatch"],
      [LOAD, "mismatch"],
    ]);
    expect(wrong[1]?.problem).toBe(
      `is not what database_password in ${HUB} is, and both must be the same: store the right one in all places with homelab secrets set ${DUMP} ${KEY}`,
    );
    expect(JSON.stringify(wrong)).not.toMatch(/hubs|"another"/);
  });

  test("is set at every path at once, when told to overwrite", async () => {
    const outdir = Testing.fullSynth(addBackup(buildHomelab({ backup: {}, stack: clusterAt(nomad.address) })).stack);
    nomad.put(HUB, { database_password: "old", foreign: "kept" });
    nomad.put(DUMP, { [KEY]: "old" });
    expect(await set(outdir, `${HUB} database_password`, "new")).toMatchObject({ code: 1 });
    expect(values()).toEqual(["old", "old", undefined]);
    const { code, out } = await set(outdir, `${HUB} database_password --yes`, "new");
    expect(code).toBe(0);
    expect(out.match(/^stored /gm)).toHaveLength(3);
    expect(values()).toEqual(["new", "new", "new"]);
    expect(nomad.items(HUB).foreign).toBe("kept");
    expect((await set(outdir, `${LOAD} ${KEY}`, "new")).out).toContain("has this value already");
  });
});

function clusterAt(nomadAddress: string) {
  return { cluster: { ...buildHomelab().stack.cluster, nomadAddress } };
}

function set(outdir: string, args: string, value: string) {
  return toldOfSecrets(outdir, `set ${args}`, { stdin: value });
}
