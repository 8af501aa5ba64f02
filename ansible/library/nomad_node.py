"""Takes a Nomad client out of service and back, and does not say so before it is true."""

import re
import time
from datetime import datetime

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nomad_api import (
    ARGUMENTS,
    LIVE,
    Nomad,
    NomadError,
    failing_jobs,
    is_system,
    is_wanted,
    label,
    sick_node_plugins,
    sick_plugins,
    until,
)

DOCUMENTATION = r"""
module: nomad_node
short_description: Takes a Nomad client out of service, or back
description:
  - C(drained) drains the node without its system jobs and waits until every allocation has stopped on the machine.
    Nomad's own «drain complete» comes at the deadline, while a task is still stopping.
  - C(in_service) waits until the node is ready, with its system jobs and CSI plugins, makes it eligible, and waits
    until every service of the cluster is healthy.
options:
  api_url:
    description: The HTTP API of any agent, without path.
    type: str
    required: true
  token:
    description: A token of the policy C(patcher), or a management token. Empty for a cluster without ACL.
    type: str
    default: ""
  node:
    description: The node's name.
    type: str
    required: true
  state:
    description: What it shall be.
    type: str
    required: true
    choices: [drained, in_service]
  deadline:
    description: Seconds that Nomad gives its allocations to move, for C(drained).
    type: int
    default: 0
  stop_time:
    description: Seconds that a task may take to stop after the deadline, for C(drained).
    type: int
    default: 0
  timeout:
    description: Seconds to wait, for C(in_service).
    type: int
    default: 600
  reason:
    description: Written into the node's record of its last drain.
    type: str
    default: ""
  services:
    description: Whether to wait for every service of the cluster too, for C(in_service).
    type: bool
    default: true
  after_index:
    description: The node's modify index before its agent was started anew, for C(in_service); 0 when it was not.
    type: int
    default: 0
  moved:
    description: What C(drained) returned as C(moved), to find how long each job was out of service.
    type: list
    elements: dict
    default: []
author: [the homelab]
"""

# The exit code of a process that was ended by SIGKILL.
KILLED = 137


def events(allocation, kind):
    """Every event of a kind, of all tasks of an allocation, with the task's name."""
    states = (allocation.get("TaskStates") or {}).items()
    return [(task, event) for task, state in states for event in state.get("Events") or [] if event["Type"] == kind]


def stopped(allocation):
    """How an allocation ended: when its stop began and ended, in seconds, and which tasks had to be killed."""
    begun = [event["Time"] for _, event in events(allocation, "Killing")]
    last = {task: event for task, event in events(allocation, "Terminated")}
    killed = [
        task
        for task, event in last.items()
        if event.get("ExitCode") == KILLED
        or event.get("Signal") == 9
        or (event.get("Details") or {}).get("oom_killed") == "true"
    ]
    ends = [event["Time"] for event in last.values()]
    return {
        "id": allocation["ID"],
        "namespace": allocation["Namespace"],
        "job": allocation["JobID"],
        "name": allocation["Name"],
        "begun": min(begun) / 1e9 if begun else None,
        "seconds": round((max(ends) - min(begun)) / 1e9) if begun and ends else 0,
        "killed": killed,
    }


def drain(module, nomad, node):
    """Drains and waits. What is left at the end is an error, and the node stays as it is for a person to look at."""
    path = f"node/{node['ID']}"

    def here():
        return [one for one in nomad.get(path + "/allocations") or [] if not is_system(one)]

    moving = [one["ID"] for one in here() if one["DesiredStatus"] == "run" and one["ClientStatus"] in LIVE]
    if module.check_mode:
        module.exit_json(changed=bool(moving) or node["SchedulingEligibility"] == "eligible", moved=[], index=0)
    spec = {"Deadline": module.params["deadline"] * 10**9, "IgnoreSystemJobs": True}
    body = {"DrainSpec": spec, "MarkEligible": False, "Meta": {"reason": module.params["reason"]}}
    nomad.post(path + "/drain", body, namespace="default")

    def left():
        live = [f"{label(one)} is {one['ClientStatus']}" for one in here() if one["ClientStatus"] in LIVE]
        return live or (["the drain is not complete"] if nomad.get(path).get("DrainStrategy") else [])

    rest = until(module.params["deadline"] + module.params["stop_time"] + 60, left)
    if rest:
        module.fail_json(msg=f"{node['Name']} is drained but not empty: {'; '.join(rest)}", left=rest)
    moved = [stopped(nomad.get("allocation/" + one)) for one in moving]
    index = nomad.get(path)["ModifyIndex"]
    module.exit_json(changed=True, moved=moved, index=index)


