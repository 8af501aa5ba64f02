#!/bin/sh
# secret KEY sets $value to the value of a secret. When it has none, it fails, and the reason is in $why.
#
# MISSING_VALUE  what a secret's file begins with when its value is empty

secret() {
  value=$(cat "$NOMAD_SECRETS_DIR/$1")
  case $value in
    "" | "$MISSING_VALUE "*) why="${value:-the secret $1 is empty}: homelab secrets init gives it a value"; return 1 ;;
  esac
}
