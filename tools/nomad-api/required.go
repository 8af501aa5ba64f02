package main

// required are the fields that TypeScript must be given, each with the reason.
// Everything else is optional, as it is for Nomad, which fills in defaults.
// "Validate" is the method of that name in Nomad's nomad/structs package,
// "Canonicalize" the one in its api package that fills in the defaults.
var required = map[string]string{
	"Job.ID":         "Validate refuses an empty one, and the Terraform provider dereferences it unchecked on update",
	"Job.Name":       "a name that differs from the ID only by accident is worse than one written twice",
	"Job.Namespace":  "the provider takes it from the spec only; Canonicalize would put the job into «default»",
	"Job.Type":       "Canonicalize would make it «service», wrong for a CSI node plugin",
	"Job.TaskGroups": "Validate refuses a job without one",

	"TaskGroup.Name":  "Validate refuses an empty one",
	"TaskGroup.Tasks": "Validate refuses a group without one",

	"Task.Name":   "Validate refuses an empty one",
	"Task.Driver": "Validate refuses an empty one",
	"Task.Config": "the docker driver needs an image",

	"Action.Name":    "Validate refuses an empty one",
	"Action.Command": "Validate refuses an empty one",

	"Affinity.LTarget":   "Validate refuses an empty one",
	"Affinity.Operand":   "only the HCL parser defaults it to «=»; Validate refuses an empty one",
	"Constraint.Operand": "only the HCL parser defaults it to «=»; Validate refuses an empty one",
	"Spread.Attribute":   "Validate refuses an empty one",

	"ChangeScript.Command":      "Validate refuses an empty one",
	"RequestedDevice.Name":      "Validate refuses an empty one",
	"TaskArtifact.GetterSource": "Validate refuses an empty one",
	"TaskLifecycle.Hook":        "Validate refuses an empty one",

	"Port.Label": "services, checks and the docker driver find a port by its label only",

	"Secret.Name":     "Validate refuses an empty one",
	"Secret.Provider": "Validate refuses an empty one",
	"Secret.Path":     "Validate refuses an empty one",

	"Service.Name":          "consumers look it up by this name; Canonicalize would join job, group and task",
	"ServiceCheck.Type":     "Validate refuses an empty one",
	"ServiceCheck.Interval": "Validate refuses zero",
	"ServiceCheck.Timeout":  "Validate refuses zero",

	"TaskCSIPluginConfig.ID":   "Validate refuses an empty one",
	"TaskCSIPluginConfig.Type": "Validate refuses an empty one",

	"Template.DestPath": "Validate refuses an empty one",

	"VolumeMount.Volume":      "Validate refuses an empty one",
	"VolumeMount.Destination": "nothing refuses an empty one until the container fails to start",
	"VolumeRequest.Name":      "the HCL parser takes it from the block's label, the JSON path not from the map's key",
	"VolumeRequest.Type":      "the agent drops a volume of an unknown type without a word (ApiTgToStructsTG)",
	"VolumeRequest.Source":    "Validate refuses an empty one",

	"DockerConfig.Image":    "the only option the driver's schema requires",
	"DockerDevice.HostPath": "the driver refuses an empty one (toDockerDevice)",
	"DockerMount.Target":    "Docker refuses a mount without one",
}
