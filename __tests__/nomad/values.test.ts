import { Duration } from "../../nomad/duration";
import { compareVersions, parseImage } from "../../nomad/image";
import { Memory } from "../../nomad/memory";
import { file, instancesOf, Secret, secretPath } from "../../nomad/template";

describe("Duration", () => {
  test.each([
    ["15m", 900],
    ["90s", 90],
    ["1h30m", 5400],
    ["2160h", 7_776_000],
    ["0s", 0],
  ])("reads %s", (text, seconds) => expect(Duration.parse(text).toSeconds()).toBe(seconds));

  test.each(["15", "", "m", "15 m", "15min", "1.5h", "-1m", "15M", "1m30"])('refuses "%s"', (text) => {
    expect(() => Duration.parse(text)).toThrow(`"${text}" is not a duration: write a whole number with its unit`);
  });

  test("is integer nanoseconds in a job", () => {
    expect(Duration.minutes(20).toNanoseconds()).toBe(1_200_000_000_000);
    expect(Number.isSafeInteger(Duration.hours(2160).toNanoseconds())).toBe(true);
  });

  test.each([
    [Duration.minutes(15), "15m"],
    [Duration.seconds(90), "1m30s"],
    [Duration.hours(25), "25h"],
    [Duration.seconds(0), "0s"],
  ])("is written in Nomad's notation", (duration, text) => {
    expect(String(duration)).toBe(text);
    expect(Duration.parse(text)).toEqual(duration);
  });

  test("refuses a fraction and a negative amount", () => {
    expect(() => Duration.seconds(0.5)).toThrow("whole number of seconds");
    expect(() => Duration.minutes(-1)).toThrow("received -60 s");
  });

  test.each([
    [900_000_000_001, "15m0.000000001s"],
    [899_999_999_999, "14m59.999999999s"],
    [3_600_000_000_001, "1h0.000000001s"],
    [7_776_000_000_000_001, "2160h0.000000001s"],
    [1_500_000_000, "1.5s"],
    [1, "0.000000001s"],
    [90_000_000_000, "1m30s"],
    [0, "0s"],
  ])("of %d ns is written to the nanosecond", (nanoseconds, text) => {
    expect(String(Duration.fromNanoseconds(nanoseconds))).toBe(text);
  });

  test("adds up", () => {
    expect(Duration.minutes(15).plus(Duration.minutes(10)).toString()).toBe("25m");
  });
});

describe("Memory", () => {
  test("counts MiB", () => {
    expect(Memory.gibibytes(4).toMebibytes()).toBe(4096);
    expect(Memory.parse("768MiB").toMebibytes()).toBe(768);
    expect(Memory.parse("0.5GiB").toMebibytes()).toBe(512);
  });

  test.each(["8", "8GB", "8 G", "GiB", "-1GiB"])('refuses "%s"', (text) => {
    expect(() => Memory.parse(text)).toThrow("write a number with its unit");
  });

  test("is written in the largest whole unit", () => {
    expect(`${Memory.mebibytes(4096)}, ${Memory.mebibytes(1280)}`).toBe("4 GiB, 1280 MiB");
  });
});

describe("parseImage", () => {
  test.each([
    ["bitcoin/bitcoin:31.1", "bitcoin/bitcoin", "31.1", undefined, [31, 1]],
    ["getumbrel/electrs:v0.11.1@sha256:ab", "getumbrel/electrs", "v0.11.1", "sha256:ab", [0, 11, 1]],
    ["localhost:5000/x", "localhost:5000/x", undefined, undefined, []],
    ["localhost:5000/x:1-alpine", "localhost:5000/x", "1-alpine", undefined, [1]],
    ["busybox:latest", "busybox", "latest", undefined, []],
    ["busybox@sha256:ab", "busybox", undefined, "sha256:ab", []],
  ])("splits %s", (image, repository, tag, digest, version) => {
    const parts = parseImage(image);
    expect([parts.repository, parts.tag, parts.digest, parts.version]).toEqual([repository, tag, digest, version]);
  });

  test("compares versions part by part", () => {
    expect(compareVersions([0, 11, 1], [0, 12])).toBeLessThan(0);
    expect(compareVersions([31], [31, 0])).toBe(0);
    expect(compareVersions([31, 1], [30, 2])).toBeGreaterThan(0);
  });
});

describe("template helpers", () => {
  test("a secret is read from the task's own path, and an empty one becomes a sentence that names it", () => {
    const path = secretPath("bitcoin", "bitcoin", "bitcoind");
    expect(path).toBe("nomad/jobs/bitcoin/bitcoin/bitcoind");
    expect(new Secret(path, "k").line((secret) => `a=${secret}`)).toBe(
      `{{ with (index (nomadVar "${path}") "k").Value }}a={{ . }}{{ else }}the Nomad variable ${path} has no value under the key k{{ end }}`,
    );
  });

  test("addresses are those of the job that provides the service, one a line, and nobody else's", () => {
    expect(instancesOf({ service: "bitcoin-rpc", job: "bitcoin" }, "x")).toBe(
      '{{ range nomadService "bitcoin-rpc" }}{{ if eq .JobID "bitcoin" }}x\n{{ end }}{{ end }}',
    );
  });

  test("a file never restarts its task, and is private below secrets", () => {
    expect(file("secrets/a", "x")).toMatchObject({ ChangeMode: "noop", Perms: "0400", Uid: 3001, Gid: 3001 });
    expect(file("local/a", "x")).toMatchObject({ ChangeMode: "noop", Perms: "0444" });
  });
});
