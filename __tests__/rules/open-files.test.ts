import { openFiles } from "../../rules/open-files";
import { type Draft, places } from "./homelab";

const withUlimit = (ulimit: Record<string, string>[] | undefined, change: (draft: Draft) => void = () => {}) =>
  places(openFiles, (draft) => {
    draft.electrs.task.Config.ulimit = ulimit;
    change(draft);
  });

describe(openFiles.statement, () => {
  test.each([
    [undefined, "no nofile"],
    [[], "no nofile"],
    [[{ nproc: "65536" }], "no nofile"],
    [[{ nofile: "many" }], "no nofile"],
    [[{ nofile: "1024" }], "nofile 1024"],
    [[{ nofile: "1024:1048576" }], "nofile 1024"],
    [[{ nofile: "8191:8191" }], "nofile 8191"],
    [[{ nofile: "65536" }, { nofile: "256" }], "nofile 256"],
  ])("%j is refused", (ulimit, value) => {
    expect(withUlimit(ulimit)).toEqual([`homelab/electrs TaskGroups[electrs].Tasks[electrs].Config.ulimit = ${value}`]);
  });

  const enough: Record<string, string>[][] = [
    [{ nofile: "8192" }],
    [{ nofile: "65536:65536" }],
    [{ nproc: "1" }, { nofile: "8192:9000" }],
    [{ nofile: "-1" }],
  ];
  test.each(enough.map((ulimit) => [ulimit]))("%j passes", (ulimit) => {
    expect(withUlimit(ulimit)).toEqual([]);
  });

  test("a task that reads, or writes backups, is not asked", () => {
    expect(
      withUlimit(undefined, ({ electrs }) => {
        electrs.task.VolumeMounts = [{ Volume: "data", Destination: "/data", ReadOnly: true }];
      }),
    ).toEqual([]);
    expect(withUlimit(undefined, ({ electrs }) => void Object.assign(electrs.volume, { holds: "backup" }))).toEqual([]);
  });
});
