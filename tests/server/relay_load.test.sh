#!/bin/sh
# relay_load.test.sh - the relay is right while it is busy and some mean it ill: a thousand allocations exchange data
# with 5 % of malformed, truncated, unauthenticated and replayed messages mixed in (bench/relay/mix.c says what is
# looked at), then a stranger floods it (bench/relay/flood.c), and in the end nothing is left behind.
# RELAY_LOAD_SECONDS=30: the long way. Given the program in PEERLINE and the load in PEERLINE_LOAD.
set -eu
seconds=${RELAY_LOAD_SECONDS:-8}
rate=${RELAY_LOAD_RATE:-5000}
limit=200 # answers a second to who has no credentials
load=${PEERLINE_LOAD:-$(dirname "$PEERLINE")/bench-relay}
out=$(mktemp -d)
pid=""
end() {
    [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true
    rm -rf "$out"
}
trap end EXIT
fail() {
    echo "relay_load: $*"
    tail -n 5 "$out/said"
    exit 1
}

# What AddressSanitizer keeps of freed memory would look like growth.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=1:thread_local_quarantine_size_kb=64"
"$PEERLINE" relay --json --listen 127.0.0.1:0 --metrics 127.0.0.1:0 --realm bench --user bench:bench \
    --allow-peer 127.0.0.0/8 --unauthenticated-rate $limit --threads 2 --drain-seconds 5 >"$out/said" 2>&1 &
pid=$!
ready=""
for _ in $(seq 100); do
    ready=$(grep '"type":"ready"' "$out/said") && break
    kill -0 $pid 2>/dev/null || fail "the relay has ended"
    sleep 0.1
done
at=$(echo "$ready" | sed -n 's/.*"address":"\([^"]*\)","transport":"udp".*/\1/p')
metrics=$(echo "$ready" | sed -n 's/.*"metrics":"\([^"]*\)".*/\1/p')
[ -n "$at" ] && [ -n "$metrics" ] || fail "not ready: $ready"

get_metrics() {
    python3 -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())' "$metrics" \
        >"$out/metrics"
}
# sum_of NAME: over all labels
sum_of() {
    awk -v name="peerline_relay_$1" '$1 == name || index($1, name "{") == 1 { n += $2; seen = 1 }
        END { if (!seen) print "missing"; else printf "%d\n", n }' "$out/metrics"
}

"$load" mix --pid $pid --seconds "$seconds" --rate "$rate" --n 1000 "$at" || fail "not everything went as it should"
"$load" flood --pid $pid --seconds 2 --rate 5000 --limit $limit "$at" || fail "a stranger gets too much"

# The core has forgotten all of it, and has counted what was hostile.
get_metrics
for gauge in allocations connections; do
    n=$(sum_of $gauge)
    [ "$n" = 0 ] || fail "$n $gauge are left"
done
made=$(sum_of allocations_total) ended=$(sum_of allocations_ended_total)
[ "$made" -ge 2000 ] && [ "$made" = "$ended" ] || fail "$made allocations were made, $ended ended"
for reason in malformed stranger no_channel no_permission unauthenticated_rate; do
    n=$(sed -n "s/^peerline_relay_drops_total{reason=\"$reason\"} //p" "$out/metrics")
    [ "${n:-0}" -gt 0 ] || fail "nothing was dropped as $reason"
done

kill -TERM $pid
code=0
wait $pid || code=$?
pid=""
[ $code = 0 ] || fail "exit code $code"
grep -q '"type":"closed"' "$out/said" || fail "no last word"
echo "relay_load: $made allocations, all ended"
