#!/bin/sh
# whip.test.sh - `peerline serve`, `publish` and `play` as people use them: media arrives, tokens, who comes first, ICE restarts,
# DELETE at the end and upon SIGINT, what is said when it goes wrong. On loopback, given the program in PEERLINE.
set -u
server= a= b= # processes of ours
unset PEERLINE_TOKEN
ours() { echo "$a $b $server"; }
. "$(dirname "$0")/checks.sh"
status() { curl -sf "$url/status"; } # counters of the server
counts() { status | grep -q "\"$1\":$2[,}]"; }
# A number of the report: above a bound.
above() { # FILE GROUP NAME BOUND
    python3 -c 'import json,sys
f,g,n,b=sys.argv[1:]
r=[json.loads(l) for l in open(f)][-1]
sys.exit(not (r["type"]=="report" and (r[g][n] if g!="-" else r[n])>float(b)))' "$dir/$1" "$2" "$3" "$4"
}
serve() { # OPTIONS...: on any port; $url
    : >"$dir/serve.log" # of the one before: it was ready, too
    "$PEERLINE" serve --listen 127.0.0.1:0 --stun 127.0.0.1:0 --json "$@" >"$dir/serve.log" 2>"$dir/serve.err" &
    server=$!
    soon says ready serve.log || fail "the server starts"
    url=$(sed -n 's/.*"http":\["\([^"]*\)".*/\1/p' "$dir/serve.log")
}
stop() {
    kill "$server"
    check "the server ends well" ended "$server" 0
    server=
}
run() { # FILE COMMAND...: in the background, its lines in FILE.json
    out=$1
    shift
    "$PEERLINE" "$@" --json </dev/null >"$dir/$out.json" 2>"$dir/$out.err" &
}

# ---- one publishes, two watch ----
serve
run early play --seconds 3 "$url/whep/a" # before anybody publishes: it comes back
b=$!
check "the early player is told to come back" soon says 'asking again' early.json
run pub publish --audio tone:700 --video pattern "$url/whip/a"
a=$!
check "the publisher is connected" soon says '"connected"' pub.json
run late play --seconds 3 --record-audio "$dir/a.wav" --record-video "$dir/v.ivf" "$url/whep/a"
late=$!
check "the early player ends" over "$b"
check "the late player ends" over "$late"
for who in early late; do
    check "$who: pictures were decoded" above $who.json video frames 20
    check "$who: sound was heard" above $who.json audio level_dbov -40
done
check "the recordings are there" test -s "$dir/a.wav" -a -s "$dir/v.ivf"
check "DELETE ended both players" soon counts viewers 0
run second publish "$url/whip/a"
b=$!
check "a second publisher is refused" ended "$b" 1
check "and hears why" says '409' second.json
check "the first one goes on" counts publishers 1
kill -INT "$a"
check "SIGINT ends the publisher well" ended "$a" 0
a=
check "and DELETE tells the server" soon counts publishers 0
check "which says so" says 'a publisher leaves: it was deleted' serve.log

# ---- servers that the 201 names are asked, too ----
stun() { status | sed 's/.*"stun_requests":\([0-9]*\).*/\1/'; }
asked=$(stun)
stun_was_asked() { [ "$(stun)" -gt "$asked" ]; }
run plain publish --no-options "$url/whip/n"
a=$!
check "without OPTIONS, too" soon says '"connected"' plain.json
check "the STUN server of the Link header is asked" soon stun_was_asked
kill -INT "$a"
check "it ends well" ended "$a" 0
a=

# ---- ICE restarts of both sides, asked for on standard input ----
mkfifo "$dir/to_pub"
"$PEERLINE" publish --json "$url/whip/r" <"$dir/to_pub" >"$dir/rpub.json" 2>"$dir/rpub.err" &
a=$!
exec 4>"$dir/to_pub"
check "it is connected" soon says '"connected"' rpub.json
mkfifo "$dir/to_play"
"$PEERLINE" play --json "$url/whep/r" <"$dir/to_play" >"$dir/rplay.json" 2>"$dir/rplay.err" &
b=$!
exec 5>"$dir/to_play"
check "its player, too" soon says '"connected"' rplay.json
echo /restart >&4
check "the publisher restarts ICE" soon says 'ICE is restarted' rpub.json
echo /restart >&5
check "the player restarts ICE" soon says 'ICE is restarted' rplay.json
check "the server counts two" soon counts ice_restarts 2
before=$(status | sed 's/.*"packets_out":\([0-9]*\).*/\1/')
more() { [ "$(status | sed 's/.*"packets_out":\([0-9]*\).*/\1/')" -gt $((before + 100)) ]; }
check "media goes on" soon more
echo /quit >&5
check "the player ends" over "$b"
b=
check "pictures came before and after" above rplay.json video frames 10
# A player whose publisher leaves sees the next one.
run stays play "$url/whep/r"
b=$!
check "another player" soon says '"connected"' stays.json
echo /quit >&4
check "the publisher ends well" ended "$a" 0
exec 4>&- 5>&-
run pub2 publish --audio none "$url/whip/r"
a=$!
check "another publisher under the name" soon says '"connected"' pub2.json
before=$(status | sed 's/.*"packets_out":\([0-9]*\).*/\1/')
check "and what it sends goes to the player" soon more
kill -INT "$b" "$a"
wait "$b" "$a"
a= b=
stop

# ---- tokens, from a file and from the environment; one port for all media ----
printf 'publish s let-me-in\nplay s watch\n' >"$dir/tokens"
echo let-me-in >"$dir/token"
serve --whip-token-file "$dir/tokens" --whip-port $((28300 + $$ % 500))
run no publish "$url/whip/s"
check "no token: refused" ended $! 1
check "and told why" says '401' no.json
PEERLINE_TOKEN=watch run wrong publish "$url/whip/s"
check "a player's token does not publish" ended $! 1
check "and it is told so" says '403' wrong.json
run yes publish --token-file "$dir/token" "$url/whip/s"
a=$!
check "the right token, by a file" soon says '"connected"' yes.json
PEERLINE_TOKEN=watch run see play --seconds 2 "$url/whep/s"
check "the right token, by the environment" over $!
check "and there is a picture" above see.json video frames 10
check "the token is in no argument list and no log" sh -c "! grep -l let-me-in '$dir'/*.log '$dir'/*.json"
kill -TERM "$a"
check "SIGTERM ends it well" ended "$a" 0
a=
stop

# ---- what cannot be ----
check "no address" sh -c '"$PEERLINE" publish ftp://h/ </dev/null 2>/dev/null; [ $? = 2 ]'
check "a token file that is not there" sh -c '"$PEERLINE" play --token-file /nowhere http://h/ </dev/null 2>/dev/null; [ $? = 2 ]'
check "nothing to publish" sh -c '"$PEERLINE" publish --audio none --video none http://h/ </dev/null 2>/dev/null; [ $? = 2 ]'
run nobody play "http://127.0.0.1:1/whep/a"
check "nobody there" ended $! 1
check "a tokens' file that makes no sense" sh -c "echo nonsense >'$dir/x'; '$PEERLINE' serve --whip-token-file '$dir/x' 2>/dev/null; [ \$? = 2 ]"
exit $bad
