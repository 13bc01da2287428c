#!/bin/sh
# send.test.sh - `peerline send` and `peerline receive` as people use them: by code, by name, by pasted codes; files, folders,
# pipes; refused, declined, killed in the middle and taken up again. On loopback, given the program in PEERLINE.
set -u
server= s= r= hung= # processes of ours
port=$((26100 + $$ % 400))
ours() { echo "$s $r $hung $server"; }
. "$(dirname "$0")/checks.sh"
serve() {
    "$PEERLINE" serve --listen 127.0.0.1:$port --stun 127.0.0.1:0 >"$dir/serve.log" 2>&1 &
    server=$!
    soon grep -q . "$dir/serve.log" || fail "the server starts"
}
url=http://127.0.0.1:$port
send() { # OPTIONS... PATH...: in the background, $s; its code in $code
    rm -f "$dir/send.json" # else the last one's code might be read
    "$PEERLINE" send --server $url --json "$@" >"$dir/send.json" 2>"$dir/send.err" &
    s=$!
    soon grep -q '"event":"code"' "$dir/send.json" || fail "send prints a code"
    code=$(sed -n 's/.*"event":"code","code":"\([^"]*\)".*/\1/p' "$dir/send.json")
}
receive() { # OPTIONS... CODE: in the background, $r
    rm -f "$dir/receive.json"
    "$PEERLINE" receive --server $url --json "$@" >"$dir/receive.json" 2>"$dir/receive.err" </dev/null &
    r=$!
}
# At least so many bytes of the partial file are there.
has_come() { [ "$(stat -c %s "$1" 2>/dev/null || echo 0)" -ge "$2" ]; }

mkdir -p "$dir/src/sub/deep" "$dir/in"
head -c 3000000 /dev/urandom >"$dir/src/big"
echo hello >"$dir/src/sub/deep/small file"
: >"$dir/src/empty"
chmod 640 "$dir/src/empty"
touch -d '2001-02-03 04:05:06.789 UTC' "$dir/src/empty" "$dir/src/sub"
ln -s big "$dir/src/link"
serve

# ---- a folder, by a code ----
send "$dir/src"
receive --dir "$dir/in" --yes "$code"
check "the receiver ends well" ended $r 0
check "the sender ends well" ended $s 0
check "every file is the same" diff -r -x link "$dir/src" "$dir/in/src"
check "the symbolic link is not there" test ! -e "$dir/in/src/link"
check "mode and time came along" test "$(stat -c '%a %Y' "$dir/in/src/empty")" = "$(stat -c '%a %Y' "$dir/src/empty")"
check "a folder's time, too" test "$(stat -c %Y "$dir/in/src/sub")" = "$(stat -c %Y "$dir/src/sub")"
check "no partial file is left" test -z "$(find "$dir/in" -name '*.part')"
sum=$(sha256sum <"$dir/src/big" | cut -d' ' -f1)
check "the sender prints sha256sum's hash" grep -q "\"sha256\":\"$sum\"" "$dir/send.json"
check "the receiver prints it, too" grep -q "\"sha256\":\"$sum\"" "$dir/receive.json"
digits=$(sed -n 's/.*"digits":"\([0-9 ]*\)".*/\1/p' "$dir/send.json")
check "both show the same 20 digits" grep -qE "\"digits\":\"$digits\"" "$dir/receive.json"
check "which are 20" test "$(printf %s "$digits" | tr -d ' ' | wc -c)" = 20
check "JSON Lines, each a whole object" python3 - "$dir/send.json" "$dir/receive.json" <<'PY'
import json, sys
for name in sys.argv[1:]:
    lines = [json.loads(line) for line in open(name)]
    events = [l["event"] for l in lines]
    for want in ("offer", "connected", "accepted", "file", "stored", "end"):
        assert want in events, want
    assert lines[-1] == lines[-1] | {"event": "end", "good": True, "whole": 3, "bad": 0}, lines[-1]
PY

# ---- once more: nothing is sent; then a file of that name that is another ----
send --room "$code" "$dir/src"
receive --dir "$dir/in" --yes "$code"
check "once more ends well" ended $r 0
check "on both sides" ended $s 0
check "and sends only what has no bytes" grep -q '"event":"end".*"carried":0,' "$dir/send.json"
check "big is there once" test "$(find "$dir/in" -name 'big*' | wc -l)" = 1
echo other >"$dir/big.txt"
echo mine >"$dir/in/big.txt"
send "$dir/big.txt"
receive --dir "$dir/in" --yes "$code"
check "a file of a name that is taken" ended $r 0
reap $s
check "leaves the one that is there" grep -q mine "$dir/in/big.txt"
check "and becomes (1)" grep -q other "$dir/in/big (1).txt"
send "$dir/big.txt"
receive --dir "$dir/in" --yes --overwrite "$code"
check "with --overwrite" ended $r 0
reap $s
check "it is replaced" grep -q other "$dir/in/big.txt"

