"""Judges whether a machine can be a node of the homelab: all that is wrong at once, each with its remedy."""

import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: preflight_machine
short_description: Finds what keeps a machine from being a node of the homelab
description:
  - Changes nothing. NFS exports are mounted for a moment, in a mount namespace that nobody else sees.
  - A finding is an error, a warning, or C(mended) when the playbook nomad_cluster.yml puts it right by itself.
options:
  resolve:
    description: Host names that must resolve.
    type: list
    elements: str
    default: []
  min_free:
    description: What must be free on the root file system, in MiB.
    type: int
    required: true
  cmdline_file:
    description: Where the kernel command line is written, for the remedy.
    type: str
    required: true
  cmdline_arguments:
    description: What nomad_cluster.yml adds there.
    type: list
    elements: str
    default: [cgroup_enable=memory, cgroup_memory=1]
  after_reboot:
    description: Whether the machine has just been restarted, so that only what a restart had to mend is looked at.
    type: bool
    default: false
  keyring_folder:
    description: The folder with the keys of package repositories.
    type: str
    default: /etc/apt/keyrings
  is_client:
    description: Whether it runs tasks, and so needs NAS, PostgreSQL, CPU and memory.
    type: bool
    required: true
  memory:
    description: The inventory's figure in MiB.
    type: int
    default: 0
  cpu_cores:
    description: The inventory's figure.
    type: int
    default: 0
  cpu_mhz:
    description: The inventory's figure, of one core.
    type: int
    default: 0
  exports:
    description: NFS folders to try, each with C(server), C(share), C(options), C(uid) and C(gid).
    type: list
    elements: dict
    default: []
  postgres_address:
    description: The database server.
    type: str
    default: ""
  postgres_port:
    description: Its TCP port.
    type: int
    default: 5432
author: [the homelab]
"""


CMDLINE_ARGUMENTS = ["cgroup_enable=memory", "cgroup_memory=1"]

# bitcoind alone asks for 1,000 files for each of its databases, beside its connections.
FEWEST_OPEN_FILES = 8192


class Findings(list):
    """What was found, in the order of the checks."""

    def add(self, level, check, found, remedy):
        """Appends one finding."""
        self.append({"level": level, "check": check, "found": found, "remedy": remedy})


def run(*command, timeout=60):
    """Runs a program. Gives its status and what it printed, or, when it failed, what it complained of."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return 124, f"no answer within {timeout} s"
    said = done.stdout.strip()
    return done.returncode, (done.stderr.strip() or said) if done.returncode else said


