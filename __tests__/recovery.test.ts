import { readFileSync } from "node:fs";
import { BY_HAND, CHAPTERS, commandsOf, RUN_ON_A_CLUSTER, shellCommandsOf } from "./recovery-document";

describe("docs/recovery.md", () => {
  test("has no command for a shell in a chapter that the cluster test does not run", () => {
    const others = CHAPTERS.filter((chapter) => !RUN_ON_A_CLUSTER.includes(chapter));
    expect(others.flatMap(shellCommandsOf)).toEqual([]);
    const commands = CHAPTERS.flatMap(commandsOf);
    expect(BY_HAND.filter((line) => !commands.includes(line))).toEqual([]);
  });

  test("names the recovery tool and the guide", () => {
    const text = readFileSync("docs/recovery.md", "utf8");
    expect(text).toContain("https://github.com/getAlby/hub-recovery/releases");
    expect(text).toContain("https://guides.getalby.com/user-guide/alby-hub/backups-and-recover");
  });
});
