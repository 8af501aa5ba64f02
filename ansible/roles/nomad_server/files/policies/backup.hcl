# For the job backup itself: writes what it took and what failed, and lists the names of all variables; reads no value.
namespace "*" {
  variables {
    path "*" {
      capabilities = ["list"]
    }
  }
}

# A namespace of its own name takes nothing from the block above.
namespace "default" {
  variables {
    path "*" {
      capabilities = ["list"]
    }

    path "homelab/backup/backup/*" {
      capabilities = ["write"]
    }

    path "homelab/backup/snapshots" {
      capabilities = ["write"]
    }
  }
}
