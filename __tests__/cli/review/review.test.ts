import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../../cli/homelab";
import { copyProject, FIXTURE_MAIN } from "../../fixture-project";
import { fixture } from "../../review/plans";
import { describeWith } from "../../tools";
import { job, project, stackFile, synthesized, task } from "../project";
import { listening } from "../told";

/** Runs a command line in a folder; what it prints, and its exit code. */
async function told(args: readonly string[], folder: string) {
  const { program, printed } = listening();
  const before = process.cwd();
  process.chdir(folder);
  try {
    return { code: await run(args, program), ...printed };
  } finally {
    process.chdir(before);
  }
}

describe("homelab review --plan", () => {
  let folder: string;
  beforeAll(() => {
    // No cluster is asked here.
    delete process.env.NOMAD_ADDR;
    folder = project({});
    for (const name of ["no-op", "memory-cut", "volume-deregistered", "state"]) {
      writeFileSync(join(folder, `${name}.json`), fixture(name));
    }
    writeFileSync(join(folder, "cut.json"), fixture("no-op").slice(0, 999));
  });

  test.each([
    ["no-op", 0, "safe: restarts nothing\n"],
    ["memory-cut", 2, "needs acknowledgement of 1 finding; restarts 1 service\n"],
    ["volume-deregistered", 3, "refused: 1 finding, and 1 to acknowledge; restarts nothing\n"],
  ])("of %s ends with %i and says why in its first line", async (name, code, first) => {
    const { out, err, ...rest } = await told(["review", "--plan", `${name}.json`], folder);
    expect(rest.code).toBe(code);
    expect(out.startsWith(first)).toBe(true);
    expect(err).toBe("");
  });

  test("accepts a memory cut for a reason, which it shows", async () => {
    const allow = "memory-lowered:nomad_job.bitcoin=measured for a month";
    const { code, out } = await told(["review", "--plan", "memory-cut.json", "--allow", allow], folder);
    expect(code).toBe(0);
    expect(out).toContain("safe: restarts 1 service, 1 finding accepted");
    expect(out).toContain("accepted: «measured for a month»");
  });

  test("accepts it by the trailer of a commit", async () => {
    const git = (...args: string[]) =>
      execFileSync("git", ["-c", "user.name=x", "-c", "user.email=x@x", ...args], { cwd: folder });
    git("init", "-q");
    git("commit", "-q", "--allow-empty", "-m", "start");
    const trailer = "Homelab-Allow: memory-lowered nomad_job.bitcoin measured for a month";
    git("commit", "-q", "--allow-empty", "-m", `Reserve less\n\n${trailer}`);
    const review = ["review", "--plan", "memory-cut.json"];
    expect((await told([...review, "--commits", "HEAD~1..HEAD"], folder)).code).toBe(0);
    expect((await told([...review, "--commits", "HEAD..HEAD"], folder)).code).toBe(2);
    const { code, err } = await told([...review, "--commits", "nothing..HEAD"], folder);
    expect([code, err]).toEqual([1, expect.stringMatching(/^error: --commits nothing\.\.HEAD: git cannot list them/)]);
  });

  test("never accepts the loss of a volume with funds", async () => {
    const allow = "data-lost:nomad_csi_volume_registration.albyhub-data=I know";
    const { code, out } = await told(["review", "--plan", "volume-deregistered.json", "--allow", allow], folder);
    expect(code).toBe(3);
    expect(out).toContain("this cannot be accepted");
  });

  test("prints Markdown and JSON as well", async () => {
    const markdown = await told(["review", "--plan", "memory-cut.json", "--format", "markdown"], folder);
    expect(markdown.out).toMatch(/^## ⚠️ \*\*needs acknowledgement\*\*.*<!-- homelab-review homelab -->\n$/s);
    const json = await told(["review", "--plan", "memory-cut.json", "--format", "json"], folder);
    expect(JSON.parse(json.out).stacks[0]).toMatchObject({ stack: "homelab", exit: 2, counts: { restarts: 1 } });
    expect([markdown.code, json.code]).toEqual([2, 2]);
  });

  test.each([
    [["--plan", "nothing.json"], /^error: nothing\.json cannot be read \(ENOENT\)\n$/],
    [["--plan", "cut.json"], /^error: the plan is not JSON, or cut off; write it with terraform show -json/],
    [["--plan", "state.json"], /^error: this is no plan but a state/],
    [["--plan", "no-op.json", "--allow", "memory-lowered"], /write <finding>:<resource>=<reason>/],
    [["--plan", "no-op.json", "--allow", "nonsense:x=y"], /there is no finding nonsense/],
    [["--plan", "no-op.json", "--format", "html"], /Allowed choices are markdown, json, text/],
    [["--plan", "no-op.json", "--nonsense"], /unknown option '--nonsense'/],
    [["--plan", "no-op.json", "--nomad"], /stack homelab names no address of Nomad: set NOMAD_ADDR/],
  ])("%p ends with 1, never with the code of a finding", async (args, message) => {
    const { code, out, err } = await told(["review", ...args], folder);
    expect(code).toBe(1);
    expect(out).toBe("");
    expect(err).toMatch(message);
  });

  test("reviews a state from a file where nothing was synthesized, by itself", async () => {
    const { code, out } = await told(["review", "--state", "state.json"], folder);
    expect(code).toBe(0);
    expect(out).toMatch(/^state of homelab: Terraform 1\.\d+\.\d+, registry\.terraform\.io\/hashicorp\/nomad\n/);
    expect(out).toContain("nomad_job.bitcoin is tainted: the next apply stops and recreates it");
    expect(out).not.toContain("not in the code");
    expect((await told(["review", "--state", "cut.json"], folder)).code).toBe(1);
  });

  test("explains itself, and ends with 0", async () => {
    const { code, out } = await told(["review", "--help"], folder);
    expect(code).toBe(0);
    expect(out).toContain("Exit codes: 0 safe");
  });
});

describeWith(["terraform", "provider"], "homelab review with real Terraform and the real provider", () => {
  /** Where nobody listens. */
  const provider = { nomad: [{ address: "http://127.0.0.1:9" }] };
  const lab = (memory: number) => ({
    ...stackFile([job("bitcoin", [task("bitcoind", "bitcoin/bitcoin:31.1", [2500, memory])])], {
      terraform: { provider: "hashicorp/nomad 2.6.1", nomadAddress: "http://127.0.0.1:9", state: "local" },
    }),
    provider,
  });

  test("makes a plan of what was synthesized, and keeps it", async () => {
    const folder = synthesized({ homelab: lab(4096) });
    const { code, out } = await told(["review"], folder);
    // Two rules that this job breaks.
    expect([code, out.split("\n")[0]]).toEqual([2, "needs acknowledgement of 2 findings; restarts nothing"]);
    expect(out).toContain("bitcoin is new and starts: Bitcoin Core 31.1, 4 GiB of memory.");
    const kept = join(folder, "cdktf.out/stacks/homelab");
    const shown = execFileSync("terraform", [`-chdir=${kept}`, "show", "-json", "review.tfplan"], { encoding: "utf8" });
    writeFileSync(join(folder, "plan.json"), shown);
    expect((await told(["review", "--plan", "plan.json"], folder)).out).toBe(out);
  }, 60_000);

  test("shows a job that is HCL by its name alone, and a stack whose jobs are gone", async () => {
    const spec = 'job "site" {\n  group "web" {\n    task "web" {\n      driver = "docker"\n    }\n  }\n}\n';
    const hcl = {
      provider,
      resource: { nomad_job: { site: { jobspec: spec } } },
    };
    const { code, out } = await told(["review"], synthesized({ homelab: hcl }));
    expect(code).toBe(2);
    expect(out).toContain("spec-unreadable: job site cannot be read: HCL; shown by name only");
    const bare = { provider };
    const none = await told(["review"], synthesized({ homelab: bare }));
    expect([none.code, none.out.split("\n")[0]]).toEqual([0, "safe: restarts nothing"]);
  }, 60_000);

  test("passes on what Terraform says when there is no plan", async () => {
    const broken = { ...lab(4096), output: { x: { value: "${nomad_job.nothing.id}" } } };
    const { code, out, err } = await told(["review"], synthesized({ homelab: broken }));
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(/^error: terraform plan failed: .*Reference to undeclared resource/);
  }, 60_000);

  test("reviews a state by itself, in which there is nothing", async () => {
    const { code, out } = await told(["review", "--state"], synthesized({ homelab: lab(4096) }));
    expect(code).toBe(0);
    expect(out).toMatch(/^state of homelab: Terraform /);
    expect(out).toContain("nomad_job.bitcoin is in the code and not in the state");
  }, 60_000);
});

/** The fixture homelab in a folder of its own: one for all tests, so that only what is edited is compiled again. */
let copy: string | undefined;

function copied(): string {
  const folder = project({});
  copyProject(folder);
  const inventory = join(folder, "ansible/inventory.yml");
  // Nobody listens there: the machines of the inventory may be somebody's.
  writeFileSync(inventory, readFileSync(inventory, "utf8").replace("pinode2.local:4646", "127.0.0.1:9"));
  return folder;
}

/** What `npm run review` says when `main.ts` is edited. */
function reviewed(edit: (main: string) => string) {
  copy ??= copied();
  writeFileSync(join(copy, "main.ts"), edit(FIXTURE_MAIN));
  const { status, stdout, stderr } = spawnSync("npm", ["run", "--silent", "review"], { cwd: copy, encoding: "utf8" });
  return { status, out: stdout, err: stderr };
}

describe("npm run review", () => {
  test.each([
    ["does not compile", "metaVersion: 1", 'metaVersion: "one"', /main\.ts.*error TS\d+/],
    ["breaks a rule", "bitcoin:31.1", "bitcoin:latest", /rule pinned-image/],
  ])(
    "of a program that %s ends with 1, never with the code of a finding",
    (_, from, to, says) => {
      const { status, out, err } = reviewed((main) => main.replace(from, to));
      expect([status, out + err]).toEqual([1, expect.stringMatching(says)]);
    },
    120_000,
  );
});

describeWith(["terraform", "provider"], "npm run review with Terraform and the provider", () => {
  test("of the homelab as it is says what is new, without any state or cluster", () => {
    const { status, out } = reviewed((main) => main);
    // The one server of the fixture, which its main.ts accepts in writing.
    expect([status, out.split("\n")[0]]).toEqual([2, "needs acknowledgement of 1 finding; restarts nothing"]);
    expect(out).toContain("homelab/albyhub accepts breaches of the rule second-place");
    expect(out).toContain("bitcoin is new and starts: Bitcoin Core 31.1, 4 GiB of memory");
  }, 120_000);
});
