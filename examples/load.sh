#!/bin/sh
# Loads what is new, then checks that deliveries still arrive. For any scheduler that runs commands;
# it ends with the exit code that the scheduler should see.
#
# Every line is a JSON object. Events, and the state of all months in one line, go to stdout. What a
# person should look at goes to stderr, which cron mails.

# A JSON object for each line: one that is an object stays, a document of several lines becomes one
# line, and any other text becomes a message.
as_json() {
    document=
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in
        '') ;;
        '{"'*) printf '%s\n' "$line" ;;
        '{') document='{' ;;
        '}') printf '%s}\n' "$document" && document= ;;
        *)
            if [ -n "$document" ]; then
                document=$document${line#"${line%%[! ]*}"}
            else
                message warning "$line"
            fi
            ;;
        esac
    done
}

# A message as a line of JSON, as cloudbill itself writes one.
message() {
    text=$(printf '%s' "$2" | LC_ALL=C tr -d '\000-\010\013-\037' | LC_ALL=C tr '\t\n' '  ' |
        LC_ALL=C sed 's/["\\]/\\&/g')
    printf '{"time": "%s", "level": "%s", "event": "message", "message": "%s"}\n' \
        "$(date -u +%Y-%m-%dT%H:%M:%S+00:00)" "$1" "$text"
}

# Runs cloudbill with stdout and stderr as JSON; its exit code is in `code`. A stop is for cloudbill
# alone, which says what it did before it ends: everything around it waits for that.
run() {
    trap '' HUP INT TERM
    code=$({ { { stoppable "$@" && echo 0 >&4 || echo $? >&4; } 2>&1 >&5 | as_json >&2; } \
        5>&1 | as_json >&3; } 4>&1)
    trap - HUP INT TERM
}

stoppable() (
    trap - HUP INT TERM
    exec cloudbill "$@"
)

# The worse of two exit codes, as cloudbill decides it: the higher, but that of a held run (6) only
# if nothing else went wrong.
worse() {
    if [ "$1" -eq 6 ] && [ "$2" -ne 0 ]; then
        echo "$2"
    elif [ "$2" -eq 6 ] && [ "$1" -ne 0 ]; then
        echo "$1"
    elif [ "$1" -gt "$2" ]; then
        echo "$1"
    else
        echo "$2"
    fi
}

exec 3>&1
if ! command -v cloudbill >/dev/null; then
    message error "There is no command cloudbill in PATH, which is $PATH. Install it, or correct PATH" >&2
    exit 127
fi

run load --log-format json
loading=$code
# Whoever stopped the load wants no check.
if [ "$loading" -gt 125 ]; then
    exit "$loading"
fi
# Also after a load that failed, and while a run is held: neither may hide an export that has stopped.
# It ends with 8 if the newest delivery of a source is older than a day and a half, and with the code
# of anything else that a person should look at. To stderr it says what that is: of a held run which
# one it is, why, and the commands that decide.
run status --check --max-age 36h --json
exit "$(worse "$loading" "$code")"
