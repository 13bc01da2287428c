#!/bin/sh
# ice.test.sh - two `peerline ice` and what people do with them: paste, damage, type, end. Through FIFOs and files, on
# loopback. The checks say what went wrong on standard output.
set -u
a= b= # processes of ours
ours() { echo "$a $b"; }
. "$(dirname "$0")/checks.sh"

# ---- people: lines pasted by hand, with what a chat does to them ----
mkfifo "$dir/a.in" "$dir/b.in"
"$PEERLINE" ice --loopback <"$dir/a.in" >"$dir/a.out" 2>"$dir/a.err" &
a=$!
exec 3>"$dir/a.in"
"$PEERLINE" ice --loopback <"$dir/b.in" >"$dir/b.out" 2>"$dir/b.err" 3>&- &
b=$!
exec 4>"$dir/b.in"
check "a prints a line" soon grep -q '^peerline1:' "$dir/a.out"
check "b prints a line" soon grep -q '^peerline1:' "$dir/b.out"
check "a asks for the other's" soon grep -q 'paste' "$dir/a.err"
grep '^peerline1:' "$dir/a.out" | fold -w 40 | sed 's/^/> /' >&4
sed -n 's/^peerline1:.....\(.*\)/peerline1:AAAAA\1/p' "$dir/b.out" >&3
check "a refuses a damaged line" soon grep -q 'again' "$dir/a.err"
sed -n 's/^\(peerline1:.*\)/"\1"/p' "$dir/b.out" >&3
check "a is connected" soon grep -q '^Connected' "$dir/a.err"
check "b is connected" soon grep -q '^Connected' "$dir/b.err"
check "a shows the path" soon grep -q '^Path: direct' "$dir/a.err"
echo 'hello from a' >&3
echo 'hello from b' >&4
check "b hears a" soon grep -q '^hello from a$' "$dir/b.out"
check "a hears b" soon grep -q '^hello from b$' "$dir/a.out"
exec 3>&- # the end of a's input
check "a ends well" ended "$a" 0
a=
check "b hears that a has ended, and ends well" ended "$b" 0
b=
exec 4>&-
check "b says so" grep -q 'other side has ended' "$dir/b.err"

# ---- scripts: files, JSON ----
"$PEERLINE" ice --loopback --json --offer-file "$dir/o" --answer-file "$dir/w" --answer --echo --duration 60 \
    </dev/null >"$dir/b.out" 2>"$dir/b.err" &
b=$!
(
    echo one
    soon grep -q '"text":"one"' "$dir/a.out"
    echo two
    soon grep -q '"text":"two"' "$dir/a.out"
) | "$PEERLINE" ice --loopback --json --sdp --offer-file "$dir/o" --answer-file "$dir/w" >"$dir/a.out" 2>"$dir/a.err"
check "a ends well with JSON" test $? = 0
check "b ends well with JSON" ended "$b" 0
b=
check "the offer was SDP" grep -q '^a=ice-pwd:' "$dir/o"
check "the answer was one line" test "$(grep -c '^peerline1:' "$dir/w")" = 1
check "both words came back" test "$(grep -c '"event":"data"' "$dir/a.out")" = 2
check "JSON Lines, each a whole object with its times" python3 - "$dir/a.out" "$dir/b.out" <<'PY'
import json, sys
for name in sys.argv[1:]:
    with open(name) as f:
        lines = [json.loads(line) for line in f]
    assert all(l["ms"] >= 0 and l["time_us"] > 0 for l in lines)
    names = [l["event"] for l in lines]
    for want in ("gathering", "candidate", "local", "remote", "known", "state", "selected", "data", "pair"):
        assert want in names, want
    assert lines[-1]["event"] == "end" and lines[-1]["good"] is True
    assert lines[-1]["sent"] == 2 and lines[-1]["received"] == 2
    pair = lines[names.index("pair")]
    assert pair["path"] == "direct" and pair["rtt_ms"] > 0 and pair["local"]["type"] == "host", pair
PY

# ---- an interrupt, nobody there, wrong words ----
"$PEERLINE" ice --loopback --offer-file "$dir/o2" --answer-file "$dir/w2" </dev/null >"$dir/a.out" 2>"$dir/a.err" &
a=$!
check "an offer is written" soon test -e "$dir/o2"
kill -INT "$a"
check "an interrupt before the connection is a failure" ended "$a" 1
a=
"$PEERLINE" ice --loopback --timeout 0.3 "$(cat "$dir/w")" </dev/null >"$dir/a.out" 2>"$dir/a.err"
check "nobody there: 1" test $? = 1
"$PEERLINE" ice --loopback 'peerline1:damaged' </dev/null >"$dir/a.out" 2>"$dir/a.err"
check "a damaged LINE: 2" test $? = 2
"$PEERLINE" ice --ice-server http://192.0.2.1 </dev/null >"$dir/a.out" 2>"$dir/a.err"
check "a wrong server: 2" test $? = 2
"$PEERLINE" ice --answer </dev/null >"$dir/a.out" 2>"$dir/a.err"
check "--answer without files: 2" test $? = 2
exit $bad
