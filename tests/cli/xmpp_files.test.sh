#!/bin/sh
# peerline xmpp send-file and receive at prosody.
set -eu
cd "$(dirname "$0")"
exec /usr/bin/python3 xmpp_files.py