# ---- standard input to standard output ----
head -c 20000000 /dev/urandom >"$dir/stream"
"$PEERLINE" send --server $url --quiet - <"$dir/stream" 2>"$dir/send.err" &
s=$!
soon grep -q 'peerline receive' "$dir/send.err"
code=$(grep -o '[0-9]*-[a-z-]*$' "$dir/send.err")
check "a stream through a slow pipe" sh -c "\"$PEERLINE\" receive --server $url --quiet --dir - $code 2>$dir/receive.err | (sleep 0.3; cat) >$dir/stream.out"
check "the stream's sender ends well" ended $s 0
check "the stream is the same" cmp "$dir/stream" "$dir/stream.out"
check "quiet is quiet" test ! -s "$dir/receive.err"
send "$dir/src/big"
check "a file to a full disk of a pipe: the reader goes away" sh -c "\"$PEERLINE\" receive --server $url --dir - $code 2>$dir/receive.err | head -c 1000 >/dev/null"
check "and the sender hears of it" ended $s 1

# ---- declined, wrong, nobody ----
send "$dir/src/big"
receive "$code"
check "without --yes and without a terminal nothing is taken" ended $r 1
check "which the sender hears" ended $s 1
check "as declined" grep -q '"event":"end".*declined' "$dir/send.json"
receive --patience 1 99-nobody-is-here
check "a code that nobody said" ended $r 1
check "is waited for in vain" grep -q 'has not come' "$dir/receive.json"
for wrong in "receive nonsense" "receive --json --dir - 7-a-b" "send" "send --to a --code $dir/src" "send --room x $dir/src" \
    "receive peerline-files:damaged"; do
    # shellcheck disable=SC2086 # words
    "$PEERLINE" $wrong >/dev/null 2>"$dir/wrong.err" </dev/null
    check "'${wrong%% /*}' is refused" test $? = 2 -a -s "$dir/wrong.err"
done
"$PEERLINE" send --server $url "$dir/none" 2>"$dir/wrong.err"
check "a file that is not there" test $? = 1

# ---- by name in the common room, over the classic protocol; `call` takes no files ----
receive --name Ann --dir "$dir/in" --yes
"$PEERLINE" send --server $url --json --to Ann --name Bob "$dir/src/sub" >"$dir/send.json" 2>"$dir/send.err"
check "to a name" test $? = 0
check "the one of that name ends well" ended $r 0
check "who is told the sender's" grep -q '"event":"offer","peer":"Bob"' "$dir/receive.json"
check "it is there" cmp "$dir/src/sub/deep/small file" "$dir/in/sub/deep/small file"
"$PEERLINE" call --server $url --name Phone --audio none --video none --json >"$dir/call.json" 2>"$dir/call.err" </dev/null &
r=$!
"$PEERLINE" send --server $url --json --to Phone "$dir/src/big" >"$dir/send.json" 2>"$dir/send.err"
check "who only takes calls declines" test $? = 1
kill $r
wait $r
r=

# ---- two codes, pasted ----
mkfifo "$dir/paste"
"$PEERLINE" send --code "$dir/src/big" <"$dir/paste" 2>"$dir/send.err" &
s=$!
exec 3>"$dir/paste"
check "a long code is shown" soon grep -q "peerline-files:.*'" "$dir/send.err"
long=$(sed -n "s/^peerline receive '\(.*\)'.*/\1/p" "$dir/send.err")
mkdir "$dir/pasted"
"$PEERLINE" receive --dir "$dir/pasted" --yes "$long" 2>"$dir/receive.err" </dev/null &
r=$!
check "the answer, too" soon grep -q '^peerline-files:' "$dir/receive.err"
sed -n 's/^\(peerline-files:....\)\(.\)/\1_\2/p' "$dir/receive.err" | tr 'A' 'B' >&3
check "a damaged one is asked for again" soon grep -q 'again' "$dir/send.err"
grep '^peerline-files:' "$dir/receive.err" | fold -w 60 | sed 's/^/> /' >&3
check "pasted: the receiver ends well" ended $r 0
check "pasted: the sender ends well" ended $s 0
exec 3>&-
check "pasted: the file is the same" cmp "$dir/src/big" "$dir/pasted/big"

# ---- killed in the middle ----
truncate -s 300M "$dir/long" # sparse: its time is the network's
printf x | dd of="$dir/long" bs=1 seek=200000000 conv=notrunc 2>/dev/null
mkdir "$dir/cut"
send "$dir/long"
receive --dir "$dir/cut" --yes "$code"
check "some of it comes" soon has_come "$dir/cut/long.part" 1000000
kill -9 $r
wait $r
check "the receiver was killed in the middle" test -e "$dir/cut/long.part"
receive --dir "$dir/cut" --yes "$code"
check "a new one gets the rest" ended $r 0
check "from the same sender" ended $s 0
check "resumed" grep -q '"event":"file".*"resumed":true' "$dir/receive.json"
check "the file is the same" cmp "$dir/long" "$dir/cut/long"

