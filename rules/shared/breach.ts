import type { Homelab } from "../../model/homelab";
import { fieldOf, type Place } from "../../model/places";
import type { Finding } from "../rule";

/** A finding at a field of a group or task when the rule is broken there; none otherwise. */
export function breach(isBroken: boolean, at: Place, field: string, rest: Omit<Finding, "path" | "place">): Finding[] {
  return isBroken ? [{ path: at.record.path, place: fieldOf(at, field), ...rest }] : [];
}

/** Construct path of the stack, for findings about the cluster itself. */
export function stackPath({ jobs, volumes }: Homelab): string {
  return (jobs[0] ?? volumes[0])?.path.split("/")[0] ?? "";
}
