package main

// DockerConfig is the Config of a task with the docker driver: every option of
// the driver, in the form that Nomad's JSON API takes.
//
// Nomad keeps Config as a free map. A misspelt option is accepted at
// registration and refused only by the client, when the task starts, so this
// type is closed: an option that is not here does not exist.
//
// An option that HCL writes as a repeatable map (`labels`, `sysctl`, `ulimit`,
// `port_map`, `config`, `options`) is a list of maps in JSON, whose members are
// merged; the plain map is refused. A block that may stand once (`auth`,
// `healthchecks`, `logging`, `storage_opt`) is an object.
//
// Sources: `taskConfigSpec` and `TaskConfig` in
// https://github.com/hashicorp/nomad/blob/main/drivers/docker/config.go, what
// each does in `createContainerConfig` of driver.go beside it, and
// https://developer.hashicorp.com/nomad/docs/job-declare/task-driver/docker
// (read at Nomad 2.0.6-dev, August 2026).
type DockerConfig struct {
	// Image to run, as `docker run` takes it. An image that is on the node already is not pulled again, unless its tag is `latest`.
	Image string `json:"image"`
	// Advertises the container's IPv6 address as the task's driver address.
	AdvertiseIPv6Address bool `json:"advertise_ipv6_address"`
	// Arguments of `command` or, without one, of the image's entrypoint.
	Args []string `json:"args"`
	// Credentials for the image's registry.
	Auth DockerAuth `json:"auth"`
	// Goes on without credentials when they cannot be found, instead of failing the task.
	AuthSoftFail bool `json:"auth_soft_fail"`
	// Linux capabilities to add (`docker run --cap-add`), within the agent's `allow_caps`.
	CapAdd []string `json:"cap_add"`
	// Linux capabilities to drop (`docker run --cap-drop`); `all` drops every one.
	CapDrop []string `json:"cap_drop"`
	// Cgroup namespace (`docker run --cgroupns`). Docker's own default when left out.
	Cgroupns string `json:"cgroupns"`
	// Command to run in place of the image's (`docker run IMAGE COMMAND`).
	Command string `json:"command"`
	// Accepted and ignored: the driver reads this option of the agent's plugin block only.
	ContainerExistsAttempts uint64 `json:"container_exists_attempts"`
	// Period of the CPU quota in microseconds, at most 1000000; 100000 when left out. Only with `cpu_hard_limit`.
	CPUCFSPeriod int64 `json:"cpu_cfs_period"`
	// Makes the task's CPU reservation a ceiling too. Otherwise it is a share, and idle CPU is free to take.
	CPUHardLimit bool `json:"cpu_hard_limit"`
	// Accepted and ignored with a warning; reserve cores with `Resources.Cores`.
	CPUSetCPUs string `json:"cpuset_cpus"`
	// Host devices to show in the container (`docker run --device`).
	Devices []DockerDevice `json:"devices"`
	// Search domains of the resolver (`docker run --dns-search`). Ignored when the group's network has a DNS block.
	DNSSearchDomains []string `json:"dns_search_domains"`
	// Options of the resolver (`docker run --dns-option`). Ignored when the group's network has a DNS block.
	DNSOptions []string `json:"dns_options"`
	// Addresses of DNS servers (`docker run --dns`). Ignored when the group's network has a DNS block.
	DNSServers []string `json:"dns_servers"`
	// Replaces the image's entrypoint (`docker run --entrypoint`).
	Entrypoint []string `json:"entrypoint"`
	// Lines for /etc/hosts as `name:address` (`docker run --add-host`).
	ExtraHosts []string `json:"extra_hosts"`
	// Pulls the image at every start, even when the node has it.
	ForcePull bool `json:"force_pull"`
	// Supplementary groups of the container's process (`docker run --group-add`).
	GroupAdd []string `json:"group_add"`
	// The image's own health check, which Nomad never reads.
	Healthchecks DockerHealthchecks `json:"healthchecks"`
	// Hostname of the container (`docker run --hostname`). In bridge mode set the group network's `Hostname` instead.
	Hostname string `json:"hostname"`
	// Runs an init process as PID 1 that passes on signals and reaps children (`docker run --init`).
	Init bool `json:"init"`
	// Keeps the container's standard input open (`docker run --interactive`).
	Interactive bool `json:"interactive"`
	// IPC namespace (`docker run --ipc`). Needs privileged mode allowed, or the agent's `allowed_modes`.
	IPCMode string `json:"ipc_mode"`
	// Fixed IPv4 address in a user-defined `network_mode` (`docker run --ip`).
	IPv4Address string `json:"ipv4_address"`
	// Fixed IPv6 address in a user-defined `network_mode` (`docker run --ip6`).
	IPv6Address string `json:"ipv6_address"`
	// Windows only: isolation of the container (`docker run --isolation`). Refused on Linux.
	Isolation string `json:"isolation"`
	// Labels of the container (`docker run --label`).
	Labels []map[string]string `json:"labels"`
	// Image archive to load instead of pulling, a path in the task's `local/` folder (`docker load`).
	Load string `json:"load"`
	// Log driver of the container. The agent's `logging` block when left out.
	Logging DockerLogging `json:"logging"`
	// MAC address of the container (`docker run --mac-address`).
	MACAddress string `json:"mac_address"`
	// Memory ceiling in MiB; `Resources.MemoryMB` becomes the soft limit. `Resources.MemoryMaxMB` wins when it is greater.
	MemoryHardLimit int64 `json:"memory_hard_limit"`
	// Mounts of the container (`docker run --mount`).
	Mount []DockerMount `json:"mount"`
	// The older name of `mount`; both lists are mounted.
	Mounts []DockerMount `json:"mounts"`
	// Names of the container in a user-defined `network_mode` (`docker run --network-alias`).
	NetworkAliases []string `json:"network_aliases"`
	// Docker network to join (`docker run --network`). Leave it out in bridge mode: it takes the container out of the group's network.
	NetworkMode string `json:"network_mode"`
	// How readily the kernel kills the task when memory runs out (`docker run --oom-score-adj`); higher goes first.
	OOMScoreAdj int `json:"oom_score_adj"`
	// Container runtime (`docker run --runtime`), within the agent's `allow_runtimes`.
	Runtime string `json:"runtime"`
	// Most processes in the container (`docker run --pids-limit`), within the agent's `pids_limit`. Unlimited when both are left out.
	PidsLimit int64 `json:"pids_limit"`
	// Process namespace (`docker run --pid`). Needs privileged mode allowed, or the agent's `allowed_modes`.
	PIDMode string `json:"pid_mode"`
	// Labels of the group network's ports to publish (`docker run --publish`). Not used in bridge mode, where Nomad maps the ports.
	Ports []string `json:"ports"`
	// Deprecated: port labels of the task's network to ports in the container; use the group's network and `ports`.
	PortMap []map[string]int `json:"port_map"`
	// All capabilities and all devices (`docker run --privileged`). The agent must allow it with `allow_privileged`.
	Privileged bool `json:"privileged"`
	// Longest time a pull may take, as Go writes durations (`15m`). The agent's default is `5m`.
	ImagePullTimeout string `json:"image_pull_timeout"`
	// Mounts the container's root file system read-only (`docker run --read-only`).
	ReadonlyRootfs bool `json:"readonly_rootfs"`
	// Security options, `no-new-privileges` say (`docker run --security-opt`).
	SecurityOpt []string `json:"security_opt"`
	// Size of /dev/shm in bytes (`docker run --shm-size`).
	ShmSize int64 `json:"shm_size"`
	// Options of Docker's storage driver (`docker run --storage-opt`).
	StorageOpt map[string]string `json:"storage_opt"`
	// Kernel parameters of the container's namespaces (`docker run --sysctl`).
	Sysctl []map[string]string `json:"sysctl"`
	// Allocates a terminal (`docker run --tty`).
	TTY bool `json:"tty"`
	// Resource limits as `"nofile": "soft:hard"` or one number for both (`docker run --ulimit`).
	Ulimit []map[string]string `json:"ulimit"`
	// UTS namespace (`docker run --uts`). Needs privileged mode allowed, or the agent's `allowed_modes`.
	UTSMode string `json:"uts_mode"`
	// User namespace (`docker run --userns`). Needs privileged mode allowed, or the agent's `allowed_modes`.
	UsernsMode string `json:"userns_mode"`
	// Binds as `source:target[:options]` (`docker run --volume`). A source outside the allocation needs the agent's `volumes { enabled = true }`.
	Volumes []string `json:"volumes"`
	// Volume plugin of the sources in `volumes` (`docker run --volume-driver`). Needs the agent's `volumes { enabled = true }`.
	VolumeDriver string `json:"volume_driver"`
	// Working directory in the container (`docker run --workdir`).
	WorkDir string `json:"work_dir"`
}

