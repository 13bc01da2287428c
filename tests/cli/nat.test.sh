#!/bin/sh
# nat.test.sh - `peerline nat` on loopback, where 127.0.0.1 and 127.0.0.2 are the two addresses: against our server
# and coturn's, over UDP, TCP, TLS and DTLS; and coturn's clients against our server. Given the program in PEERLINE.
set -eu
out=$(mktemp -d)
pids=""
end() {
    for pid in $pids; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$out"
}
trap end EXIT
fail() {
    echo "nat: $*"
    tail -n 20 "$out"/*.log 2>/dev/null
    exit 1
}
# has FILE KEY VALUE: a line of the JSON object
has() { grep -q "^ *\"$2\": $3,\{0,1\}\$" "$out/$1" || fail "$1: no $2 of $3: $(cat "$out/$1")"; }
# waits for TEXT in FILE
await() {
    for _ in $(seq 100); do
        grep -q "$2" "$out/$1" 2>/dev/null && return
        sleep 0.1
    done
    fail "$1 never says $2"
}

p=$((21000 + $$ % 900 * 4))
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$out/key.pem" -out "$out/cert.pem" \
    -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null

"$PEERLINE" relay --no-auth --listen 127.0.0.1:0 --primary 127.0.0.1:$p --alternate 127.0.0.2:$((p + 1)) \
    --tls 127.0.0.1:$((p + 2)) --cert "$out/cert.pem" --key "$out/key.pem" >"$out/ours.log" 2>&1 &
pids="$!"
await ours.log ready

"$PEERLINE" nat 127.0.0.1:$p --json >"$out/udp"
has udp mapping '"none"'
has udp filtering '"none"'
has udp classic '"open internet"'
has udp fragments true
has udp other "\"127.0.0.2:$((p + 1))\""
has udp translated false
"$PEERLINE" nat 127.0.0.2:$((p + 1)) --json >"$out/from_the_other_side"
has from_the_other_side classic '"open internet"'
has from_the_other_side other "\"127.0.0.1:$p\""
"$PEERLINE" nat "stun:127.0.0.1:$p?transport=tcp" --json >"$out/tcp"
has tcp translated false
has tcp failure null
for how in tls dtls; do
    "$PEERLINE" nat localhost:$((p + 2)) --family ipv4 --protocol $how --ca "$out/cert.pem" --json >"$out/$how"
    has $how translated false
    has $how protocol "\"$how\""
    "$PEERLINE" nat localhost:$((p + 2)) --family ipv4 --protocol $how --insecure >"$out/$how.text"
    grep -q "mapped address .*no translation" "$out/$how.text" || fail "$how: $(cat "$out/$how.text")"
    # whom it cannot trust it does not ask, and says what to do
    "$PEERLINE" nat localhost:$((p + 2)) --family ipv4 --protocol $how >"$out/distrust" 2>&1 && fail "$how: trusted"
    grep -q -- "--ca or --insecure" "$out/distrust" || fail "$how: $(cat "$out/distrust")"
done

# Errors end with what to do, and with the exit codes of the man page.
for wrong in "http://x" "stun:" "stuns:h --protocol udp" "h --protocol sctp" "h --local nowhere"; do
    code=0
    "$PEERLINE" nat $wrong >"$out/wrong" 2>&1 || code=$?
    [ $code = 2 ] || fail "$wrong gives $code: $(cat "$out/wrong")"
done
code=0
"$PEERLINE" nat nobody.invalid 2>"$out/wrong" || code=$?
{ [ $code = 1 ] && grep -q "has no address" "$out/wrong"; } || fail "nobody.invalid: $(cat "$out/wrong")"

# What coturn's clients say of our server.
turnutils_natdiscovery -m -f -p $p 127.0.0.1 >"$out/natdiscovery.log" 2>&1 || true
grep -q "NAT with Endpoint Independent Mapping" "$out/natdiscovery.log" || fail "turnutils_natdiscovery: mapping"
grep -q "NAT with Endpoint Independent Filtering" "$out/natdiscovery.log" || fail "turnutils_natdiscovery: filtering"
turnutils_stunclient -p $p 127.0.0.1 >"$out/stunclient.log" 2>&1 || true
[ "$(grep -c "UDP reflexive addr: 127.0.0.1" "$out/stunclient.log")" = 3 ] || fail "turnutils_stunclient"

# What we say of coturn's server.
turnserver -n --no-cli --no-auth --no-tls --no-dtls -L 127.0.0.1 -L 127.0.0.2 -p $((p + 3)) \
    --alt-listening-port $((p + 900)) --pidfile "$out/pid" --log-file stdout >"$out/coturn.log" 2>&1 &
pids="$pids $!"
for _ in $(seq 50); do
    "$PEERLINE" nat 127.0.0.1:$((p + 3)) --protocol tcp --timeout 1 >/dev/null 2>&1 && break
    sleep 0.1
done
"$PEERLINE" nat 127.0.0.1:$((p + 3)) --json >"$out/coturn"
has coturn mapping '"none"'
has coturn filtering '"none"'
has coturn classic '"open internet"'
has coturn other "\"127.0.0.2:$((p + 900))\""
echo "nat: ok"
