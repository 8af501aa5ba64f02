import { readAllowance, readTrailers } from "../../review/allow";

describe("an acknowledgement on the command line", () => {
  test("names finding, resource and reason; a reason may hold anything", () => {
    expect(readAllowance("memory-lowered:nomad_job.bitcoin=measured: 2 GiB = enough")).toEqual({
      finding: "memory-lowered",
      resource: "nomad_job.bitcoin",
      reason: "measured: 2 GiB = enough",
    });
  });

  test.each([
    "memory-lowered",
    "memory-lowered:nomad_job.bitcoin",
    "memory-lowered:nomad_job.bitcoin=",
    "memory-lowered:nomad_job.bitcoin=  ",
    "memory-lowered=because",
    "",
  ])("%p is refused, because it lacks something", (text) => {
    expect(() => readAllowance(text)).toThrow(/write <finding>:<resource>=<reason>, such as/);
  });

  test("of a finding that does not exist is refused with those that do", () => {
    expect(() => readAllowance("memory-lowred:x=y")).toThrow(
      /there is no finding memory-lowred; there are data-lost, .*memory-lowered/,
    );
  });
});

describe("an acknowledgement in a commit", () => {
  test("is a trailer, of which a message may have several", () => {
    const message = `Lower what bitcoind reserves

Measured for a month.

Homelab-Allow: memory-lowered nomad_job.bitcoin measured for a month
homelab-allow:  cpu-lowered   nomad_job.electrs   it idles
Signed-off-by: someone
`;
    expect(readTrailers(message)).toEqual([
      { finding: "memory-lowered", resource: "nomad_job.bitcoin", reason: "measured for a month" },
      { finding: "cpu-lowered", resource: "nomad_job.electrs", reason: "it idles" },
    ]);
  });

  test("in the middle of a sentence is none", () => {
    expect(readTrailers("we will need Homelab-Allow: memory-lowered nomad_job.bitcoin x")).toEqual([]);
  });

  test("without a reason is refused", () => {
    expect(() => readTrailers("Homelab-Allow: memory-lowered nomad_job.bitcoin")).toThrow(
      /write Homelab-Allow: <finding> <resource> <reason>/,
    );
  });
});