def read(path):
    """The text of a file, or nothing."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def system(params, findings):
    """Architecture, release, kernel, root mount, clock, disk."""
    if platform.machine() not in ("aarch64", "x86_64"):
        text = f"the system is built for {platform.machine()}"
        findings.add("error", "architecture", text, "flash a 64-bit image: Nomad and the container images are 64-bit")
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', read("/etc/os-release"), re.M))
    if release.get("ID") not in ("debian", "raspbian") or release.get("VERSION_ID") not in ("12", "13"):
        text = f"the system is {release.get('PRETTY_NAME', 'unknown')}"
        findings.add("error", "release", text, "flash Raspberry Pi OS Lite or Debian, release 12 or 13")
    memory_cgroup(params, findings)
    size = os.sysconf("SC_PAGE_SIZE")
    if size != 4096:
        text = f"memory pages have {size // 1024} KiB, and programs with jemalloc for 4 KiB fail"
        remedy = "write `kernel=kernel8.img` into config.txt beside the kernel command line, and reboot"
        findings.add("warning", "page-size", text, remedy)
    root = [line for line in read("/proc/self/mountinfo").splitlines() if line.split()[4] == "/"]
    if not root or " shared:" not in root[-1]:
        text = "the root mount is not shared, so volumes that the CSI plugin mounts do not reach the tasks"
        findings.add("error", "root-mount", text, "`mount --make-rshared /`, by a unit at each boot")
    if run("timedatectl", "show", "--property=NTPSynchronized", "--value")[1] != "yes":
        remedy = "`chronyc tracking` says why; nomad_cluster.yml installs chrony"
        findings.add(
            "mended" if not shutil.which("chronyc") else "error", "clock", "the clock is not synchronized", remedy
        )
    disk = os.statvfs("/")
    free = disk.f_bavail * disk.f_frsize // 2**20
    if free < params["min_free"]:
        text = f"{free} MiB are free on /, {params['min_free']} MiB are asked for"
        findings.add(
            "error", "disk", text, "`docker image prune -a`, `journalctl --vacuum-size=100M`, or a larger card"
        )


def memory_cgroup(params, findings):
    """Whether the kernel counts memory now and after its next start, and what puts it right."""
    check = "memory-cgroup"
    path, arguments = params["cmdline_file"], params.get("cmdline_arguments", CMDLINE_ARGUMENTS)
    tokens = kernel_arguments(read(path).split("\n")[0])
    written = bool(tokens)
    # cmdline.yml adds each argument that is not there, at the end, and restarts the machine when it added one.
    added = [one for one in arguments if one not in tokens] if written else []
    told, will = memory_switch(kernel_arguments(read("/proc/cmdline"))), memory_switch(tokens + added)
    off = "the kernel counts no memory, so no memory limit would hold"
    if will and not will[0]:
        text = off if not has_memory_cgroup() else "from its next start the kernel counts no memory"
        remedy = f"take it out of {path}, by hand, and reboot: no playbook removes what somebody wrote there"
        findings.add("error", check, f"{text}: `{will[1]}` comes last in {path} and wins", remedy)
    elif has_memory_cgroup():
        return
    elif added and not params["after_reboot"]:
        remedy = f"add `{' '.join(added)}` to the one line in {path} and reboot; nomad_cluster.yml does it"
        findings.add("mended", check, off, remedy)
    elif told and not told[0]:
        where = f"{path} does not say so" if written else f"there is no {path}"
        remedy = "take it out of the boot loader's configuration, and reboot; no playbook does it"
        findings.add("error", check, f"{off}: it was started with `{told[1]}`, and {where}", remedy)
    elif will and will[0] and not told:
        findings.add("error", check, f"{off}: {path} asks for it since its last start", "reboot; no playbook does it")
    elif not written:
        remedy = f"add `{' '.join(arguments)}` to the kernel's command line in the boot loader, and reboot; no playbook does it, since there is no {path}"
        findings.add("error", check, off, remedy)
    else:
        disabled = [one for one in kernel_arguments(read("/proc/cmdline")) if memory_switch([one]) == (False, one)]
        remedy = (
            f"take `{disabled[0]}` out of the boot loader's configuration, and reboot; no playbook does it, and this "
            "kernel takes nothing back that comes later"
            if disabled
            else "install a kernel with memory cgroups, such as that of Raspberry Pi OS or Debian; no playbook does it"
        )
        findings.add("error", check, f"{off}, though it was asked to", remedy)


def kernel_arguments(line):
    """The kernel's own arguments, in order: what follows `--` is for init."""
    found = []
    for token in line.replace('"', "").split():
        if token == "--":
            break
        found.append(token)
    return found


def memory_switch(arguments):
    """The last argument that switches the memory controller, as (on or off, argument), or nothing.

    The kernel reads them in order, takes lists, and takes `-` in a name for `_`. The firmware of a Pi puts
    `cgroup_disable=memory` before what is in the file. `cgroup_memory=1` is for old kernels, and is trusted with nothing.
    """
    last = None
    for argument in arguments:
        name, _, value = argument.partition("=")
        name = name.replace("-", "_")
        if name in ("cgroup_enable", "cgroup_disable") and "memory" in value.split(","):
            last = (name == "cgroup_enable", argument)
        elif name == "cgroup_memory" and value == "0":
            last = (False, argument)
    return last


def has_memory_cgroup():
    """In the unified hierarchy, or in the older one."""
    unified = read("/sys/fs/cgroup/cgroup.controllers").split()
    older = re.search(r"^memory\s+\d+\s+\d+\s+1$", read("/proc/cgroups"), re.M)
    return "memory" in unified or bool(older)


def names(params, findings):
    """Every name that the node's configuration will hold."""
    for name in params["resolve"]:
        try:
            socket.getaddrinfo(name, None, socket.AF_INET)
        except OSError as error:
            remedy = (
                "a name that ends in .local needs avahi-daemon on that host and libnss-mdns here, or give an address"
            )
            findings.add("error", "names", f"the name {name} does not resolve ({error})", remedy)


