import type { NomadClient } from "../../nomad/client";
import { capability, ifThere } from "../../nomad/live";
import { volumeOf } from "../../nomad/volume";
import type { Synthesized } from "./synthesized";

/** A resource whose thing lives already. */
export interface Import {
  /** Such as `nomad_job.bitcoin`. */
  readonly to: string;
  /** By which the provider finds it, such as `bitcoin@bitcoin`. */
  readonly id: string;
}

/** Resources of the stack whose jobs, volumes and namespaces Nomad has already. */
export async function importsOf(
  { jobs, volumes, namespaces }: Pick<Synthesized, "jobs" | "volumes" | "namespaces">,
  client: NomadClient,
): Promise<Import[]> {
  const asked = [
    ...namespaces.map(async ({ address: to, name }) => {
      const live = await ifThere(client.get(["namespace", name], { needs: `any capability in namespace "${name}"` }));
      return live ? [{ to, id: name }] : [];
    }),
    ...jobs.map(async ({ address: to, read: { job } }) => {
      if (!job) return [];
      const { ID, Namespace } = job;
      const options = { namespace: Namespace, needs: capability("read-job", Namespace) };
      const live = await ifThere(client.get(["job", ID], options));
      return live ? [{ to, id: `${ID}@${Namespace}` }] : [];
    }),
    ...volumes.map(async ({ address: to, record: { id, namespace } }) => {
      const live = await volumeOf(client, id, namespace);
      return live ? [{ to, id: `${id}@${namespace}` }] : [];
    }),
  ];
  return (await Promise.all(asked)).flat();
}
