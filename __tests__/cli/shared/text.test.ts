import fc from "fast-check";
import { grouped, printable, printableJson, styleFor, table, wrap } from "../../../cli/shared/text";

describe("table", () => {
  test("keeps columns apart by two spaces, numbers to the right, cells of several lines side by side", () => {
    const lines = table(
      [{ title: "NAME" }, { title: "MiB", right: true }, { title: "PORTS" }],
      [
        [["bitcoin"], ["4096"], ["8332 rpc", "8333 p2p"]],
        [["electrs", "  + probe"], ["1280", "+16"], []],
      ],
      styleFor(false),
    );
    expect(lines).toEqual([
      "  NAME        MiB  PORTS",
      "  bitcoin    4096  8332 rpc",
      "                   8333 p2p",
      "  electrs    1280",
      "    + probe   +16",
    ]);
  });

  test("measures a text without its colours", () => {
    const { red } = styleFor(true);
    const [row] = grouped([{}, {}], [{ heading: [], rows: [[[red("no")], ["next"]]] }]);
    expect(printable(row ?? "")).toBe("  \x1b[31mno\x1b[39m  next");
  });
});

test("groups share their columns", () => {
  const groups = [
    { heading: ["first"], rows: [[["a"], ["1"]]] },
    { heading: ["second"], rows: [[["long"], ["2"]]] },
    { heading: ["third"], rows: [] },
  ];
  expect(grouped([{}, {}], groups)).toEqual(["first", "  a     1", "second", "  long  2", "third"]);
});

describe("wrap", () => {
  test("breaks at spaces and indents what follows", () => {
    expect(wrap("one two three", 8, "  ")).toEqual(["one two", "  three"]);
  });

  test("loses no word, and goes beyond the width only with a word that is longer", () => {
    const word = fc.stringMatching(/^[a-z]{1,12}$/);
    fc.assert(
      fc.property(fc.array(word, { minLength: 1 }), fc.integer({ min: 1, max: 40 }), (words, width) => {
        const lines = wrap(words.join(" "), width);
        expect(lines.join(" ")).toBe(words.join(" "));
        for (const line of lines) expect(line.length <= width || !line.includes(" ")).toBe(true);
      }),
    );
  });
});

test("without colour a text stays as it is", () => {
  const { bold, dim, red, green, yellow } = styleFor(false);
  expect([bold, dim, red, green, yellow].map((style) => style("text"))).toEqual(Array(5).fill("text"));
});

describe("a text from outside", () => {
  const HOSTILE = [
    "\x1b]52;c;Y3VybA==\x07",
    "\x1b[2A\x1b[2K",
    "\x1b[32mwell\x1b[0m",
    "\x9b2J",
    "\r\n::error::injected",
    "\n##[add-mask]x",
    "\u202egnp",
    "\u2066x",
    "\x00\x08\x7f",
  ].join(" ");

  test("moves no cursor, colours nothing, and is no command of a workflow", () => {
    const text = printable(HOSTILE);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    expect(text).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/);
    expect(text).not.toMatch(/^\s*(?:::|##\[)/m);
    expect(text).toContain("\\x1b[32mwell");
    expect(printable("one\n\ttwo · ü ✅\n")).toBe("one\n\ttwo · ü ✅\n");
  });

  test("keeps the colours of this program alone", () => {
    const { green } = styleFor(true);
    expect(printable(green(`a${HOSTILE.slice(0, 3)}`))).toBe("\x1b[32ma\\x1b]5\x1b[39m");
  });

  test("is JSON all the same in JSON, and reads back", () => {
    const json = printableJson({ [HOSTILE]: HOSTILE });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    expect(json).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/);
    expect(JSON.parse(json)).toEqual({ [HOSTILE]: HOSTILE });
  });
});
