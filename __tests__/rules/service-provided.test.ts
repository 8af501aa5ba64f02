import { serviceProvided } from "../../rules/service-provided";
import { findings, places } from "./homelab";

const asking = (call: string) =>
  places(serviceProvided, ({ albyhub }) => {
    albyhub.task.Templates = [{ DestPath: "local/x", EmbeddedTmpl: `{{ range ${call} }}{{ .Address }}{{ end }}` }];
  });

describe(serviceProvided.statement, () => {
  const at = "homelab/albyhub TaskGroups[albyhub].Tasks[albyhub].Templates[local/x]";

  test.each([
    'nomadService "electrs"',
    "nomadService `bitcoin`",
    'nomadService 1 (env "NOMAD_ALLOC_ID") "electrs"',
    'nomadService "tag.electrs"',
    'nomadService "electrs@global"',
    'nomadService "electrs" | toJSON',
  ])("%s passes", (call) => {
    expect(asking(call)).toEqual([]);
  });

  test.each([
    ['nomadService "bitcoin-zmq"', "bitcoin-zmq"],
    ['nomadService 1 (env "NOMAD_ALLOC_ID") "electrs2"', "electrs2"],
    ["nomadService (env `SERVICE`)", "nomadService (computed)"],
    ['nomadService (printf "electrs")', "nomadService (computed)"],
    ['"electrs" | nomadService', "nomadService (computed)"],
    ['"bitcoin-zmq" | nomadService 1 "electrs"', "nomadService (computed)"],
  ])("%s is refused", (call, value) => {
    expect(asking(call)).toEqual([`${at} = ${value}`]);
  });

  test.each([
    ['service "bitcoin-zmq"', 'service "bitcoin-zmq"', "Consul"],
    ['service "electrs" | toJSON', 'service "electrs"', "Consul"],
    ["services", "services", "Consul"],
    ['key "a/b"', 'key "a/b"', "Consul"],
    ['(keyOrDefault "a/b" "c")', 'keyOrDefault "c"', "Consul"],
    ['"a/b" | tree', "tree", "Consul"],
    ['(secret "kv/a").Data', 'secret "kv/a"', "Vault"],
    ['pkiCert "pki/issue/a" "common_name=a"', 'pkiCert "common_name=a"', "Vault"],
  ])("%s is refused, since nobody would answer", (call, value, store) => {
    expect(asking(call)).toEqual([`${at} = ${value}`]);
    const [found] = findings(serviceProvided, ({ albyhub }) => {
      albyhub.task.Templates = [{ DestPath: "local/x", EmbeddedTmpl: `{{- ${call} -}}` }];
    });
    expect(found?.problem).toContain(`asks ${store}`);
  });

  test.each([".service", "$key", '"key"', '(nomadVar "a/b").key', 'index (nomadVar "a/b") "secret"'])(
    "%s is no function of Consul or Vault",
    (text) => {
      expect(asking(text)).toEqual([]);
    },
  );

  test("a service of a task counts", () => {
    const found = places(serviceProvided, ({ electrs: { group, task } }) => {
      task.Services = group.Services;
      delete group.Services;
    });
    expect(found).toEqual([]);
  });

  test.each(["consul", undefined] as const)("a service with Provider %s is not in Nomad's catalogue", (Provider) => {
    const found = places(serviceProvided, ({ electrs }) => {
      for (const service of electrs.group.Services ?? []) service.Provider = Provider;
    });
    expect(found).toEqual(["homelab/albyhub TaskGroups[albyhub].Tasks[albyhub].Templates[local/address] = electrs"]);
  });

  test("a service of another namespace does not count, and is named", () => {
    const [found] = findings(serviceProvided, ({ electrs: { job, task } }) => {
      job.Namespace = "default";
      task.Templates = [];
    });
    expect(found?.problem).toContain("in namespace bitcoin; homelab/electrs provides it in namespace default");
  });
});
