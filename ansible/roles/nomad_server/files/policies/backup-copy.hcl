# For the job backup-copy itself: writes what was copied before an upgrade.
namespace "default" {
  variables {
    path "homelab/backup/backup-copy/*" {
      capabilities = ["write"]
    }
  }
}
