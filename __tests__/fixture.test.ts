import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mermaid } from "../cli/overview/mermaid";
import { overviewOf } from "../cli/overview/model";
import { readSynthesized } from "../cli/shared/synthesized";
import { Cluster } from "../cluster/cluster";
import { FIXTURE_INVENTORY, runMain } from "./fixture-project";
import { addBackup, buildHomelab, synthesize } from "./homelab-fixture";

describe("the fixture homelab", () => {
  const outdir = mkdtempSync(join(tmpdir(), "fixture-"));
  beforeAll(() => {
    process.env.CDKTF_OUTDIR = outdir;
    runMain();
    delete process.env.CDKTF_OUTDIR;
  });
  afterAll(() => rmSync(outdir, { recursive: true }));

  test("is what the tests of single constructs build and change", () => {
    const cluster = Cluster.fromInventory(FIXTURE_INVENTORY);
    const built = addBackup(buildHomelab({ stack: { cluster }, backup: {} }));
    // Tests name their images without digests.
    const text = readFileSync(join(outdir, "stacks/homelab/cdk.tf.json"), "utf8").replaceAll(
      /@sha256:[0-9a-f]{64}/g,
      "",
    );
    const main = JSON.parse(text);
    const { config } = synthesize(built.stack);
    for (const part of ["output", "provider", "resource"]) expect(config[part]).toEqual(main[part]);
  });

  test("is what README draws", () => {
    const readme = readFileSync("README.md", "utf8");
    const [, drawn] = /<!-- diagram -->\n+```mermaid\n([\s\S]*?)```\n+<!-- \/diagram -->/.exec(readme) ?? [];
    expect(drawn).toBe(mermaid(readSynthesized("/", { CDKTF_OUTDIR: outdir }).map(overviewOf)));
  });
});
