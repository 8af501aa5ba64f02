/** Unit, snapshot, contract and state tests; what needs a real Nomad lives in jest.cluster.config.js. */
module.exports = {
  testEnvironment: "node",
  transform: { "\\.ts$": ["@swc/jest", { jsc: { target: "es2022", parser: { syntax: "typescript" } } }] },
  roots: ["<rootDir>/__tests__"],
  testMatch: ["**/*.test.ts"],
  testPathIgnorePatterns: ["/__tests__/cluster/"],
};