def return_to_service(module, nomad, name):
    """Makes the node eligible once it is able to work, and waits until all services are healthy."""
    after, timeout = module.params["after_index"], module.params["timeout"]
    end = time.monotonic() + timeout

    def unready():
        node = nomad.node(name)
        if node["Status"] != "ready" or node["ModifyIndex"] <= after:
            return [f"node {name} is not ready again ({node['Status']})"]
        here = [one for one in nomad.get(f"node/{node['ID']}/allocations") or [] if is_wanted(one)]
        waiting = [
            f"{label(one)} is {one['ClientStatus']}"
            for one in here
            if one["Job"]["Type"] == "system" and one["ClientStatus"] != "running"
        ]
        return waiting + sick_node_plugins(nomad, node["ID"], here)

    if not module.check_mode:
        rest = until(timeout, unready)
        if rest:
            module.fail_json(msg=f"{name} does not come back: {'; '.join(rest)}", left=rest, eligible=False)
    node = nomad.node(name)
    away = node["SchedulingEligibility"] != "eligible" or bool(node.get("DrainStrategy"))
    if module.check_mode:
        module.exit_json(changed=away, out=[])
    if away:
        nomad.post(f"node/{node['ID']}/drain", {"DrainSpec": None, "MarkEligible": True}, namespace="default")
    rest = []
    if module.params["services"]:
        # A controller that was moved is one of the services, and healthy only when it serves.
        rest = until(max(end - time.monotonic(), 30), lambda: failing_jobs(nomad) + sick_plugins(nomad))
    if rest:
        module.fail_json(msg=f"{name} is back, but: {'; '.join(rest)}", left=rest, eligible=True)
    module.exit_json(changed=away, out=[out_of_service(nomad, one) for one in module.params["moved"]])


def out_of_service(nomad, old):
    """Seconds from the begin of the old allocation's stop until its successor was healthy."""
    successors = [
        one
        for one in nomad.get("allocations", namespace=old["namespace"])
        if one["JobID"] == old["job"] and one["Name"] == old["name"] and one["DesiredStatus"] == "run"
    ]
    seconds = None
    if successors and old["begun"]:
        new = nomad.get("allocation/" + successors[0]["ID"])
        starts = [event["Time"] / 1e9 for _, event in events(new, "Started")]
        back = health_time(new) or (max(starts) if starts else None)
        seconds = round(back - old["begun"]) if back else None
    return {**old, "out": seconds, "on": successors[0]["NodeName"] if successors else None}


def health_time(allocation):
    """When Nomad found it healthy, in seconds since 1970, or nothing."""
    stamp = (allocation.get("DeploymentStatus") or {}).get("Timestamp") or ""
    if not stamp or stamp.startswith("0001"):
        return None
    # Python takes microseconds, Nomad writes nanoseconds.
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", stamp).replace("Z", "+00:00")).timestamp()


def main():
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            "node": {"type": "str", "required": True},
            "state": {"type": "str", "required": True, "choices": ["drained", "in_service"]},
            "deadline": {"type": "int", "default": 0},
            "stop_time": {"type": "int", "default": 0},
            "timeout": {"type": "int", "default": 600},
            "reason": {"type": "str", "default": ""},
            "services": {"type": "bool", "default": True},
            "after_index": {"type": "int", "default": 0},
            "moved": {"type": "list", "elements": "dict", "default": []},
        },
        supports_check_mode=True,
    )
    nomad = Nomad(module.params["api_url"], module.params["token"])
    try:
        if module.params["state"] == "drained":
            drain(module, nomad, nomad.node(module.params["node"]))
        else:
            return_to_service(module, nomad, module.params["node"])
    except NomadError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
