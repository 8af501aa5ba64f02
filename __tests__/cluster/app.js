/** The cdktf app of the cluster tests: runs app.ts, and the project's constructs as they stand. */
require("./typescript");
require("./app.ts");
