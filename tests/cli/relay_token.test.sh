#!/bin/sh
# relay_token.test.sh - access tokens (RFC 7635) of coturn's turnutils_uclient, sealed with its well-known test keys, open
# our relay to it; without the keys they do not. Given the program in PEERLINE.
set -eu
out=$(mktemp -d)
pids=""
end() {
    for pid in $pids; do kill -KILL "$pid" 2>/dev/null || true; done
    rm -rf "$out"
}
trap end EXIT
fail() {
    echo "relay_token: $*"
    tail -n 20 "$out"/*.log
    exit 1
}
p=$((21000 + $$ % 900 * 4))
# The first bytes of what coturn's tools have built in: AES-256, AES-128, AES-256.
cat >"$out/keys" <<KEYS
# kid:key
north:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=
union:MTIzNDU2Nzg5MDEyMzQ1Ng==
oldempire:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=
KEYS
echo "north:$(head -c 32 /dev/zero | base64)" >"$out/wrong_keys"

# relay KEYS PORT: on that port until the end
relay() {
    "$PEERLINE" relay --token-key-file "$out/$1" --server-name blackdow.carleon.gov --realm north.gov \
        --listen 127.0.0.1:$2 --allow-peer 127.0.0.0/8 --json >"$out/$1.log" 2>&1 &
    pids="$pids $!"
    for _ in $(seq 100); do
        grep -q '"ready"' "$out/$1.log" && return
        sleep 0.1
    done
    fail "the relay is not ready"
}
relay keys $p
relay wrong_keys $((p + 1))
turnutils_peer -L 127.0.0.1 -p $((p + 2)) >/dev/null 2>&1 &
pids="$pids $!"
sleep 0.3

timeout 60 turnutils_uclient -J -n 5 -c -e 127.0.0.1 -r $((p + 2)) -p $p 127.0.0.1 >"$out/uclient.log" 2>&1 ||
    fail "turnutils_uclient ended with $?"
grep -q "tot_send_msgs=5, tot_recv_msgs=5" "$out/uclient.log" || fail "messages were lost"
grep -Eq '"user":"(north|union|oldempire)"' "$out/keys.log" || fail "who was it?"
timeout 5 turnutils_uclient -J -n 5 -c -e 127.0.0.1 -r $((p + 2)) -p $((p + 1)) 127.0.0.1 >"$out/refused.log" 2>&1 || true
grep -q '"allocated"' "$out/wrong_keys.log" && fail "tokens under other keys were taken"

# A key file with a mistake is said with its line.
echo "north:short" >"$out/bad"
"$PEERLINE" relay --token-key-file "$out/bad" --check >"$out/check" 2>&1 && fail "a short key was taken"
grep -q "bad:1: .*16 or 32 bytes in base64" "$out/check" || fail "$(cat "$out/check")"
echo "relay_token: ok"
