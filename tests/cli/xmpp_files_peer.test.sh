#!/bin/sh
# Files with slixmpp's bytestreams, in-band and SOCKS5; and what a hostile sender of files does.
set -eu
cd "$(dirname "$0")"
exec /usr/bin/python3 xmpp_files_peer.py