// DockerAuth holds credentials for a registry. They end up in Nomad's state in
// plain text: prefer the agent's `auth` block.
type DockerAuth struct {
	// User at the registry.
	Username string `json:"username"`
	// Password or token at the registry.
	Password string `json:"password"`
	// Accepted and ignored: the driver has no such field any more.
	Email string `json:"email"`
	// Registry without protocol; Docker Hub when left out.
	ServerAddress string `json:"server_address"`
}

// DockerDevice shows a device of the host in the container.
type DockerDevice struct {
	// Path on the host.
	HostPath string `json:"host_path"`
	// Path in the container; the same as on the host when left out.
	ContainerPath string `json:"container_path"`
	// Any of `r`, `w` and `m` (make a node); `rwm` when left out.
	CgroupPermissions string `json:"cgroup_permissions"`
}

// DockerHealthchecks governs the HEALTHCHECK of the image.
type DockerHealthchecks struct {
	// Switches the image's health check off.
	Disable bool `json:"disable"`
}

// DockerLogging chooses Docker's log driver.
type DockerLogging struct {
	// Log driver (`docker run --log-driver`).
	Type string `json:"type"`
	// The older name of `type`, read when `type` is left out.
	Driver string `json:"driver"`
	// Options of the log driver (`docker run --log-opt`).
	Config []map[string]string `json:"config"`
}

