#!/bin/sh
# nat_lab.test.sh - `peerline nat` in the NAT laboratory of tests/natlab, eight homes at a time: every mapping with every
# filtering, a firewall, blocked UDP, hairpins, lost fragments and bindings that are forgotten, told by our own server
# with two addresses. Given the program in PEERLINE.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export NATBOX="${NATBOX:-$(dirname "$PEERLINE")/tests/natbox}"
wrong=0

# told FILE KEY WANTED, what is wanted being JSON as --json prints it
told() {
    got=$(sed -n "s/^ *\"$2\": \(.*[^,]\),\{0,1\}\$/\1/p" "$out/lab/$1.out" | head -n 1)
    [ "$got" = "$3" ] && return
    echo "nat_lab: behind $4: $2 is $got, not $3"
    wrong=1
}
# lab OPTIONS NAT|MAPPING|FILTERING|NAME ...: one home each
lab() {
    options=$1
    shift
    args=""
    n=0
    for spec; do
        n=$((n + 1))
        host=$(echo abcdefgh | cut -c $n)
        args="$args --nat-$host ${spec%%|*} --$host \"exec $PEERLINE nat s.natlab.test --json $options\""
    done
    eval "\"$here/../natlab/natlab\" run -q --out \"$out/lab\" --timeout 100 --link-b delay=30ms --link-d loss=3% \
        --up-f mtu=1400 \
        --server 'exec $PEERLINE relay --no-auth --primary \$NATLAB_S:3478 --alternate \$NATLAB_S_2:3479' \
        --server-ready text=ready $args" || { echo "nat_lab: the lab failed: $*"; cat "$out"/lab/*.err; exit 1; }
    n=0
    for spec; do
        n=$((n + 1))
        host=$(echo abcdefgh | cut -c $n)
        nat=${spec%%|*}
        told $host mapping "$(echo "$spec" | cut -d '|' -f 2)" "$nat"
        told $host filtering "$(echo "$spec" | cut -d '|' -f 3)" "$nat"
        told $host classic "$(echo "$spec" | cut -d '|' -f 4)" "$nat"
    done
}
ei='"endpoint-independent"' ad='"address-dependent"' apd='"address-and-port-dependent"'

lab "" "ei/ei,alloc=preserve|$ei|$ei|\"full cone\"" "ei/ad|$ei|$ad|\"restricted cone\"" "ei/apd|$ei|$apd|\"port-restricted cone\"" \
    "ad/ei|$ad|$ei|\"symmetric\"" "ad/ad|$ad|$ad|\"symmetric\"" "ad/apd|$ad|$apd|\"symmetric\"" \
    "apd/ei|$apd|$ei|\"symmetric\"" "apd/ad|$apd|$ad|\"symmetric\""
told a hairpin false "no hairpin"
told a fragments true "a cone"
told a port_preserved true "a cone"
told h port_preserved false "random ports"

lab "" "apd/apd|$apd|$apd|\"symmetric\"" "firewall|\"none\"|$apd|\"symmetric firewall\"" \
    "open|\"none\"|\"none\"|\"open internet\"" "udp-blocked|null|null|\"UDP blocked\"" \
    "port-restricted,hairpin=on|$ei|$apd|\"port-restricted cone\"" \
    "restricted|$ei|$ad|\"restricted cone\"" \
    "full-cone+symmetric|$apd|$apd|\"symmetric\""
told e hairpin true "hairpins"
told f fragments false "a link that loses large packets"
told d tcp "{" "blocked UDP, over TCP"

lab "--lifetime --lifetime-limit 8" "port-restricted,timeout=6s|$ei|$apd|\"port-restricted cone\"" \
    "full-cone|$ei|$ei|\"full cone\""
told a min 4.0 "a NAT that forgets in six seconds"
told a max 8.0 "a NAT that forgets in six seconds"
told b min 8.0 "a NAT that forgets in two minutes"
told b max null "a NAT that forgets in two minutes"
[ $wrong = 0 ] && echo "nat_lab: ok"
exit $wrong