def hardware(params, findings):
    """The figures that the placement proof counts with."""
    total = int(re.search(r"MemTotal:\s+(\d+)", read("/proc/meminfo")).group(1)) // 1024
    asked = params["memory"]
    # Firmware and kernel take up to a twelfth of it before anyone counts: 7629 MiB are seen of the 8192 of a Pi 4B.
    if total < asked * 0.92:
        text = f"nomad_memory is {asked} MiB, the machine has {total} MiB"
        findings.add(
            "error", "memory", text, "correct nomad_memory of this host in the inventory, and synthesize again"
        )
    elif total > asked * 1.1:
        text = f"nomad_memory is {asked} MiB, the machine has {total} MiB; the rest is not used"
        findings.add("warning", "memory", text, "raise nomad_memory of this host in the inventory")
    cores = os.cpu_count()
    if cores != params["cpu_cores"]:
        text = f"nomad_cpu_cores is {params['cpu_cores']}, the machine has {cores}"
        level = "error" if cores < params["cpu_cores"] else "warning"
        findings.add(level, "cpu", text, "correct nomad_cpu_cores of this host in the inventory")
    clock = int(read("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq") or 0) // 1000
    if 0 < clock < params["cpu_mhz"]:
        text = f"nomad_cpu_mhz is {params['cpu_mhz']}, a core runs at {clock} MHz at most"
        findings.add("error", "cpu", text, f"set nomad_cpu_mhz of this host to {clock} in the inventory")


def answers(address, port):
    """Why a TCP port does not answer, or nothing."""
    try:
        socket.create_connection((address, port), timeout=5).close()
    except OSError as error:
        return str(error)
    return None


def network_storage(params, findings):
    """Every export: there, mountable as the jobs will mount it, with its folder, writable for who will write."""
    if params["exports"] and not shutil.which("mount.nfs"):
        findings.add(
            "mended", "nfs", "the NFS client is not installed", "`apt install nfs-common`; nomad_cluster.yml does it"
        )
        return
    silent = {}
    for export in params["exports"]:
        server, share = export["server"], export["share"]
        if server not in silent:
            silent[server] = answers(server, 2049)
            if silent[server]:
                text = f"{server} does not answer on NFS's port 2049 ({silent[server]})"
                findings.add("error", "nfs", text, "start the NFS server, and let this host through its firewall")
        if not silent[server]:
            folder(export, f"{server}:{share}", findings)


def folder(export, source, findings):
    """One export. Permissions are asked of the server, which maps users; nothing is written."""
    uid, gid, options = export["uid"], export["gid"], export["options"]
    with tempfile.TemporaryDirectory(prefix="preflight-") as point:
        mount = 'mount -t nfs -o "$1" "$2" "$3" || exit 32'
        ask = 'exec setpriv --reuid "$4" --regid "$5" --clear-groups test -w "$3" -a -x "$3"'
        script = f"{mount}; {ask}"
        arguments = (f"{options},retry=0" if options else "retry=0", source, point, str(uid), str(gid))
        status, said = run("unshare", "--mount", "sh", "-c", script, "preflight", *arguments)
    make = f"`install -d -o {uid} -g {gid} -m 0700 {export['share']}` on the NAS, and export it with {options or 'NFS'}"
    if status in (32, 124):
        findings.add("error", "nfs", f"{source} cannot be mounted with {options or 'defaults'}: {said}", make)
    elif status != 0:
        text = f"{source} is not writable for user {uid}, who will write there"
        findings.add("error", "nfs", text, f"{make}; root may be mapped to nobody, user {uid} may not")


def database(params, findings):
    """PostgreSQL's port, from where its user will run."""
    address, port = params["postgres_address"], params["postgres_port"]
    reason = answers(address, port) if address else None
    if reason:
        remedy = "start PostgreSQL, and set listen_addresses in postgresql.conf"
        findings.add("error", "postgres", f"PostgreSQL does not answer at {address}:{port} ({reason})", remedy)


