#!/bin/sh
# Two ends of a call that may use nothing but relays, through `peerline relay`: over UDP, TCP and TLS. In a network
# namespace, so that every port is free.
set -eu
: "${PEERLINE:?the program to test}"
if [ "${1-}" != inside ]; then
    exec unshare -n "$0" inside
fi
ip link set lo up
dir=$(mktemp -d)
pids=
trap 'kill $pids 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"

fail() {
    echo "peer_relay: $1" >&2
    tail -n 5 a.out b.out relay.log >&2 || true
    exit 1
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 2 \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
"$PEERLINE" relay --listen 127.0.0.1:3478 --tls 127.0.0.1:5349 --cert cert.pem --key key.pem --realm test --user u:p \
    --allow-peer 127.0.0.0/8 >relay.log 2>&1 &
pids=$!
for _ in $(seq 50); do
    [ -n "$(ss -Htln 'sport = 5349')" ] && break
    sleep 0.1
done

# call URI: whether a message gets through; each end reads what the other says.
call() {
    rm -f a.in b.in a.out b.out
    : >a.out; : >b.out # whoever reads them first finds nothing of the call before
    mkfifo a.in b.in
    options="--ice-server $1 --ice-transport-policy relay --ca-file cert.pem --duration 20"
    # shellcheck disable=SC2086
    "$PEERLINE" peer --offer --data chat $options <a.in >a.out &
    a=$!
    # shellcheck disable=SC2086
    "$PEERLINE" peer --answer --echo $options <b.in >b.out &
    b=$!
    exec 3>a.in 4>b.in
    tail -n +1 -s 0.05 -f a.out --pid $a 2>/dev/null | grep --line-buffered -E '"type": ?"(offer|candidate)"' >&4 &
    tail -n +1 -s 0.05 -f b.out --pid $b 2>/dev/null | grep --line-buffered -E '"type": ?"(answer|candidate)"' >&3 &
    pids="$pids $a $b"
    for _ in $(seq 150); do
        grep -q '"state": *"open"' a.out && break
        sleep 0.1
    done
    grep -q '"state": *"open"' a.out || fail "$1: the channel did not open"
    echo '{"type":"send","label":"chat","data":"through the relay"}' >&3
    for _ in $(seq 50); do
        grep -q '"data": *"through the relay"' a.out && break
        sleep 0.1
    done
    grep -q '"data": *"through the relay"' a.out || fail "$1: no echo"
    if grep '"type": *"candidate"' a.out b.out | grep -vE 'typ relay|"candidate": *""'; then
        fail "$1: a candidate that is no relay was told"
    fi
    echo '{"type":"close"}' >&3
    echo '{"type":"close"}' >&4
    exec 3>&- 4>&-
    wait $a $b || fail "$1: an end says that the call failed"
}

call 'turn:u:p@127.0.0.1:3478?transport=udp'
call 'turn:u:p@127.0.0.1:3478?transport=tcp'
call 'turns:u:p@localhost:5349'

if "$PEERLINE" peer --offer --ice-transport-policy relay </dev/null >a.out 2>b.out; then
    fail "relays alone without a server"
fi
grep -q 'needs a TURN server' b.out
echo ok
