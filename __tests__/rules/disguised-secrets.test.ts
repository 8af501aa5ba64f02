import type { Task } from "../../.gen/nomad/job";
import { noSecretInJob } from "../../rules/no-secret-in-job";
import { isPlainlyHarmless } from "../../rules/shared/harmless";
import { scrub } from "../../rules/shared/scrub";
import { findings } from "./homelab";

const HEX = "9f8e7d6c5b4a39281706f5e4d3c2b1a0".repeat(4);
const WORDS = "abandon ability able about above absent absorb abstract absurd abuse access accident";
const WORDS24 = `${WORDS} account accuse achieve acid acoustic acquire across act action actor actress actual`;
const B58 = "x2kWq7LmP4hTzR9vBcJdYfGnK3sAeU6wXtMi5HoZ8QpVr1NjDbCyEgFuSaTkRmWqLz".repeat(2);
const BECH = "qpzry9x8gf2tvdw0s3jn54khce6mua7l".repeat(2);
const base64 = (text: string) => Buffer.from(text).toString("base64");

const flagged = (change: (task: Task) => unknown) =>
  findings(noSecretInJob, ({ electrs: { task } }) => void change(task)).length > 0;
const env = (value: string, name = "X") => flagged((task) => Object.assign(task, { Env: { [name]: value } }));
const args = (...args: string[]) => flagged(({ Config }) => Object.assign(Config, { args }));
const template = (EmbeddedTmpl: string) =>
  flagged((task) => Object.assign(task, { Templates: [{ DestPath: "local/x", EmbeddedTmpl }] }));

