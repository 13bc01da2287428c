#!/bin/sh
# relay.test.sh - `peerline relay` beside Debian's coturn: its clients, over every transport and kind of allocation,
# are served; and what an operator does: configuration, reload, drain, metrics, another user. PEERLINE is the program.
set -eu
work=$(mktemp -d)
chmod 755 "$work" # another user must be able to read the configuration
pids=""
finish() {
    for pid in $pids; do kill -9 "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT
fail() {
    echo "relay: $*"
    for log in "$work"/*.log; do echo "--- $log"; tail -n 25 "$log"; done
    exit 1
}
has() { grep -q -- "$1" "$2" || fail "no '$1' in $2"; }
until_true() { # TENTHS COMMAND...: tries it until it succeeds
    tries=$1
    shift
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "still not: $*"
        sleep 0.1
    done
}
gone() { ! kill -0 "$1" 2>/dev/null; }
# ended TENTHS: the last one that was started has, in order
ended() {
    until_true "$1" gone "$pid"
    wait "$pid" || fail "it ended with $?"
}
# start NAME ARGUMENTS...: sets pid; the first line of NAME.log says that it is ready
start() {
    name=$1
    shift
    "$PEERLINE" relay --json "$@" >"$work/$name.log" 2>&1 &
    pid=$!
    pids="$pids $pid"
    until_true 100 grep -q '"type":"ready"' "$work/$name.log"
}
port_of() { # NAME TRANSPORT [ADDRESS]
    sed -n 's/.*"listen":\(.*\)/\1/p' "$work/$1.log" | tr '{' '\n' |
        sed -n "s/.*\"${3:-127.0.0.1}:\([0-9]*\)\",\"transport\":\"$2\".*/\1/p" | head -n 1
}
metric() { # NAME LABELS: its value
    curl -sf "$metrics" | sed -n "s/^peerline_relay_$1 //p"
}

# ---- a mistake is named, with its place, and ends with 2 ----
expect_usage() { # TEXT ARGUMENTS...
    want=$1
    shift
    code=0
    "$PEERLINE" relay "$@" >"$work/usage.log" 2>&1 || code=$?
    [ "$code" = 2 ] || fail "exit code $code, not 2: $*"
    has "$want" "$work/usage.log"
}
printf 'realm x\nlisten nowhere\n' >"$work/bad.conf"
expect_usage "bad.conf:2: listen wants ADDR:PORT" --config "$work/bad.conf"
expect_usage "No such file" --config "$work/none.conf"
expect_usage "there is no option" --lisen 1.2.3.4:5
expect_usage "cert and key go together" --cert x
printf 'alice:secret\nbob:{MD5}12\n' >"$work/users"
expect_usage "users:2: hashes are" --check --user-file "$work/users"

# ---- the server under test: a file, a hashed user, a secret, a certificate ----
certificate() { # NAME: a new one
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" \
        -days 2 -subj "/CN=$1" 2>/dev/null
    chmod 644 "$work/key.pem"
}
shows() { # NAME: TLS and DTLS have that certificate
    for way in -tls1_3 -dtls1_2; do
        timeout 5 openssl s_client "$way" -connect "127.0.0.1:$tls" </dev/null 2>/dev/null |
            grep -q "^subject=CN = $1\$" || fail "no certificate of $1 by $way"
    done
}
certificate first
echo secret | "$PEERLINE" relay --hash-user alice --realm test >"$work/users"
has '^alice:{MD5}[0-9a-f]\{32\}{SHA256}[0-9a-f]\{64\}$' "$work/users"
grep -q secret "$work/users" && fail "a hash tells the password" || true
echo north >"$work/secrets"
cat >"$work/relay.conf" <<END
# what relay.test.sh runs
listen     127.0.0.1:0
listen     [::1]:0
tls        127.0.0.1:0
cert       $work/cert.pem
key        $work/key.pem
realm      test
user-file  = $work/users
rest-secret-file = $work/secrets
allow-peer 127.0.0.0/8
allow-peer ::1
threads    2
metrics    127.0.0.1:0
drain-seconds 14 # coturn's clients leave their first allocation standing, and take 6 to 9 seconds for what they send
END
"$PEERLINE" relay --check --config "$work/relay.conf" >"$work/check.log" || fail "the check"
run_as=""
[ "$(id -u)" != 0 ] || run_as="--run-as nobody"
# shellcheck disable=SC2086 # words
start relay --config "$work/relay.conf" $run_as
udp=$(port_of relay udp) tcp=$(port_of relay tcp) tls=$(port_of relay tls) dtls=$(port_of relay dtls)
udp6=$(port_of relay udp '\[::1\]')
metrics=$(sed -n 's/.*"metrics":"\([^"]*\)".*/\1/p' "$work/relay.log")
[ "$udp" = "$tcp" ] && [ "$tls" = "$dtls" ] || fail "UDP and TCP on different ports"
[ -z "$run_as" ] || [ "$(stat -c %U "/proc/$pid")" = nobody ] || fail "it is still root"
[ -z "$run_as" ] || grep -q '^CapEff:[[:space:]]*0*$' "/proc/$pid/status" || fail "it still has capabilities"
curl -sf "${metrics%/metrics}/health" | grep -qx ok || fail "no health"

# ---- coturn's STUN client ----
turnutils_stunclient -p "$udp" 127.0.0.1 >"$work/stun.log" 2>&1 || fail "stunclient"
has "UDP reflexive addr: 127.0.0.1:" "$work/stun.log"

# ---- coturn's TURN clients, all at once; each relays 2 x 20 messages ----
turnutils_peer -L 127.0.0.1 -L ::1 -p 24480 >"$work/peer.log" 2>&1 &
pids="$pids $!"
client() { # NAME ARGUMENTS...
    name=$1
    shift
    timeout 40 turnutils_uclient -n 20 -m 2 -l 171 -r 24480 "$@" >"$work/client-$name.log" 2>&1 &
    clients="$clients $name:$!"
}
clients=""
a="-u alice -w secret -e 127.0.0.1"
# shellcheck disable=SC2086 # words
{
    client udp $a -p "$udp" 127.0.0.1
    client udp-send $a -s -p "$udp" 127.0.0.1
    client udp-df $a -g -p "$udp" 127.0.0.1
    client udp-even -u alice -w secret -y -p "$udp" 127.0.0.1
    client udp-mobile $a -M -p "$udp" 127.0.0.1
    client udp-rest -u carol -W north -e 127.0.0.1 -p "$udp" 127.0.0.1
    client udp-more $a -G -p "$udp" 127.0.0.1
    client tcp $a -t -p "$tcp" 127.0.0.1
    client tcp-relay $a -t -T -p "$tcp" 127.0.0.1
    client tls $a -t -S -p "$tls" 127.0.0.1
    client tls-relay $a -t -T -S -p "$tls" 127.0.0.1
    client dtls $a -S -p "$dtls" 127.0.0.1
    client ip6 -u alice -w secret -e ::1 -x -p "$udp6" ::1
}
for one in $clients; do
    name=${one%:*}
    wait "${one#*:}" || fail "client $name: exit code $?"
    log=$work/client-$name.log
    has "Total lost packets 0 (0.000000%)" "$log"
    # -G asks for things that must be refused, too
    [ "$name" = udp-more ] || ! grep -iE "error [45][0-9][0-9]" "$log" || fail "client $name was refused"
done
# who has no credentials gets nothing
timeout 20 turnutils_uclient -u alice -w wrong -e 127.0.0.1 -r 24480 -p "$udp" 127.0.0.1 >"$work/wrong.log" 2>&1 || true
grep -q "Total lost packets 0" "$work/wrong.log" && fail "a wrong password relays"
[ "$(metric 'allocations_total{transport="tls"}')" -ge 4 ] || fail "allocations are not counted"
[ "$(metric 'data_packets_total{direction="down"}')" -ge 400 ] || fail "packets are not counted"
until_true 50 sh -c "curl -sf $metrics | grep -q '^peerline_relay_allocations{transport=\"tcp\"} 0$'"

# ---- reload: another secret and certificate, a broken file that changes nothing ----
shows first
certificate second
echo south >"$work/secrets"
kill -HUP "$pid"
until_true 50 grep -q '"type":"reloaded"' "$work/relay.log"
timeout 20 turnutils_uclient -c -u carol -W south -e 127.0.0.1 -r 24480 -n 2 -p "$udp" 127.0.0.1 >"$work/south.log" 2>&1 ||
    fail "the new secret"
has "Total lost packets 0 (0.000000%)" "$work/south.log"
shows second
echo 'realm' >>"$work/relay.conf"
kill -HUP "$pid"
until_true 50 grep -q 'relay.conf:15: realm wants a value' "$work/relay.log"
[ "$(metric reloads_total)" = 1 ] || fail "a broken configuration was taken"

# ---- drain: what stands goes on, nothing new begins, and there is an end ----
timeout 40 turnutils_uclient -c -n 100 -m 1 -u carol -W south -e 127.0.0.1 -r 24480 -p "$udp" 127.0.0.1 \
    >"$work/last.log" 2>&1 &
last=$!
until_true 50 sh -c "curl -sf $metrics | grep -q '^peerline_relay_allocations{transport=\"udp\"} [1-9]'"
kill -TERM "$pid"
until_true 50 sh -c "curl -s ${metrics%/metrics}/health | grep -q draining"
timeout 10 turnutils_uclient -c -u carol -W south -e 127.0.0.1 -r 24480 -n 2 -p "$udp" 127.0.0.1 >"$work/late.log" 2>&1 || true
grep -q "error 508" "$work/late.log" || fail "a draining server still allocates"
wait "$last" || fail "the drain cut an allocation"
has "Total lost packets 0 (0.000000%)" "$work/last.log"
ended 250
has '"type":"closed"' "$work/relay.log"
grep -q '127\.0\.0\.1' "$work/relay.log" && grep '"type":"ended"' "$work/relay.log" | grep -q '127\.0\.0\.1' &&
    fail "addresses are in the log" || true

# ---- a second signal ends at once ----
start quick --listen 127.0.0.1:0 --user u:p --allow-peer 127.0.0.1 --threads 1 --log-addresses
udp=$(port_of quick udp)
turnutils_uclient -c -h -u u -w p -e 127.0.0.1 -r 24480 -p "$udp" 127.0.0.1 >"$work/hang.log" 2>&1 &
pids="$pids $!"
until_true 50 grep -q '"type":"allocated".*"client":"127.0.0.1:' "$work/quick.log"
kill -TERM "$pid"
sleep 0.3
kill -0 "$pid" || fail "it does not wait for its allocation"
kill -TERM "$pid"
ended 30
has '"type":"closed"' "$work/quick.log"

# ---- behaviour discovery with two addresses (RFC 5780) ----
start nat --primary 127.0.0.1:24300 --alternate 127.0.0.2:24301 --threads 2
[ "$(grep -c '"turn":false' "$work/nat.log")" = 1 ] || fail "without credentials it claims to relay"
timeout 20 turnutils_natdiscovery -m -f -p 24300 -L 127.0.0.1 127.0.0.1 >"$work/discovery.log" 2>&1 || fail "natdiscovery"
has "NAT with Endpoint Independent Mapping\|No NAT detected\|Endpoint Independent" "$work/discovery.log"
has "Endpoint Independent Filtering" "$work/discovery.log"
kill -TERM "$pid"
ended 30
echo "relay: $(echo "$clients" | wc -w) clients of coturn, reload, drain, discovery"
