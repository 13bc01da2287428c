#!/bin/sh
# peerline xmpp at ejabberd, with slixmpp as the other client.
set -eu
cd "$(dirname "$0")"
exec /usr/bin/python3 xmpp_journey.py ejabberd
