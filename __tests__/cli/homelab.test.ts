import { homelab } from "../../cli/homelab";
import { job, project, stackFile, synthesized, task } from "./project";
import { told as toldIn } from "./told";

const { version } = require("../../package.json");

const lab = synthesized({
  homelab: stackFile([job("bitcoin", [task("bitcoind", "bitcoin/bitcoin:31.1", [2500, 4096])])], {}),
});

const told = (args: readonly string[], folder = lab, colors = false) => toldIn(args, folder, colors);

describe("homelab", () => {
  test("prints the overview and ends with 0", async () => {
    const { code, out, err } = await told(["overview"]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/^homelab at http:\/\/pinode2\.local:4646/);
    expect(out).toMatch(/[^\n]\n$/);
  });

  test("prints colours where the terminal has them", async () => {
    expect((await told(["overview"], lab, true)).out).toContain("\x1b[1mServices\x1b[22m");
    expect((await told(["overview"], lab, false)).out).not.toContain("\x1b");
  });

  test("prints one chart, or one JSON object, when asked", async () => {
    expect((await told(["overview", "--mermaid"])).out).toMatch(/^flowchart TB\n/);
    const json = JSON.parse((await told(["overview", "--json"])).out);
    expect(json.stacks.map(({ stack }: { stack: string }) => stack)).toEqual(["homelab"]);
  });

  test("ends with 1 and one line on stderr when nothing was synthesized", async () => {
    const folder = project({});
    expect(await told(["overview"], folder)).toEqual({
      code: 1,
      out: "",
      err: `error: ${folder}/cdktf.out/manifest.json is not there; run npm run synth first\n`,
    });
  });

  test.each([
    [["overveiw"], "error: unknown command 'overveiw' (Did you mean overview?); see homelab --help\n"],
    [["overview", "--jsno"], "error: unknown option '--jsno' (Did you mean --json?); see homelab --help\n"],
    [
      ["overview", "--json", "--mermaid"],
      "error: option '--json' cannot be used with option '--mermaid'; see homelab --help\n",
    ],
  ])("ends with 2 and one line on stderr when %j is not understood", async (args, err) => {
    expect(await told(args)).toEqual({ code: 2, out: "", err });
  });

  test("without a verb shows its help and ends with 2", async () => {
    const { code, err } = await told([]);
    expect(code).toBe(2);
    expect(err).toContain("Usage: homelab");
  });

  test("shows an example of every verb", async () => {
    const { code, out } = await told(["--help"]);
    expect(code).toBe(0);
    for (const { name } of homelab().commands.map((command) => ({ name: command.name() }))) {
      expect(out).toMatch(new RegExp(`^  homelab ${name}`, "m"));
      expect((await told([name, "--help"])).out).toContain(`\n  homelab ${name}`);
    }
  });

  test("documents every verb and its parts: an example, the exit codes, and --json", async () => {
    const verbs = homelab().commands.flatMap((verb) => [
      [verb.name()],
      ...verb.commands.map((part) => [verb.name(), part.name()]),
    ]);
    expect(verbs).toContainEqual(["secrets", "rotate"]);
    for (const words of verbs) {
      const line = words.join(" ");
      const { out } = await told([...words, "--help"]);
      expect([line, out]).toEqual([line, expect.stringMatching(new RegExp(`^  .*homelab ${line}`, "m"))]);
      expect([line, out]).toEqual([line, expect.stringContaining("Exit codes: 0 ")]);
      expect([line, out]).toEqual([line, expect.stringContaining("--json")]);
    }
  });

  test("loads the verb that is meant alone, and finds each by its name", () => {
    for (const name of homelab().commands.map((command) => command.name())) {
      expect(homelab([name, "--help"]).commands.map((command) => command.name())).toEqual([name]);
    }
  });

  test("has the version of the project", async () => {
    expect(await told(["--version"])).toEqual({ code: 0, out: `${version}\n`, err: "" });
  });
});
