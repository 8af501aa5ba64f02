import { HIDDEN, NOT_SHOWN, shownField, withoutSecrets } from "../../review/secrets";
import { job, task } from "../cli/project";

describe("a field as Nomad itself compares it", () => {
  const ENV = "TaskGroups[albyhub].Tasks[albyhub].Env";

  test.each([
    [`${ENV}[DATABASE_URI]`, "postgresql://albyhub:Hunter2@192.0.2.5/nwc", HIDDEN],
    [`${ENV}[AUTO_UNLOCK_PASSWORD]`, "hunter", HIDDEN],
    [`${ENV}[NOTE]`, "anything else", NOT_SHOWN],
    [`${ENV}.NOTE`, "hunter", NOT_SHOWN],
    ["TaskGroups[a].Tasks[x]y].Env[NOTE]", "correct horse", NOT_SHOWN],
    [`${ENV}[NETWORK]`, "mainnet", "mainnet"],
    [`${ENV}[PORT]`, "8080", "8080"],
    ["TaskGroups[a].Tasks[b].Config[args][1]", "Hunter2Hunter2", HIDDEN],
    ["TaskGroups[a].Tasks[b].Config[auth][0][password]", "hunter", HIDDEN],
    ["TaskGroups[a].Tasks[b].Templates[local/x].EmbeddedTmpl", "rpcpassword=hunter", HIDDEN],
    ["TaskGroups[a].Tasks[b].Template", "DestPath x, EmbeddedTmpl rpcpassword=hunter", HIDDEN],
    ["TaskGroups[a].Tasks[b].Config", "auth (password hunter, username me)", HIDDEN],
    ["TaskGroups[a].Count", "1", "1"],
    ["TaskGroups[a].Tasks[b].Config.image", "bitcoin/bitcoin:31.1", "bitcoin/bitcoin:31.1"],
    ["TaskGroups[a].Network", "Label rpc, To 8332, Value 8332", "Label rpc, To 8332, Value 8332"],
  ])("%s = %s is shown as %s", (field, live, shown) => {
    expect(shownField({ field, live })).toEqual({ field, live: shown });
  });
});

test("a job is shown with those variables alone that are plainly harmless, in templates of variables too", () => {
  const one = job("a", [
    {
      ...task("b", "x:1", [1, 1]),
      Env: { NETWORK: "mainnet", NOTE: "hunter" },
      Templates: [
        {
          DestPath: "local/env",
          Envvars: true,
          EmbeddedTmpl: 'NETWORK=mainnet\nNOTE=hunter\nX={{ env "Y" }}\nZ=correct horse {{ env "Y" }}\n',
        },
      ],
    },
  ]);
  const [shown] = withoutSecrets(one).TaskGroups[0]?.Tasks ?? [];
  expect(shown?.Env).toEqual({ NETWORK: "mainnet", NOTE: NOT_SHOWN });
  expect(shown?.Templates?.[0]?.EmbeddedTmpl).toBe(
    `NETWORK=mainnet\nNOTE=${NOT_SHOWN}\nX={{ env "Y" }}\nZ=${NOT_SHOWN}\n`,
  );
});
