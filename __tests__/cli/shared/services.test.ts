import { lineTime } from "../../../cli/logs/lines";
import { dependantsOf, inOrder, serviceNamed, servicesOf } from "../../../cli/shared/services";
import { readSynthesized } from "../../../cli/shared/synthesized";
import { job, stackFile, synthesized, task } from "../project";

const main = (id: string, image: string) =>
  job(id, [task(id, image, [100, 128])], { Services: [{ Name: `${id}-service`, PortLabel: "p" }] });
const jobs = [
  main("albyhub", "registry.example/getalby/hub:v1.24.0"),
  main("electrs", "getumbrel/electrs:v0.11.1"),
  main("bitcoin", "bitcoin/bitcoin:31.1"),
];
const dependencies = [
  { from: "albyhub", on: "electrs" },
  { from: "electrs", on: "bitcoin" },
];
const [stack] = readSynthesized(synthesized({ homelab: stackFile(jobs, { dependencies }) }), {});
const services = servicesOf(stack as NonNullable<typeof stack>);
const names = (of: readonly { readonly name: string }[]) => of.map(({ name }) => name);

describe("services", () => {
  test("come after what they need, with the program that their image is known for", () => {
    expect(services.map(({ name, program }) => [name, program])).toEqual([
      ["bitcoin", "Bitcoin Core"],
      ["electrs", "electrs"],
      ["albyhub", "Alby Hub"],
    ]);
  });

  test("come in some order when they need each other in a circle", () => {
    const circle = [
      { name: "a", needs: ["b"], isPlugin: false },
      { name: "b", needs: ["a"], isPlugin: false },
      { name: "plugin", needs: [], isPlugin: true },
    ];
    expect(names(inOrder(circle))[0]).toBe("plugin");
    expect(names(inOrder(circle)).toSorted()).toEqual(["a", "b", "plugin"]);
  });

  test("interrupt whatever needs them, through others too", () => {
    const [bitcoin, electrs, albyhub] = services as [(typeof services)[0], (typeof services)[0], (typeof services)[0]];
    expect(names(dependantsOf(services, [bitcoin]))).toEqual(["electrs", "albyhub"]);
    expect(names(dependantsOf(services, [bitcoin, electrs]))).toEqual(["albyhub"]);
    expect(names(dependantsOf(services, [albyhub]))).toEqual([]);
  });

  test("are found by their job, or by a name that they register", () => {
    expect(serviceNamed(services, "electrs").name).toBe("electrs");
    expect(serviceNamed(services, "bitcoin-service").name).toBe("bitcoin");
    expect(() => serviceNamed(services, "mempool")).toThrow(
      new Error("there is no service mempool; there are bitcoin, electrs, albyhub"),
    );
  });
});

describe("the time of a line", () => {
  test.each([
    ["2026-01-02T03:04:05Z UpdateTip: new best=0", "2026-01-02T03:04:05Z"],
    ["[2026-01-02T03:04:05.678Z INFO  electrs::index] indexing 2000 blocks", "2026-01-02T03:04:05.678Z"],
    ['{"level":"info","time":"2026-01-02T05:04:05+02:00","msg":"node started"}', "2026-01-02T03:04:05Z"],
    ["2026-01-02T03:04:05 without a zone", "2026-01-02T03:04:05Z"],
  ])("of %j is read", (line, time) => {
    expect(lineTime(line)).toBe(Date.parse(time));
  });

  test.each([
    "",
    "entry: waiting for bitcoind",
    "2026-13-99T99:99:99Z nonsense",
    `${"x".repeat(80)} 2026-01-02T03:04:05Z`,
  ])("of %j is not known", (line) => {
    expect(lineTime(line)).toBeUndefined();
  });
});
