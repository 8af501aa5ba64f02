#!/bin/sh
# secret KEY puts the value of a secret into $value, or the reason why there is none into $why.
#
# MISSING_VALUE  how the file of a secret begins whose value is empty

secret() {
  value=$(cat "$NOMAD_SECRETS_DIR/$1")
  case $value in
    "" | "$MISSING_VALUE "*) why="${value:-the secret $1 is empty}: homelab secrets init gives it a value"; return 1 ;;
  esac
}
