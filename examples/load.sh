#!/bin/sh
# Loads what is new, then checks that deliveries still arrive. For any scheduler that runs commands;
# it ends with the exit code that the scheduler should see.

cloudbill load --log-format json
code=$?
if [ "$code" -eq 6 ]; then
    echo "A run is held. Look at it with 'cloudbill status', then 'cloudbill accept'." >&2
fi
if [ "$code" -ne 0 ]; then
    exit "$code"
fi
# Exit code 8 if the newest delivery of a source is older than a day and a half; and the code of
# anything else that a person should look at.
cloudbill status --check --max-age 36h
