#!/bin/bash
# Runs that are killed, stopped, starved and denied: a few of the trials of tests/chaos/chaos.sh.
exec bash "$2/tests/chaos/chaos.sh" "$1" "$2" 20 1
