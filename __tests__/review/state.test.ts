import { readState } from "../../review/plan";
import { codeOf, reviewState, type StateNote } from "../../review/state";
import { fixture } from "./plans";

const state = readState(fixture("state"));
const notes = (all: readonly StateNote[]) => all.map(({ resource, problem }) => `${resource} ${problem}`);

/** The code of a state: every resource with the arguments it has there. */
function code(change: (resources: Record<string, Record<string, Record<string, unknown>>>) => void = () => {}) {
  const resource: Record<string, Record<string, Record<string, unknown>>> = {};
  for (const { address, type, values, deposed } of readState(fixture("state")).resources) {
    const name = address.slice(type.length + 1);
    if (!deposed) resource[type] = { ...resource[type], [name]: { ...values } };
  }
  change(resource);
  return codeOf({ resource: JSON.parse(JSON.stringify(resource).replaceAll("${", "$${")) });
}

describe("the review of a real state", () => {
  test("tells what is tainted, deposed, or secret and in clear", () => {
    expect(notes(reviewState(state))).toEqual([
      expect.stringMatching(
        /^nomad_csi_volume_registration\.electrs-data keeps sensitive values in clear in the state: secrets$/,
      ),
      expect.stringMatching(/^nomad_job\.albyhub has an old object \(deposed 0badcafe\) that the next apply destroys$/),
      expect.stringMatching(/^nomad_job\.bitcoin is tainted: the next apply stops and recreates it$/),
      expect.stringMatching(
        /^nomad_job\.electrs keeps what looks like a secret in clear in the state: .*Env\.RPC_PASSWORD$/,
      ),
    ]);
  });

  test("tells the versions it was written with", () => {
    expect(state.terraformVersion).toMatch(/^1\.\d+\.\d+$/);
    expect([...new Set(state.resources.map(({ provider }) => provider))]).toEqual([
      "registry.terraform.io/hashicorp/nomad",
    ]);
  });

  test("says nothing of a state that is the code", () => {
    expect(notes(reviewState(state, code()))).toEqual(notes(reviewState(state)));
  });

  test("tells what is on one side alone, and which jobs differ", () => {
    const changed = code(({ nomad_job, nomad_namespace }) => {
      delete nomad_namespace?.namespace;
      const bitcoin = nomad_job?.bitcoin;
      if (!nomad_job || !bitcoin) throw new Error("no job");
      nomad_job.fresh = { ...bitcoin };
      bitcoin.jobspec = String(bitcoin.jobspec).replace('"MemoryMB": 4096', '"MemoryMB": 2048');
    });
    const rest = notes(reviewState(state, changed)).slice(notes(reviewState(state)).length);
    expect(rest).toEqual([
      "nomad_namespace.namespace is in the state and not in the code",
      "nomad_job.fresh is in the code and not in the state",
      "nomad_job.bitcoin differs from the code: TaskGroups[bitcoin].Tasks[bitcoind].Resources.MemoryMB",
    ]);
  });

  test("tells of outputs and of what is only read, and shows none of it", () => {
    const secret = "QXZJWVKYQXZJ";
    const read = readState(
      JSON.stringify({
        format_version: "1.0",
        terraform_version: "1.11.4",
        values: {
          outputs: {
            plain: { value: "nothing" },
            seed: { value: secret, sensitive: true },
            rpc_password: { value: secret, sensitive: false },
          },
          root_module: {
            resources: [
              {
                address: "data.nomad_variable.bitcoin",
                mode: "data",
                type: "nomad_variable",
                provider_name: "registry.terraform.io/hashicorp/nomad",
                values: { path: "nomad/jobs/bitcoin", items: { rpc: secret } },
                sensitive_values: { items: true },
              },
            ],
          },
        },
      }),
    );
    const told = reviewState(read, []);
    expect(notes(told)).toEqual([
      "data.nomad_variable.bitcoin keeps sensitive values in clear in the state: items",
      "output rpc_password keeps what looks like a secret in clear in the state: rpc_password",
      "output seed keeps sensitive values in clear in the state: seed",
    ]);
    expect(JSON.stringify(told)).not.toContain(secret);
  });

  test("reads the state that a plan starts from", () => {
    expect(readState(fixture("no-op")).resources).toHaveLength(10);
    expect(readState(fixture("create")).resources).toHaveLength(0);
  });

  test.each([
    "",
    "{",
    '{"version": 4, "resources": []}',
    '{"format_version": "1.0", "values": {"root_module": {"resources": [{"address": 5}]}}}',
  ])("refuses %p", (text) => {
    expect(() => readState(text)).toThrow(/terraform show -json/);
  });
});
