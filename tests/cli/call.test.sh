#!/bin/sh
# call.test.sh - `peerline call` by its addresses: a name in a room, a room of its own, an account, endpoints of WHIP and WHEP, copy
# and paste; who is busy, who is not there, and that each way says the same. On loopback, given the program in PEERLINE.
set -u
server= a= b= prosody= # processes of ours
ours() { echo "$a $b $server $prosody"; }
. "$(dirname "$0")/checks.sh"
# The report: a member of it is more than a bound.
above() { # FILE GROUP NAME BOUND
    python3 -c 'import json,sys
f,g,n,b=sys.argv[1:]
r=[o for o in map(json.loads,open(f)) if o["type"]=="report"][-1]
sys.exit(not r[g][n]>float(b))' "$dir/$1" "$2" "$3" "$4"
}
both_heard() { # NAME
    for who in ann bob; do
        check "$1: $who heard the other" above $who.json audio level_dbov -40
        check "$1: $who tells how it went" says '"connected"' $who.json
    done
}
call() { # FILE ARGUMENTS...: in the background, its lines in FILE.json; it reads FILE.in
    out=$1
    shift
    rm -f "$dir/$out.in" "$dir/$out.json" # the child makes it anew only when it runs: the last one's might be read
    mkfifo "$dir/$out.in"
    "$PEERLINE" call --json --video none --audio tone:500 "$@" <>"$dir/$out.in" >"$dir/$out.json" 2>"$dir/$out.err" &
}

"$PEERLINE" serve --listen 127.0.0.1:0 --stun none --json >"$dir/serve.log" 2>"$dir/serve.err" &
server=$!
check "the server starts" soon says ready serve.log
url=$(sed -n 's/.*"http":\["\([^"]*\)".*/\1/p' "$dir/serve.log")

# ---- a name in the room: as a word, and in the address ----
call bob --server "$url" --name bob --once
b=$!
check "bob is there" soon says 'signed in as bob; 0 others here' bob.json
call ann --name ann --duration 0.6 "$url/#bob"
a=$!
check "ann's call ends" over $a
check "bob's call ends" over $b
both_heard "by an address"
check "the names are told" says '"name":"ann","peer":"bob"' ann.json

call ann --name ann --duration 0.6 --server "$url" bob # waits for one who is not there yet
a=$!
check "who is not there is waited for" soon says 'bob is not here yet: waiting' ann.json
call bob --name bob --once "ws${url#http}"
b=$!
check "ann's second call ends" over $a
check "bob's second call ends" over $b
both_heard "by a word, and WebSocket"

# ---- a room of its own ----
call bob --name bob --once "$url/quiet"
b=$!
check "bob is in another room" soon says 'signed in as bob' bob.json
call ann --name ann --patience 1 "$url/#bob"
a=$!
check "where nobody calls him" ended $a 1
check "which is said" says 'the peer has not come' ann.json
call ann --name ann --duration 0.6 "$url/quiet#bob"
a=$!
check "the call in the room ends" over $a
check "at both sides" over $b
both_heard "in a room of its own"

# ---- one call at a time, and chat ----
call bob --name bob "$url"
b=$!
check "bob waits" soon says 'signed in as bob' bob.json
call ann --name ann "$url/#bob"
a=$!
check "ann can chat" soon says 'chat is open' ann.json
"$PEERLINE" call --json --name cid "$url/#bob" </dev/null >"$dir/cid.json" 2>"$dir/cid.err"
check "a third one fails" test $? = 1
check "and hears that bob is busy" says 'they are busy' cid.json
echo 'hello bob' >"$dir/ann.in"
check "a line is chat" soon says '"type":"chat","from":"ann","text":"hello bob"' bob.json
echo '/bye' >"$dir/bob.in"
check "who is left ends, too" over $a
check "bob waits for the next" soon says 'waiting for the next call' bob.json
echo '/quit' >"$dir/bob.in"
check "and quits when told" over $b

# ---- copy and paste ----
text_of() { sed -n 's/.*"type":"text","text":"\(.*\)"}$/\1/p' "$dir/$1" | head -n 1; }
has_text() { [ -n "$(text_of "$1")" ]; }
call ann --duration 0.6 paste:
a=$!
call bob --once paste:
b=$!
check "a text to carry" soon has_text ann.json
printf 'something else\n' >"$dir/bob.in"
printf '%b\n' "$(text_of ann.json)" >"$dir/bob.in"
answer() { sed -n 's/.*"type":"text","text":"\(.*\)"}$/\1/p' "$dir/bob.json" | sed -n 2p; }
answers() { [ -n "$(answer)" ]; }
check "its answer" soon answers
printf '%b\n' "$(answer)" >"$dir/ann.in"
check "ann's pasted call ends" over $a
check "bob's pasted call ends" over $b
both_heard "by paste"

# ---- an account, at a server that nobody here wrote ----
mkfifo "$dir/xmpp.in"
/usr/bin/python3 "$(dirname "$0")/../interop/xmpp_server.py" prosody <>"$dir/xmpp.in" >"$dir/xmpp.out" 2>"$dir/xmpp.err" &
prosody=$!
check "prosody starts" soon test -s "$dir/xmpp.out"
at() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$dir/xmpp.out" "$1"; }
echo secret >"$dir/password"
account() { # FILE ARGUMENTS...
    out=$1
    shift
    call "$out" --password-file "$dir/password" --xmpp-server "127.0.0.1:$(at c2s)" --ca-file "$(at ca)" "$@"
}
account bob xmpp: --as romeo@example.org --anybody --once
b=$!
check "romeo is there" soon says 'signed in as romeo@example.org' bob.json
account ann --duration 0.6 xmpp:romeo@example.org --as juliet@example.org
a=$!
check "juliet's call ends" over $a
check "romeo's call ends" over $b
both_heard "over XMPP"
kill $prosody
wait $prosody
prosody=

# ---- an endpoint ----
call ann "whip:$url/whip/stage"
a=$!
check "ann publishes" soon says '"connected"' ann.json
call bob --duration 0.6 "whep:$url/whep/stage"
b=$!
check "bob plays" over $b
check "bob heard what was published" above bob.json audio level_dbov -40
echo /quit >"$dir/ann.in"
check "ann ends" over $a

# ---- what cannot be ----
"$PEERLINE" call --json nonsense:there --patience 1 --server "$url" </dev/null >/dev/null 2>&1
check "a word that is no address is a name" test $? = 1
for wrong in 'http://' 'http://:80' "$url/a/b#bob" 'paste:what' 'xmpp:romeo@example.org'; do
    "$PEERLINE" call "$wrong" </dev/null >/dev/null 2>"$dir/wrong.err"
    check "$wrong is refused" test $? = 2 -a -s "$dir/wrong.err"
done

kill "$server"
check "the server ends well" ended $server 0
server=
exit $bad
