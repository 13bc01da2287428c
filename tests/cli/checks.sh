# shellcheck shell=sh
# checks.sh - the head of tests that start the program and look at what it says. They source it from their own folder, and
# say in ours() which processes are to end with them. What they say is in files of $dir; at the end $bad is the code to exit with.
dir=$(mktemp -d) || exit 1
bad=0
cleanup() {
    for pid in $(ours); do kill -9 "$pid" 2>/dev/null; done
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
fail() {
    echo "FAILED: $*"
    for f in "$dir"/*.log "$dir"/*.out "$dir"/*.err "$dir"/*.json; do
        [ ! -f "$f" ] || { echo "-- $f" && tail -n 15 "$f" | cat -v | head -c 4000; }
    done
    bad=1
}
check() { # NAME COMMAND...
    name=$1
    shift
    if "$@" >/dev/null 2>&1; then echo "ok: $name"; else fail "$name"; fi
}
soon() { # COMMAND...: until it holds, for at most 60 seconds
    i=0
    until "$@" >/dev/null 2>&1; do
        i=$((i + 1))
        [ $i -lt 1200 ] || return 1
        sleep 0.05
    done
}
# Wait for what never ends is a test that says nothing: after 100 seconds it is killed, with a core's signal.
reap() { # PID: its exit code
    i=0
    until grep -qs '^State:.*[ZX]' "/proc/$1/status" || [ ! -e "/proc/$1" ]; do
        i=$((i + 1))
        [ $i -lt 2000 ] || kill -ABRT "$1"
        sleep 0.05
    done
    wait "$1"
}
ended() { # PID CODE
    reap "$1"
    [ $? = "$2" ]
}
over() { # PID: by itself; what came is looked at apart, since the quality is the machine's
    reap "$1"
    [ $? -le 1 ]
}
says() { grep -q "$1" "$dir/$2"; }