// DockerMount mounts a folder of the host, a Docker volume or memory.
type DockerMount struct {
	// What is mounted; `volume` when left out.
	Type string `json:"type"`
	// Path in the container.
	Target string `json:"target"`
	// Path on the host, absolute or relative to the task's folder, or name of the volume; empty for tmpfs.
	Source string `json:"source"`
	// Mounts it read-only.
	Readonly bool `json:"readonly"`
	// For type `bind`.
	BindOptions DockerBindOptions `json:"bind_options"`
	// For type `tmpfs`.
	TmpfsOptions DockerTmpfsOptions `json:"tmpfs_options"`
	// For type `volume`.
	VolumeOptions DockerVolumeOptions `json:"volume_options"`
}

// DockerBindOptions are the options of a bind mount.
type DockerBindOptions struct {
	// Whether mounts made later are seen on the other side; `rprivate` when left out.
	Propagation string `json:"propagation"`
}

// DockerTmpfsOptions are the options of a mount of memory.
type DockerTmpfsOptions struct {
	// Size in bytes.
	Size int64 `json:"size"`
	// File mode as a decimal number: 511 is 0777.
	Mode int `json:"mode"`
}

// DockerVolumeOptions are the options of a Docker volume.
type DockerVolumeOptions struct {
	// Leaves a new volume empty instead of copying the image's content into it.
	NoCopy bool `json:"no_copy"`
	// Labels of a volume that the mount creates.
	Labels []map[string]string `json:"labels"`
	// Plugin that creates the volume.
	DriverConfig DockerVolumeDriverConfig `json:"driver_config"`
}

// DockerVolumeDriverConfig chooses a Docker volume plugin.
type DockerVolumeDriverConfig struct {
	// Name of the plugin.
	Name string `json:"name"`
	// Options of the plugin.
	Options []map[string]string `json:"options"`
}
