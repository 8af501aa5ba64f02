/** Lets a program require TypeScript files of this repository as they stand, without a build. */
const { transformFileSync } = require("@swc/core");

require.extensions[".ts"] = (module, file) => {
  const options = { jsc: { target: "es2022", parser: { syntax: "typescript" } }, module: { type: "commonjs" } };
  module._compile(transformFileSync(file, { ...options, swcrc: false, sourceMaps: "inline" }).code, file);
};
