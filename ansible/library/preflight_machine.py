"""Judges whether a machine can be a node of the homelab: all that is wrong at once, each with its remedy."""

import os
import platform
import re
import shutil
import socket
import subprocess
import tempfile

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
    if not has_memory_cgroup():
        remedy = (
            f"add `cgroup_enable=memory cgroup_memory=1` to the one line in {params['cmdline_file']} and reboot; "
            "nomad_cluster.yml does it"
        )
        findings.add("mended", "memory-cgroup", "the kernel counts no memory, so no memory limit would hold", remedy)
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


def orphans(_params, findings):
    """Tasks without their agent: nobody would move them before Docker is restarted."""
    label = "label=com.hashicorp.nomad.alloc_id"
    running = run("docker", "ps", "--quiet", "--filter", label)[1] if shutil.which("docker") else ""
    if running and run("systemctl", "is-active", "nomad")[1] != "active":
        text = f"Nomad is not running, {len(running.split())} containers of its tasks are"
        findings.add(
            "error", "orphans", text, "`systemctl start nomad`, which finds them again; its journal says why not"
        )


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
    findings = Findings()
    for check in (system, names, network_storage, keys):
        check(module.params, findings)
    if module.params["is_client"]:
        hardware(module.params, findings)
        database(module.params, findings)
        orphans(module.params, findings)
    module.exit_json(changed=False, findings=list(findings))


if __name__ == "__main__":
    main()
