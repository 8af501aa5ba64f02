import { Testing } from "cdktf";
import type { Job } from "../../../.gen/nomad/job";
import { needsOf } from "../../../cli/shared/secret-needs";
import { readSynthesized } from "../../../cli/shared/synthesized";
import type { SecretRecord } from "../../../model/homelab";
import { buildHomelab } from "../../homelab-fixture";
import { job, stackFile, synthesized, task } from "../project";

/** What a stack reads whose one task has these templates. */
function needs(
  templates: readonly string[],
  change: Partial<Job["TaskGroups"][0]["Tasks"][0]> = {},
  secrets: SecretRecord[] = [],
) {
  const one = {
    ...task("wiki", "wiki:1", [100, 100]),
    Templates: templates.map((EmbeddedTmpl) => ({ DestPath: "local/x", EmbeddedTmpl })),
    ...change,
  };
  const [stack] = readSynthesized(
    synthesized({ apps: stackFile([job("wiki", [one])], secrets.length ? { secrets } : undefined) }),
    {},
  );
  if (!stack) throw new Error("nothing was read");
  return needsOf(stack);
}

const keys = (...templates: string[]) => needs(templates).needs.map(({ path, key }) => `${path} ${key}`);

describe("the fixture homelab", () => {
  const { bitcoin, stack } = buildHomelab();
  bitcoin.rpcUser("laptop", ["getblockcount"]);
  const [homelab] = readSynthesized("/", { CDKTF_OUTDIR: Testing.fullSynth(stack) });
  if (!homelab) throw new Error("nothing was read");

  test("reads in its templates exactly what its constructs declare", () => {
    const { needs: declared, notes } = needsOf(homelab);
    const { needs: read } = needsOf({ homelab: { ...homelab.homelab, secrets: [] } });
    const name = ({ namespace, path, key, readBy }: (typeof declared)[0]) =>
      [namespace, path, key, ...readBy].join(" ");
    expect(read.map(name).sort()).toEqual(declared.map(name).sort());
    expect(declared.map(name).sort()).toEqual([
      "bitcoin nomad/jobs/albyhub/albyhub/albyhub auto_unlock_password albyhub/albyhub/albyhub",
      "bitcoin nomad/jobs/albyhub/albyhub/albyhub database_password albyhub/albyhub/albyhub",
      "bitcoin nomad/jobs/bitcoin/bitcoin/bitcoind rpcauth_electrs bitcoin/bitcoin/bitcoind",
      "bitcoin nomad/jobs/bitcoin/bitcoin/bitcoind rpcauth_laptop bitcoin/bitcoin/bitcoind",
      "bitcoin nomad/jobs/electrs/electrs/electrs bitcoin_rpc_password electrs/electrs/electrs",
    ]);
    expect(notes).toEqual([]);
  });

  test("does not need the second hash that is there while a password is changed", () => {
    const conf = JSON.stringify(homelab.homelab.jobs.map((record) => record.job));
    expect(conf).toContain("rpcauth_electrs_next");
    expect(needsOf(homelab).needs.map(({ key }) => key)).not.toContain("rpcauth_electrs_next");
  });
});

describe("a template reads", () => {
  test.each([
    ["a key of a call", '{{ index (nomadVar "p") "k" }}'],
    ["a key of a call, its value", '{{ with (index (nomadVar "p") "k").Value }}x{{ . }}{{ else }}y{{ end }}'],
    ["a field of a call", '{{ (nomadVar "p").k }}'],
    ["a field within a block, as Nomad's manual has it", '{{ with nomadVar "p" }}user={{ .k }}{{ end }}'],
    ["a field's value", '{{- with nomadVar "p" -}}{{ .k.Value | toJSON }}{{- end -}}'],
    ["a key that is no name", '{{ with nomadVar "p" }}{{ index . "k" }}{{ end }}'],
    ["a key within a condition within a block", '{{ with nomadVar "p" }}{{ if .k }}{{ .k }}{{ end }}{{ end }}'],
    ["a key of a variable of the template", '{{ $v := nomadVar "p" }}{{ $v.k }}'],
    [
      "a key of a variable that a block binds",
      '{{ with $v := nomadVar "p" }}{{ range service "x" }}{{ $v.k }}{{ end }}{{ end }}',
    ],
    ["a path in backquotes", "{{ with nomadVar `p` }}{{ .k }}{{ end }}"],
  ])("%s", (_, template) => expect(keys(template)).toEqual(["p k"]));

  test("no key outside of the block of its variable", () => {
    expect(keys('{{ with nomadVar "p" }}{{ .k }}{{ else }}{{ .no }}{{ end }}{{ .no }}')).toEqual(["p k"]);
    expect(keys('{{ with nomadVar "p" }}{{ range service "x" }}{{ .Address }}{{ end }}{{ .k }}{{ end }}')).toEqual([
      "p k",
    ]);
    expect(keys('{{ with nomadVar "p" }}{{ .k }}{{ else with nomadVar "q" }}{{ .l }}{{ end }}')).toEqual([
      "p k",
      "q l",
    ]);
  });

  test("nothing in a comment or in plain text", () => {
    expect(keys('{{/* (nomadVar "p").k */}} index (nomadVar "p") "k"')).toEqual([]);
  });

  test("from another namespace when the path names it", () => {
    expect(needs(['{{ (nomadVar "p@other").k }}']).needs[0]).toMatchObject({ namespace: "other", path: "p", key: "k" });
  });

  test("with delimiters of its own", () => {
    const Templates = [
      { DestPath: "local/x", EmbeddedTmpl: '[[ (nomadVar "p").k ]]', LeftDelim: "[[", RightDelim: "]]" },
    ];
    expect(needs([], { Templates }).needs).toHaveLength(1);
  });

  test.each([
    ["a computed path", '{{ with nomadVar (printf "nomad/jobs/%s" (env "NOMAD_JOB_NAME")) }}{{ .k }}{{ end }}'],
    ["all keys", '{{ range $k, $v := nomadVar "p" }}{{ $k }}={{ $v }}{{ end }}'],
    ["all keys by a method", '{{ with nomadVar "p" }}{{ .Keys }}{{ end }}'],
  ])("%s, which cannot be told and is said", (_, template) => {
    const { needs: found, notes } = needs([template]);
    expect(found).toEqual([]);
    expect(notes).toEqual([
      "wiki/wiki/wiki reads a Nomad variable whose path or keys its template does not name: look after it yourself",
    ]);
  });
});

test("a secret block reads the keys that are interpolated", () => {
  const change = {
    Secrets: [{ Name: "db", Provider: "nomad", Path: "p" }],
    Env: { URL: "x${secret.db.k}${secret.other.l}" },
  };
  expect(needs([], change).needs.map(({ path, key }) => [path, key])).toEqual([["p", "k"]]);
});

test("a key that several tasks read is needed once, by all of them", () => {
  const declared: SecretRecord = {
    ...{ namespace: "bitcoin", path: "p", key: "k", source: "random", description: "a password" },
    readBy: "other/other/other",
  };
  expect(needs(['{{ (nomadVar "p").k }}', '{{ (nomadVar "p").k }}'], {}, [declared]).needs).toEqual([
    { ...declared, declared: true, readBy: ["other/other/other", "wiki/wiki/wiki"] },
  ]);
});

test("without the output homelab, a key is its owner's to know", () => {
  expect(needs(['{{ (nomadVar "p").k }}']).needs).toEqual([
    {
      ...{ namespace: "bitcoin", path: "p", key: "k", source: "owner", description: "no construct declares it" },
      ...{ declared: false, readBy: ["wiki/wiki/wiki"] },
    },
  ]);
});
