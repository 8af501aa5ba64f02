import type { Task } from "../../.gen/nomad/job";
import { noSecretInJob } from "../../rules/no-secret-in-job";
import { DIGEST, findings } from "./homelab";

const PASSWORD = "hunter2-correct";
const HEX = "9e3634e81c11659e3de036d0bf88f89cd169c1039e6e09607562d54765c649cc";
const JWT = `eyJ${"hbGciOiJIUzI1NiJ9"}.eyJ${"zdWIiOiJtZSJ9"}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk`;
const XPRV = `xprv${"9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33y"}`;

const withTask = (change: (task: Task) => void) => findings(noSecretInJob, ({ electrs }) => change(electrs.task));
const withText = (text: string) =>
  withTask((task) => {
    task.Templates = [{ DestPath: "local/x", EmbeddedTmpl: text }];
  });
const values = (found: ReturnType<typeof withTask>) => found.map(({ value }) => value);

describe(noSecretInJob.statement, () => {
  test.each([
    "RPC_PASSWORD",
    "PGPASSWORD",
    "dbpasswd",
    "apiToken",
    "API_KEY",
    "SECRET_KEY_BASE",
    "auth",
    "MACAROON",
    "LND_MNEMONIC",
    "WALLET_SEED",
    "Private-Key",
    "pass",
    "RPC_PW",
    "rpcPw",
    "BITCOIN_RPC_CREDS",
    "rpc-cred",
    "AUTO_UNLOCK",
    "unlock",
  ])("the variable %s with a value is refused, and the value is not told", (name) => {
    const found = withTask((task) => {
      task.Env = { [name]: PASSWORD };
    });
    expect(found).toEqual([
      expect.objectContaining({
        path: "homelab/electrs",
        place: `TaskGroups[electrs].Tasks[electrs].Env.${name}`,
        value: `${name}=(hidden)`,
      }),
    ]);
    expect(JSON.stringify(found)).not.toContain(PASSWORD);
  });

  test.each([
    ["BIP39_PASSWORD_FILE", "/run/x"],
    ["AUTO_UNLOCK", "true"],
    ["UNLOCK_MODE", "by-hand"],
    ["CREDIT", "somebody"],
    ["PWA_NAME", "somebody"],
    ["TOKEN_TTL", "3600"],
    ["AUTH", "true"],
    ["PASSWORD", ""],
    ["DB_PASSWORD", "${NOMAD_SECRETS_DIR}/database_password"],
    ["DB_PASSWORD", "/secrets/database_password"],
    ["RPC_PASSWORD", "${RPC_PASSWORD}"],
    ["AUTHOR", "somebody"],
    ["SEEDNODE", "example.org"],
    ["DNSSEED", "x9.example.org"],
    ["KEYBOARD", "qwerty"],
    ["PUBLIC_KEY", "abc"],
    ["ELECTRUM_SERVER", "tcp://127.0.0.1:50001"],
  ])("the variable %s = %j is no secret", (name, value) => {
    expect(
      withTask((task) => {
        task.Env = { [name]: value };
      }),
    ).toEqual([]);
  });

  test("a dollar makes no variable where no shell reads it", () => {
    expect(
      values(
        withTask((task) => {
          task.Env = { PASSWORD: "$ecret" };
        }),
      ),
    ).toEqual(["PASSWORD=(hidden)"]);
  });

  test.each([
    [["-rpcpassword=hunter2-correct"], "rpcpassword"],
    [["--password", "hunter2-correct"], "--password"],
    [["sh", "-c", "run --api-token hunter2-correct"], "api-token"],
    [["sh", "-c", "PGPASSWORD='hunter2-correct' psql"], "PGPASSWORD"],
    [["curl", "-H", "Authorization: Bearer hunter2-correct"], "Authorization"],
    [[`-rpcauth=foo:7d9ba5ae63c3d4dc30583ff4fe65a67e$${HEX}`], "rpcauth"],
  ])("the arguments %j are refused", (args, name) => {
    for (const field of ["args", "entrypoint"] as const) {
      const found = withTask((task) => {
        task.Config[field] = args;
      });
      expect(values(found)).toContain(`${name}=(hidden)`);
      expect(JSON.stringify(found)).not.toMatch(/hunter2|9e3634/);
    }
  });

  test.each([
    [["-rpcauth=electrs:$hash", "--password", "--verbose"]],
    [["sh", "-c", 'export PGPASSWORD="$password"; TOKEN=$(cat /secrets/token) run']],
    [["--password", "$password", "--token=${NOMAD_SECRETS_DIR}/token"]],
    [["--password", "/secrets/password"]],
  ])("the arguments %j pass", (args) => {
    expect(
      withTask((task) => {
        task.Config.args = args;
      }),
    ).toEqual([]);
  });

  test.each([
    "rpcpassword=hunter2-correct",
    "server=1\nrpcpassword = hunter2-correct\n",
    'auth = "electrs:hunter2-correct"',
    "  password: hunter2-correct",
    '{"password": "hunter2-correct"}',
    "postgresql://hub:hunter2-correct@192.168.68.50:5432/hub",
    'export PASSWORD="hunter2-correct"',
    '{{ $password := "hunter2-correct" }}x',
    'password={{ "hunter2-correct" }}',
    'password={{ printf "%s" "hunter2-correct" }}',
    'password={{ envOrDefault "PASSWORD" "hunter2-correct" }}',
    "password=hunter2-correct{{ .x }}",
    'password="${password:-hunter2-correct}"',
    "{{ with .x }}a{{ else }}token=hunter2-correct{{ end }}",
  ])("the template %j is refused", (text) => {
    const found = withText(text);
    expect(found).toHaveLength(1);
    expect(found[0]?.place).toBe("TaskGroups[electrs].Tasks[electrs].Templates[local/x].EmbeddedTmpl");
    expect(JSON.stringify(found)).not.toContain("hunter2");
  });

  test.each([
    "rpcauth=electrs:{{ .hash }}",
    'auth = "electrs:{{ .password }}"',
    '{{ with (index (nomadVar "a/b") "rpcauth_x").Value }}rpcauth=x:{{ . }}{{ else }}the Nomad variable a/b has none{{ end }}',
    "postgresql://hub:$password@192.168.68.50:5432/hub",
    "postgresql://hub:{{ .password }}@192.168.68.50/hub",
    'secret() {\n  value=$($bb cat "/secrets/$1")\n}\npassword=$(secret database_password) || exit 1',
    'unlock="${unlock%x}"\nAUTO_UNLOCK_PASSWORD="$unlock"',
    '[ "$auth" = "x" ] && say "no password: ask for one"',
    "rpcwhitelist=electrs:getblock\nrpcwhitelistdefault=0\ndnsseed=0\nforcednsseed=1",
    'password={{ env "PASSWORD" }}',
    "http://example.org:8080/a@b",
    "{{/* password=x */}}",
    'cookie_file = "/data/.cookie"',
  ])("the template %j passes", (text) => {
    expect(withText(text)).toEqual([]);
  });

  test("a template with other delimiters is read with them", () => {
    const found = withTask((task) => {
      task.Templates = [{ DestPath: "x", EmbeddedTmpl: "password=[[ .x ]]", LeftDelim: "[[", RightDelim: "]]" }];
    });
    expect(found).toEqual([]);
  });

  test.each([
    ["-----BEGIN RSA PRIVATE KEY-----\nMIIE", "a private key (hidden)"],
    ["-----BEGIN PRIVATE KEY-----", "a private key (hidden)"],
    [XPRV, "an extended private key (hidden)"],
    [XPRV.replace("xprv", "zprv"), "an extended private key (hidden)"],
    ["5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ", "a private key of a wallet (hidden)"],
    [JWT, "a signed token (JWT) (hidden)"],
    [`Bearer ${JWT}`, "a signed token (JWT) (hidden)"],
    [HEX, "a key in hex (hidden)"],
    [HEX.toUpperCase(), "a key in hex (hidden)"],
  ])("%s is known by its form, wherever it stands", (secret, value) => {
    const changes: ((task: Task) => void)[] = [
      (task) => {
        task.Env = { X: secret };
      },
      (task) => {
        task.Meta = { x: `y ${secret}` };
      },
      (task) => {
        task.Config.labels = [{ "org.example": secret }];
      },
      (task) => {
        task.Templates = [{ DestPath: "x", EmbeddedTmpl: `a\n${secret}\nb` }];
      },
    ];
    for (const change of changes) {
      const found = withTask(change);
      expect(values(found)).toEqual([value]);
      expect(JSON.stringify(found)).not.toContain(secret);
    }
  });

  test.each([
    `name:tag@${DIGEST}`,
    "-----BEGIN CERTIFICATE-----",
    XPRV.replace("xprv", "xpub"),
    `assumevalid=00000000${HEX.slice(8)}`,
    `02${HEX}@192.0.2.1:9735`,
    HEX.slice(1),
    JWT.slice(0, JWT.lastIndexOf(".")),
  ])("%s is no secret", (text) => {
    expect(
      withTask((task) => {
        task.Env = { X: text };
      }),
    ).toEqual([]);
    expect(withText(text)).toEqual([]);
  });

  describe("a number that everybody may know", () => {
    const PUBLIC = [
      "signetchallenge",
      "TXID",
      "TLS_CERT_SHA256",
      "blockHash",
      "image-checksum",
      "LSP_PUBKEY",
      "peerPublicKey",
      "assumevalid",
      "minimumchainwork",
    ];

    test.each(PUBLIC)("passes under the name %s, wherever that stands", (name) => {
      for (const text of [
        `${name}=${HEX}`,
        `${name} = "${HEX}${HEX}"`,
        `{"${name}": "${HEX}"}`,
        `run --${name} ${HEX}`,
      ]) {
        expect(withText(`server=1\n${text}\n`)).toEqual([]);
      }
      const found = withTask((task) => {
        task.Env = { [name]: HEX };
        task.Config.args = [`-${name}=${HEX}`, `--${name}`, HEX];
      });
      expect(found).toEqual([]);
    });

    test.each(["HASHKEY", "TXID_KEY", "rpcauth", "PASSWORD_HASH", "signetchallenger"])(
      "is not one under the name %s",
      (name) => {
        expect(values(withText(`${name}=${HEX}`))).not.toEqual([]);
        expect(
          withTask((task) => {
            task.Env = { [name]: HEX };
          }),
        ).not.toEqual([]);
      },
    );

    test("hides no other beside it", () => {
      expect(values(withText(`txid=${HEX}\nseckey=${HEX}`))).toContain("a key in hex (hidden)");
      expect(values(withText(`txid=${HEX} ${HEX}`))).toEqual(["a key in hex (hidden)"]);
      expect(
        values(
          withTask((task) => {
            task.Env = { TXID: XPRV };
          }),
        ),
      ).toEqual(["an extended private key (hidden)"]);
    });
  });

  test("credentials of a registry, metadata and artifacts are read too", () => {
    expect(
      values(
        withTask((task) => {
          task.Config.auth = { username: "me", password: PASSWORD };
        }),
      ),
    ).toEqual(["password=(hidden)"]);
    expect(
      values(
        findings(noSecretInJob, ({ electrs }) => {
          electrs.job.Meta = { token: PASSWORD };
        }),
      ),
    ).toEqual(["token=(hidden)"]);
    const artifact = { GetterSource: `https://me:${PASSWORD}@example.org/x`, GetterHeaders: { "X-Api-Key": PASSWORD } };
    expect(
      values(
        withTask((task) => {
          task.Artifacts = [artifact];
        }),
      ),
    ).toEqual(["a password in a URL (hidden)", "X-Api-Key=(hidden)"]);
  });
});
