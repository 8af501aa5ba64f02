# Takes nodes out of service and back, and saves a snapshot before.
namespace "*" {
  capabilities = ["list-jobs", "read-job"]
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
