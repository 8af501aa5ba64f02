import { relative, resolve } from "node:path";
import { App, LocalBackend, PgBackend, type TerraformStack } from "cdktf";

/**
 * Where Terraform keeps its state. `local`: in `terraform.<stack>.tfstate` beside cdktf.json, outside of `cdktf.out`,
 * from which the CLI deletes the folders of stacks that are gone. `pg`: in PostgreSQL, which locks it against a second
 * run; the connection string comes from the environment variable PG_CONN_STR alone.
 */
export type State = "local" | "pg";

/** Declares the backend of a stack. A path relative to the stack's folder, so that no machine's path is synthesized. */
export function keepState(stack: TerraformStack, state: State): void {
  const { id } = stack.node;
  if (state === "pg") {
    // The type wants a connection string; Terraform reads PG_CONN_STR when none is written.
    new PgBackend(stack, { connStr: "", schemaName: `terraform_${id}` }).addOverride("conn_str", undefined);
    return;
  }
  const directory = resolve(App.of(stack).outdir, "stacks", id);
  new LocalBackend(stack, { path: relative(directory, resolve(`terraform.${id}.tfstate`)) });
}
