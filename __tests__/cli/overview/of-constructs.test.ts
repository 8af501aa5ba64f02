import { Testing } from "cdktf";
import { mermaid } from "../../../cli/overview/mermaid";
import { overviewOf } from "../../../cli/overview/model";
import { readSynthesized } from "../../../cli/shared/synthesized";
import { buildHomelab } from "../../homelab-fixture";
import { synthesized } from "../project";

/** The fixture homelab, synthesized and read back. */
const [homelab] = readSynthesized("/", { CDKTF_OUTDIR: Testing.fullSynth(buildHomelab().stack) });
if (!homelab) throw new Error("nothing was read");
const overview = overviewOf(homelab);
const service = (job: string) => overview.services.find((one) => one.job === job);

test("every job is read with the path of its construct", () => {
  expect(homelab.described).toBe(true);
  expect(overview.services.map(({ job, path }) => [job, path])).toEqual([
    ["bitcoin", "homelab/bitcoin"],
    ["electrs", "homelab/electrs"],
    ["albyhub", "homelab/albyhub"],
    ["csi-nfs-controller", "homelab/csi-nfs/controller"],
    ["csi-nfs-node", "homelab/csi-nfs/node"],
  ]);
});

test("the chain, the index and the channels each have one writer, on the NAS", () => {
  const volumes = ["bitcoin", "electrs", "albyhub"].flatMap((job) => service(job)?.volumes ?? []);
  expect(volumes).toEqual(
    (
      [
        ["bitcoin-data", "chain"],
        ["electrs-data", "index"],
        ["albyhub-data", "funds"],
      ] as const
    ).map(([id, holds]) => ({
      id,
      type: "csi",
      readOnly: false,
      holds,
      managed: true,
      pluginId: "nfs",
      server: "127.0.0.1",
    })),
  );
});

test("wallets reach electrs, electrs needs bitcoin, and the hub needs electrs", () => {
  const chart = mermaid([overview]);
  expect(chart).toContain('user_wallets -->|"50001 electrum"| job_bitcoin_electrs');
  expect(chart).toContain("job_bitcoin_electrs -->|needs| job_bitcoin_bitcoin");
  expect(chart).toContain("job_bitcoin_albyhub -->|needs| job_bitcoin_electrs");
  expect(chart).toContain('csi_nfs[["CSI plugin nfs<br>csi-nfs-controller<br>csi-nfs-node"]]');
});

test("the password of electrs and its hash belong together", () => {
  const [hash, password] = ["rpc-hash", "rpc-password"].map((source) =>
    overview.secrets.find((one) => one.source === source),
  );
  expect(hash).toMatchObject({ rpcUser: "electrs", readBy: "bitcoin/bitcoin/bitcoind" });
  expect(password).toMatchObject({ rpcUser: "electrs", readBy: "electrs/electrs/electrs" });
});

test("everything fits with any client drained, and no rule is violated", () => {
  expect(overview.placement.map(({ placement }) => placement.verdict)).toEqual(["fits", "fits"]);
  expect(overview.findings.filter(({ severity }) => severity === "violation")).toEqual([]);
});

test("the rules look at a project without the output too, whatever its drivers", () => {
  const jobspec = JSON.stringify({
    ID: "wiki",
    TaskGroups: [{ Name: "wiki", Tasks: [{ Name: "wiki", Driver: "exec" }] }],
  });
  const folder = synthesized({ apps: { resource: { nomad_job: { wiki: { json: true, jobspec } } } } });
  const [apps] = readSynthesized(folder, {}).map(overviewOf);
  expect(apps?.services[0]?.tasks).toEqual([
    { name: "wiki", role: "main", image: "", cpu: 100, memory: 300, memoryMax: 300, killTimeout: "5s" },
  ]);
  expect(apps?.findings.map(({ path }) => path)).toContain("apps/wiki");
});
