/** The program homelab of this repository as it stands. */
require("./typescript");
require("../../cli/homelab.ts")
  .run(process.argv.slice(2))
  .then((code) => {
    process.exitCode = code;
  });
