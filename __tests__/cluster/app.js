/** The cdktf app of the cluster tests: runs app.ts, and the project's constructs as they stand, without a build. */
const { transformFileSync } = require("@swc/core");

require.extensions[".ts"] = (module, file) => {
  const options = { jsc: { target: "es2022", parser: { syntax: "typescript" } }, module: { type: "commonjs" } };
  module._compile(transformFileSync(file, { ...options, swcrc: false, sourceMaps: "inline" }).code, file);
};

require("./app.ts");
