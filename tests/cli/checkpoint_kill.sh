#!/bin/bash
# kill -9 of any rank at random moments of saves: a few of the trials of tests/bench/ckpt_kill.sh.
exec bash "$2/tests/bench/ckpt_kill.sh" "$1" "$2" 4 "$(date +%N | sed 's/^0*//')"
