import { join } from "node:path";
import { describeWith } from "../tools";
import { command } from "./command";

describeWith(["go"], "the stand-ins", () => {
  test("refuse what the real programs refuse", () => {
    const env = { GOTOOLCHAIN: "local", GOFLAGS: "-buildvcs=false" };
    expect(command("go", ["test", "./..."], { cwd: join(__dirname, "stand-ins"), env })).toMatch(/^ok/);
  });
});
