import fc from "fast-check";
import { compareImages, parseImage } from "../../nomad/image";

const compare = (a: string, b: string) => {
  const order = compareImages(parseImage(`x:${a}`), parseImage(`x:${b}`));
  return order === undefined ? undefined : Math.sign(order);
};

describe("the versions of two images", () => {
  test.each([
    ["31.1", "31.1", 0],
    ["31", "31.0", 0],
    ["v0.11.1", "0.11.1", 0],
    ["v0.11.1", "v0.11.2", -1],
    ["v0.9.9", "v0.11.1", -1],
    ["30.2", "31.1", -1],
    ["31.1rc1", "31.1", -1],
    ["31.1rc1", "31.1rc2", -1],
    ["31.1rc9", "31.1rc10", -1],
    ["31.1", "31.2rc1", -1],
    ["1.2.0-alpha.1", "1.2.0-beta.1", -1],
    ["1.2.0-beta.2", "1.2.0-rc.1", -1],
    ["1.37.0-musl", "1.37.0", 0],
    ["31.1-alpine", "31.1rc1-alpine", 1],
    ["31.1@sha256:00", "31.0@sha256:00", 1],
    ["latest", "31.1", undefined],
    ["31.1", "build7", undefined],
  ])("%s and %s are ordered %p", (a, b, order) => {
    expect(compare(a, b)).toBe(order);
    expect(compare(b, a)).toBe(order === undefined || order === 0 ? order : -order);
  });

  test("are ordered in one line, whatever they are", () => {
    const version = fc
      .tuple(
        fc.array(fc.nat(40), { minLength: 1, maxLength: 3 }),
        fc.constantFrom("", "rc1", "rc2", "-beta", "-alpine"),
      )
      .map(([parts, rest]) => `${parts.join(".")}${rest}`);
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        if ((compare(a, b) ?? 0) <= 0 && (compare(b, c) ?? 0) <= 0) expect(compare(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });

  test("never throw, whatever the tag is", () => {
    fc.assert(fc.property(fc.string(), fc.string(), (a, b) => void compare(a, b)));
  });
});
