#!/bin/sh
# is_complete FILE: whether a static channel backup is. The hub writes one JSON object, not atomically, and no string in
# it holds a brace. The sidecar that copies the backups and the job that compares them must use the same check.

is_complete() {
  [ "$(head -c 1 "$1")" = "{" ] &&
    [ "$(tail -c 16 "$1" | tr -d ' \n\r\t' | tail -c 1)" = "}" ] &&
    [ "$(tr -cd '{' < "$1" | wc -c)" = "$(tr -cd '}' < "$1" | wc -c)" ]
}
