#!/bin/sh
# peerline xmpp at prosody, with libstrophe and slixmpp as the other clients.
set -eu
cd "$(dirname "$0")"
exec /usr/bin/python3 strophe_journey.py
