import { nomadVersion } from "../../rules/nomad-version";
import { findings } from "./homelab";

const judged = (version: string | undefined) =>
  findings(nomadVersion, ({ cluster }) => void Object.assign(cluster, { nomadVersion: version }));

describe(nomadVersion.statement, () => {
  test.each(["2.0.5", "2.0.6", "2.1.0", "2.1.0-rc.1", "2.0.5+ent", "10.0.0"])("%s passes", (version) => {
    expect(judged(version)).toEqual([]);
  });

  test.each(["2.0.4", "2.0.3", "1.11.2", "1.11.9+ent", "2.0.5-rc.1", "2.0.5-dev", "0.12.0"])(
    "%s is refused, at the stack",
    (version) => {
      expect(judged(version)).toEqual([
        expect.objectContaining({
          path: "homelab",
          place: "nomad_version",
          value: version,
          problem: expect.stringContaining(
            "is older than 2.0.5, and can leave the tasks of a deleted allocation running",
          ),
        }),
      ]);
    },
  );

  test.each(["2.0", "latest", "two"])("%s cannot be compared, and is refused", (version) => {
    expect(judged(version)).toEqual([expect.objectContaining({ problem: expect.stringContaining("no release") })]);
  });

  test("what nobody tells is held against no job", () => {
    expect(judged(undefined)).toEqual([]);
  });
});
