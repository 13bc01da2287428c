#!/bin/sh
# help.test.sh - what the program says of itself: --help of every command is tidy, and the man page, made from
# the same tables, has every command and every option of it. Given the program in PEERLINE.
set -eu
fail() { echo "help: $*"; exit 1; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

"$PEERLINE" --help >"$out/help"
"$PEERLINE" --man >"$out/man"
commands=$(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' "$out/help")
[ "$(echo "$commands" | wc -w)" -ge 4 ] || fail "commands are missing: $commands"

n=0
for command in $commands; do
    "$PEERLINE" "$command" --help >"$out/$command" || fail "$command --help: exit code $?"
    grep -q "^Usage: peerline $command" "$out/$command" || fail "$command: no usage"
    grep -n ' $' "$out/$command" && fail "$command: blanks at the end of a line"
    grep -nE '^.{110}' "$out/$command" && fail "$command: a line is too long"
    grep -q "^\.Ss $command: ." "$out/man" || fail "the man page lacks $command"
    for option in $(sed -n 's/^  --\([a-z-]*\).*/\1/p' "$out/$command"); do
        [ "$option" = help ] && continue
        sed -n "/^\.Ss $command:/,/^\.El/p" "$out/man" | grep -qE "^\.It Fl -$option( |\$)" ||
            fail "the man page lacks --$option of $command"
        n=$((n + 1))
    done
done
# A verb's help has its own options, which are below it in the man page; others have nothing of it.
for verb in $(sed -n '/^Usage/,/^Options/s/^  \([a-z-]*\) ACCOUNT.*/\1/p' "$out/xmpp"); do
    "$PEERLINE" xmpp "$verb" --help >"$out/verb" || fail "xmpp $verb --help: exit code $?"
    grep -q "^Usage: peerline xmpp $verb " "$out/verb" || fail "xmpp $verb: no usage"
    grep -nE ' $|^.{110}' "$out/verb" && fail "xmpp $verb: a line is too long, or ends in a blank"
    for option in $(sed -n '/^Options of '"$verb"':/,/^$/s/^  --\([a-z-]*\).*/\1/p' "$out/verb"); do
        sed -n "/^\.Ss xmpp $verb:/,/^\.El/p" "$out/man" | grep -qE "^\.It Fl -$option( |\$)" ||
            fail "the man page lacks --$option of xmpp $verb"
        n=$((n + 1))
        verbs=yes
    done
done
[ "${verbs:-}" ] || fail "no verb of xmpp has options"
grep -nE '^$|[[:blank:]]$' "$out/man" && fail "the man page has empty lines or blanks at line ends"

# What nobody can mean is refused, with a sentence and exit code 2.
for wrong in nonsense "xmpp dance a@b" "xmpp send a@b" "xmpp send --audio none a@b c d" "serve --nonsense" "call a b" "peer" "demo --seconds never" "peer --offer --video-codec VP10"; do
    code=0
    # shellcheck disable=SC2086 # words
    "$PEERLINE" $wrong >/dev/null 2>"$out/why" </dev/null || code=$?
    [ "$code" = 2 ] || fail "'$wrong' gave exit code $code"
    [ -s "$out/why" ] || fail "'$wrong' was refused without a word"
done
echo "help: $n options in the help and in the man page"
