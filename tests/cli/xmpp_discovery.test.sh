#!/bin/sh
# Where a domain's XMPP server is, by SRV records and host-meta: in a network and with a resolver of the test's own.
set -eu
cd "$(dirname "$0")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "nameserver 127.0.0.1" >"$folder/resolv.conf"
echo "hosts: dns" >"$folder/nsswitch.conf"
user=
[ "$(id -u)" = 0 ] || user="--user --map-root-user"
# shellcheck disable=SC2086,SC2016 # words of options; the inner shell expands
unshare $user --net --mount sh -c '
    ip link set lo up
    for file in resolv.conf nsswitch.conf; do mount --bind "$0/$file" "/etc/$file"; done
    exec /usr/bin/python3 xmpp_discovery.py' "$folder"
