#!/bin/sh
# is_complete FILE: whether a static channel backup is. The hub writes one object, not in one step; no text in it holds
# a brace. Whoever copies and whoever compares the copies must mean the same by it.

is_complete() {
  [ "$(head -c 1 "$1")" = "{" ] &&
    [ "$(tail -c 16 "$1" | tr -d ' \n\r\t' | tail -c 1)" = "}" ] &&
    [ "$(tr -cd '{' < "$1" | wc -c)" = "$(tr -cd '}' < "$1" | wc -c)" ]
}
