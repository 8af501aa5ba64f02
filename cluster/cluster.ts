import { readInventory } from "./inventory";
import type * as machines from "./machines";

export type Cluster = machines.Cluster;

export const Cluster = {
  /**
   * Reads an Ansible inventory in YAML. The groups `nomad_servers` and `nomad_clients` name the hosts; the variables
   * are listed, with their units, in `variables.ts`.
   *
   * @param path of the file; a relative one starts at the current working directory.
   * @throws one error with all that is wrong, a line each: `<path>:<line>:<column>: <what is wrong>: <what to do>`.
   */
  fromInventory(path: string): Cluster {
    return readInventory(path);
  },
};
