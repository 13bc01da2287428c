#!/bin/sh
# channels.sh STACK - channels.mjs with aiortc or pion, in a network of its own: a namespace with one interface, so that
# both ends have an address that is not the loopback's, whatever the machine has. Needs root or user namespaces.
set -eu
cd "$(dirname "$0")"
export INTEROP_WITH="$1"
[ "$(id -u)" = 0 ] && user= || user=--map-root-user
# shellcheck disable=SC2086 # an option or none
exec unshare $user --net sh -c '
    ip link set lo up
    ip link add ends type veth peer name ends_
    ip link set ends addrgenmode none
    ip link set ends_ addrgenmode none up
    ip addr add 10.77.0.1/24 dev ends
    ip link set ends up
    exec node --test channels.mjs'
