#!/bin/sh
# Answers whether the index is complete.
#
# ELECTRUM_PORT  port of electrs inside the group's network

if ping_electrs 127.0.0.1 "$ELECTRUM_PORT"; then ok 'the index is complete'; else bad 'not ready: waiting or indexing'; fi
