# The patch playbook, and homelab node-lost: takes nodes out of service and back, and saves a snapshot before.
namespace "*" {
  policy = "read"
}

node {
  policy = "write"
}

agent {
  policy = "read"
}

operator {
  policy = "read"
}

plugin {
  policy = "read"
}