rm -r "$dir/cut"
mkdir "$dir/cut"
send "$dir/long"
receive --dir "$dir/cut" --yes "$code"
soon has_come "$dir/cut/long.part" 1000000
kill -STOP $r
hung=$r
receive --dir "$dir/in" --yes "$code"
check "who comes while the receiver hangs gets it" ended $r 0
check "from the sender, who waits no longer" ended $s 0
check "all of it" cmp "$dir/long" "$dir/in/long"
kill -9 $hung
wait $hung
rm "$dir/in/long"

rm -r "$dir/cut"
mkdir "$dir/cut"
send "$dir/long"
receive --dir "$dir/cut" --yes "$code"
soon has_come "$dir/cut/long.part" 1000000
kill -9 $s
reap $s
check "the sender was killed in the middle" test -e "$dir/cut/long.part"
old=$code
send --room "$code" "$dir/long"
check "--room says the same code" test "$code" = "$old"
check "the receiver that waited gets the rest" ended $r 0
check "from the new sender" ended $s 0
check "resumed at the new sender" grep -q '"event":"file".*"resumed":true' "$dir/send.json"
check "the file is the same again" cmp "$dir/long" "$dir/cut/long"

rm -r "$dir/cut"
mkdir "$dir/cut"
send "$dir/long"
receive --dir "$dir/cut" --yes "$code"
soon has_come "$dir/cut/long.part" 1000000
kill -INT $r
check "an interrupt ends the receiver" ended $r 1
check "and the sender" ended $s 1
check "what came stays" test -s "$dir/cut/long.part"
printf y | dd of="$dir/cut/long.part" bs=1 seek=777 conv=notrunc 2>/dev/null
send "$dir/long"
receive --dir "$dir/cut" --yes "$code"
check "after damage to it" ended $r 0
reap $s
check "it begins anew" grep -q '"event":"file".*"offset":0,"resumed":false' "$dir/receive.json"
check "and is whole" cmp "$dir/long" "$dir/cut/long"

# ---- pasted codes, killed in the middle: new codes, and the rest ----
paste_over() { # in the background, $s and $r, each told the other's code
    rm -f "$dir/paste" "$dir/send.json" "$dir/receive.json"
    mkfifo "$dir/paste"
    "$PEERLINE" send --json --code "$dir/long" <"$dir/paste" >"$dir/send.json" 2>"$dir/send.err" &
    s=$!
    exec 3>"$dir/paste"
    for who in send receive; do
        [ $who = send ] || receive --dir "$dir/cut" --yes "$code"
        soon grep -q '"event":"code"' "$dir/$who.json" || fail "$who shows a code to paste"
        code=$(sed -n 's/.*"event":"code","code":"\([^"]*\)".*/\1/p' "$dir/$who.json")
    done
    printf '%s\n' "$code" >&3
}
rm -r "$dir/cut"
mkdir "$dir/cut"
paste_over
soon has_come "$dir/cut/long.part" 1000000
kill -9 $r
wait $r
check "with pasted codes a broken connection ends the sender" ended $s 1
check "which asks for new codes" grep -q '"event":"end".*new codes' "$dir/send.json"
exec 3>&-
paste_over
check "with new codes the receiver gets the rest" ended $r 0
check "from the new sender, by new codes" ended $s 0
check "resumed by new codes" grep -q '"event":"file".*"resumed":true' "$dir/receive.json"
check "the file is the same by new codes" cmp "$dir/long" "$dir/cut/long"
exec 3>&-

# ---- the server goes and comes back in the middle ----
rm -r "$dir/cut"
mkdir "$dir/cut"
send "$dir/long"
receive --dir "$dir/cut" --yes "$code"
soon has_come "$dir/cut/long.part" 1000000
kill -9 $server
wait $server
check "without the server the transfer goes on" ended $r 0
check "to its end on both sides" ended $s 0
check "all of it" cmp "$dir/long" "$dir/cut/long"
serve

# ---- much, with little memory ----
truncate -s 1G "$dir/huge"
mkdir "$dir/much"
send "$dir/huge"
receive --dir "$dir/much" --yes "$code"
peak() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' /proc/$1/status 2>/dev/null; }
while [ -n "$(peak $s)" ] && kill -0 $r 2>/dev/null; do
    a=$(peak $s)
    b=$(peak $r)
    sleep 0.1
done
check "1 GiB arrives" ended $r 0
reap $s
check "the same" cmp "$dir/huge" "$dir/much/huge"
case "$PEERLINE" in *san*) ;; *)
    check "the sender's memory stays below 64 MiB (${a:-0} kB)" test "${a:-0}" -lt 65536
    check "the receiver's, too (${b:-0} kB)" test "${b:-0}" -lt 65536
    ;;
esac
exit $bad