def containers(findings):
    """The containers of Nomad's tasks that run here: each with its allocation, its name, and when it was seen."""
    if not shutil.which("docker"):
        return []
    form = '{{.Label "com.hashicorp.nomad.alloc_id"}} {{.Names}}'
    status, said = run("docker", "ps", "--no-trunc", "--filter", "label=com.hashicorp.nomad.alloc_id", "--format", form)
    nomad = run("systemctl", "is-active", "nomad")[1] == "active"
    if status != 0:
        remedy = "`journalctl -u docker` says why; until it answers nobody knows what runs here"
        findings.add("error" if nomad else "warning", "docker", f"Docker does not answer: {said}", remedy)
        return []
    seen = int(time.time())
    found = [{**dict(zip(("allocation", "name"), line.split(" ", 1))), "seen": seen} for line in said.splitlines()]
    # Tasks without their agent: nobody would move them before Docker is restarted.
    if found and not nomad:
        text = f"Nomad is not running, {len(found)} containers of its tasks are"
        findings.add(
            "error", "orphans", text, "`systemctl start nomad`, which finds them again; its journal says why not"
        )
    return found


def open_files(findings):
    """What a container may open whose job does not say; databases fail, or worse, when they cannot open a file."""
    if not shutil.which("docker"):
        return
    try:
        configured = json.loads(read("/etc/docker/daemon.json") or "{}").get("default-ulimits", {}).get("nofile", {})
        soft = configured.get("Soft")
    except (ValueError, AttributeError):
        soft = None
    source = "/etc/docker/daemon.json"
    if soft is None:
        # Without a default of its own a container has the limit of what starts it.
        source = "containerd's own limit"
        pid = run("systemctl", "show", "containerd", "--property=MainPID", "--value")[1]
        limits = read(f"/proc/{pid}/limits") if pid.isdigit() and pid != "0" else ""
        match = re.search(r"^Max open files\s+(\d+|unlimited)", limits, re.M)
        soft = {"unlimited": sys.maxsize}.get(match[1]) or int(match[1]) if match else None
    engine = run("docker", "version", "--format", "{{.Server.Version}}")
    name = f"Docker {engine[1]}" if engine[0] == 0 else "Docker"
    remedy = "set default-ulimits in /etc/docker/daemon.json; nomad_cluster.yml does it"
    if soft is None:
        findings.add("mended", "open-files", f"nobody tells how many files a container of {name} may open", remedy)
    elif 0 <= soft < FEWEST_OPEN_FILES:
        text = f"a container of {name} may open {soft} files, by {source}, unless its job says otherwise"
        findings.add("mended", "open-files", text, remedy)


def keys(params, findings):
    """An expired key would stop an upgrade in the middle, after the drain."""
    places = params["keyring_folder"]
    for name in sorted(os.listdir(places)) if os.path.isdir(places) and shutil.which("gpg") else []:
        path = os.path.join(places, name)
        home = tempfile.mkdtemp(prefix="preflight-")
        status, said = run("gpg", "--homedir", home, "--batch", "--with-colons", "--show-keys", path)
        shutil.rmtree(home, ignore_errors=True)
        validity = {line.split(":")[1] for line in said.splitlines() if line.startswith("pub:")}
        if status != 0 or not validity or validity & {"e", "r", "i"}:
            text = f"{path} holds no valid key" if not validity else f"the key in {path} is expired or revoked"
            findings.add("error", "keys", text, "fetch the repository's new key, or remove the repository")


def main():
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "resolve": {"type": "list", "elements": "str", "default": []},
            "min_free": {"type": "int", "required": True},
            "cmdline_file": {"type": "str", "required": True},
            "cmdline_arguments": {"type": "list", "elements": "str", "default": CMDLINE_ARGUMENTS},
            "after_reboot": {"type": "bool", "default": False},
            "keyring_folder": {"type": "str", "default": "/etc/apt/keyrings", "no_log": False},
            "is_client": {"type": "bool", "required": True},
            "memory": {"type": "int", "default": 0},
            "cpu_cores": {"type": "int", "default": 0},
            "cpu_mhz": {"type": "int", "default": 0},
            "exports": {"type": "list", "elements": "dict", "default": []},
            "postgres_address": {"type": "str", "default": ""},
            "postgres_port": {"type": "int", "default": 5432},
        },
        supports_check_mode=True,
    )
    findings, running = Findings(), []
    if module.params["after_reboot"]:
        memory_cgroup(module.params, findings)
        module.exit_json(changed=False, findings=list(findings), containers=running)
    for check in (system, names, network_storage, keys):
        check(module.params, findings)
    if module.params["is_client"]:
        hardware(module.params, findings)
        database(module.params, findings)
        running = containers(findings)
        open_files(findings)
    module.exit_json(changed=False, findings=list(findings), containers=running)


if __name__ == "__main__":
    main()