describe("a secret in disguise is found", () => {
  test.each([
    ["a password of a URL with a slash", "postgresql://albyhub:Hunter2/Hunter2@192.0.2.5/nwc"],
    ["with a hash", "postgresql://albyhub:Hunter2#2@192.0.2.5/nwc"],
    ["with a question mark", "redis://:Hunter2?x@192.0.2.5:6379"],
    ["with an at", "mysql://a:Hun@ter2@192.0.2.5/x"],
    ["with a space", "postgres://a:Hunter 2@192.0.2.5/x"],
    ["of digits and a slash", "postgres://a:12/34@192.0.2.5/x"],
    ["in capitals", "POSTGRES://a:hunter@192.0.2.5/x"],
    ["with percent signs for all", encodeURIComponent("postgres://a:hunter@192.0.2.5/x")],
    ["of MySQL", "root:hunter2@tcp(db:3306)/x"],
    ["without a scheme", "user:hunter2x@db.local:5432"],
    ["in the query", "jdbc:postgresql://db/x?user=a&password=hunter"],
    ["of a repository", "rest:https://homelab:hunter2@backup.example/"],
    ["a token of a URL", "https://0123456789abcdefABCDEF@github.com/x/y"],
    ["a seed of 12 words", WORDS],
    ["of 24", WORDS24],
    ["in capitals, with commas", WORDS.toUpperCase().replaceAll(" ", ", ")],
    [
      "with numbers",
      WORDS.split(" ")
        .map((word, at) => `${at + 1}. ${word}`)
        .join("\n"),
    ],
    ["with hyphens", WORDS.replaceAll(" ", "-")],
    ["an extended key", `xprv${B58.slice(0, 107)}`],
    ["of a multisig", `Zprv${B58.slice(0, 107)}`],
    ["of testnet, in a descriptor", `wpkh(tprv${B58.slice(0, 107)}/0/*)`],
    ["a WIF", "L1aW4aubDFB7yfras2S1mN3bqg9nwySY8nkoLmJebSLD5BWv3ENZ"],
    ["of testnet", "cMahea7zqjxrtgAbB7LSGbcQUr1uX1ojuat9jZodMN8rFTv2sfUK"],
    ["a BIP 38 key", `6P${B58.slice(0, 56)}`],
    ["an nsec", `nsec1${BECH.slice(0, 58)}`],
    ["an NWC connection", `nostr+walletconnect://${HEX.slice(0, 64)}?relay=wss://r.example&secret=${HEX.slice(0, 64)}`],
    ["in another spelling", `nostr%2Bwalletconnect%3A${HEX.slice(0, 40)}`],
    ["a macaroon in hex", `0201036c6e6402f801030a10${HEX}`],
    ["in base64", `AgEDbG5kAvgBAwoQ${base64(HEX).slice(0, 80)}`],
    ["ecash", `cashuAeyJ0b2tlbiI6${base64(HEX).slice(0, 60).replaceAll("=", "")}`],
    ["a key of age", "AGE-SECRET-KEY-1QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7LQPZRY9X8GF2TVDW0S3JN54KHCE"],
    ["a key of PGP", "-----BEGIN PGP PRIVATE KEY BLOCK-----"],
    ["a token of GitHub", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"],
    ["of Slack", "xoxb-1234567890-1234567890123-AbCdEfGhIjKl"],
    ["of AWS", "AKIAIOSFODNN7EXAMPLE"],
    ["of GitLab", "glpat-0123456789abcdefABCD"],
    ["a token of Nomad", "c62d8564-c0c5-8dfe-3e75-005debbd0e40"],
    ["a password", "Hunter2Hunter2"],
    ["in base64", base64("Hunter2Hunter2")],
    ["twice in base64", base64(base64("password=Hunter2Hunter2"))],
    ["in hex", Buffer.from("password=Hunter2").toString("hex")],
    ["a URL in base64", base64("postgres://a:hunter@192.0.2.5/x")],
    ["a password's hash", "user:$2y$05$kyEyguS/Sisz7SMjqKQZ1eQDCM7pSFiItkL9yiVIDOVyQfj8XTCAS"],
    ["a text without an end", "a".repeat(600_000)],
  ])("%s, under a name that says nothing", (_, secret) => {
    expect(env(secret)).toBe(true);
    expect(flagged((task) => Object.assign(task, { Meta: { note: `it is ${secret}` } }))).toBe(true);
  });

  test.each([
    [["albyhub", "Hunter2Hunter2"]],
    [["curl", "-u", "me:hunter2"]],
    [["sh", "-c", "curl --user me:hunter2 https://x"]],
    [["sh", "-c", "sshpass -p hunter2 ssh x"]],
    [["sh", "-c", "echo 'correct horse' >/dev/null; echo hunter2x | docker login --password-stdin"]],
    [["--admin-password1", "hunter"]],
    [["-c", 'hub --pass""word=hunter2x']],
    [["-H", "X-Auth: Bearer 8sd7f6s8d7f6s8d7"]],
  ])("in the arguments %j", (list) => expect(args(...list)).toBe(true));

  test.each([
    '{{ "SHVudGVyMkh1bnRlcjI=" | base64Decode }}',
    '{{ base64Decode "aHVudGVy" }}',
    'x = {{ printf "%s%s" "Hunter2" "Hunter2" }}',
    'password={{ "hun" }}{{ "ter" }}',
    '{{ $p := "hunter" }}{{ $password := "hunter" }}',
    '{{ with "token" }}token={{ . }}{{ end }}\nrpcpassword=hunter',
    '{{ $p := "correct horse" }}\nrpcpassword={{ $p }}',
    '{{ with "hunter" }}rpcpassword={{ . }}{{ end }}',
    'rpcpassword={{ "hunter2hunter" | toJSON }}',
    '{"dsn":"postgresql:\\/\\/alby:hunter@db.lan\\/nwc"}',
    '{"SecretID": "6f1c2e3a-1b2c-4d5e-8f90-123456789abc"}',
    "alias = Hunter2Hunter2",
    "  key: 'Hunter2Hunter2'",
  ])("in the template %j", (text) => expect(template(text)).toBe(true));
});

describe("what is no secret is left alone:", () => {
  test.each([
    ["VERSION", "v1.24.0-alpha.1"],
    ["TZ", "Europe/Berlin"],
    ["NETWORK", "mainnet"],
    ["LDK_GOSSIP_SOURCE", "https://rapidsync.lightningdevkit.org/snapshot"],
    ["URL", "http://192.0.2.5:8080/a@b"],
    ["NODE_ID", "c62d8564-c0c5-8dfe-3e75-005debbd0e40"],
    ["ADDRESS", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"],
    ["PEER", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"],
    ["TEXT", "the quick brown fox jumps over the lazy dog and then some more words about nothing"],
    ["KEY_FILE", "/secrets/key"],
    ["REGISTRY_AUTH", "htpasswd"],
    ["IMAGE", `docker.io/library/busybox:1.37.0@sha256:${HEX.slice(0, 64)}`],
  ])("%s = %s", (name, value) => expect(env(value, name)).toBe(false));
});

describe("a value is plainly harmless", () => {
  test.each([
    "true",
    "8080",
    "15m",
    "mainnet",
    "/data/bitcoin",
    "http://127.0.0.1:8080",
    "127.0.0.1:50001",
    "${NOMAD_PORT_http}",
    "info",
    "1.5 GiB",
    "Europe/Berlin",
    "v1.24.0",
    "",
  ])("such as %j", (value) => expect(isPlainlyHarmless(value)).toBe(true));
  test.each([
    "Hunter2",
    "hunter",
    "correct horse battery",
    "a1b2c3",
    "https://u:p@host",
    "x=y",
    "/secret/Hunter2Hunter2",
    "0x1234abcd",
  ])("or may be a secret, such as %j", (value) => expect(isPlainlyHarmless(value)).toBe(false));
});

test("a text that others wrote is scrubbed, and the rest stays readable", () => {
  expect(scrub("cannot connect to postgres://hub:hunter@192.0.2.5/x: refused")).toBe(
    "cannot connect to (hidden)192.0.2.5/x: refused",
  );
  expect(scrub('{"password": "hunter", "user": "hub"}')).toBe('{"password": (hidden), "user": "hub"}');
  expect(scrub("X-Nomad-Token: 12345678-abcd, and TOKEN=hunter;")).not.toMatch(/12345678|hunter/);
  expect(scrub("job bitcoin needs 4 GiB; 0 of 3 machines have room")).toBe(
    "job bitcoin needs 4 GiB; 0 of 3 machines have room",
  );
});
