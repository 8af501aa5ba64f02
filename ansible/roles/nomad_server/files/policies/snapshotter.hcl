# Saves snapshots of Nomad's state; used by the timer on each server.
operator {
  capabilities = ["snapshot-save"]
}
