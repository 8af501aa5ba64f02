# Deploys jobs and volumes in bitcoin and default; namespaces and the scheduler need a management token.
namespace "bitcoin" {
  policy       = "read"
  capabilities = ["submit-job", "read-logs", "csi-write-volume", "csi-mount-volume"]

  variables {
    path "*" {
      capabilities = ["list"]
    }
  }
}

# The CSI plugin runs here.
namespace "default" {
  policy       = "read"
  capabilities = ["submit-job", "read-logs", "csi-register-plugin"]

  variables {
    path "*" {
      capabilities = ["list"]
    }
  }
}

node {
  policy = "read"
}

operator {
  policy = "read"
}

plugin {
  policy = "read"
}
