# Takes machines out of service and puts them back: the patch playbook, homelab node-lost.
namespace "*" {
  policy = "read"
}
node {
  policy = "write"
}
plugin {
  policy = "read"
}
