#!/bin/sh
# The weekly job: reads part of the repository, and then frees what no snapshot needs, unless the repository is damaged.
#
# SUBSET  how much of it to read, in restic's notation

run restic unlock || give_up "cannot open the repository $RESTIC_REPOSITORY: $(last)"
run restic check --retry-lock "$LOCK_WAIT" --read-data-subset="$SUBSET"
case $code in
  0) ;;
  11) give_up "another run holds the repository: $(last)" ;;
  *) give_up "the repository is damaged or unreadable, so nothing is freed: $(grep -v '^$' "$out" | grep -i -e error -e damaged -e 'not match' -e fatal | head -n 3 | tr '\n' ' ')" ;;
esac
run restic prune --retry-lock "$LOCK_WAIT" || give_up "restic prune failed: $(last)"
{ echo "checked, $SUBSET of it read"; echo "pruned"; } > "$work/checks"
