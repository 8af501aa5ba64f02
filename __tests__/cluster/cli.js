/** The program homelab of this repository as it stands, without a build. */
const { transformFileSync } = require("@swc/core");

require.extensions[".ts"] = (module, file) => {
  const options = { jsc: { target: "es2022", parser: { syntax: "typescript" } }, module: { type: "commonjs" } };
  module._compile(transformFileSync(file, { ...options, swcrc: false, sourceMaps: "inline" }).code, file);
};

require("../../cli/homelab.ts")
  .run(process.argv.slice(2))
  .then((code) => {
    process.exitCode = code;
  });
