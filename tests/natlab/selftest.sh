#!/bin/sh
# selftest.sh [nat|link|lab|speed]... - is the laboratory itself to be trusted? Every NAT type and every link option is
# measured with natprobe, which knows nothing of natbox, and with coturn. TAP on stdout; exit status 0 if all passed.
# $NATBOX and $NATPROBE are the built programs.
set -u
H=$(cd "$(dirname "$0")" && pwd)
W=$(mktemp -d "${TMPDIR:-/tmp}/natlab-selftest-XXXXXX") || exit 2
export TMPDIR="$W"
trap 'rm -rf "$W"' EXIT
trap 'exit 130' INT TERM

NL=$H/natlab P=$NATPROBE
N=0 BAD=0
PARTS=${*:-nat link lab speed}

check() { # NAME AWK-EXPRESSION [DETAIL]
	N=$((N + 1))
	if awk "BEGIN { exit !($2) }" 2>/dev/null; then
		echo "ok $N - $1${3:+ ($3)}"
	else
		echo "not ok $N - $1${3:+ ($3)}"
		BAD=$((BAD + 1))
	fi
}
same() { # NAME GOT WANTED
	N=$((N + 1))
	if [ "$2" = "$3" ]; then echo "ok $N - $1: $2"; else
		echo "not ok $N - $1: got '$2', wanted '$3'"
		BAD=$((BAD + 1))
	fi
}
lab() { "$NL" run -q --out "$W/o" --timeout 60 "$@" || [ $? -lt 124 ] || echo "# natlab failed: $*"; }
out() { cat "$W/o/$1.out" 2>/dev/null; }
val() { out "$1" | tr ' ' '\n' | sed -n "s/^$2=//p" | tail -1; }   # HOST KEY
flow() { # SIZE BPS SECONDS natlab-options...: a flow from a to b, results in b.out
	_s=$1 _b=$2 _t=$3
	shift 3
	lab --until b --b "exec $P rx 5000" --a "sleep 0.15; exec $P tx \$NATLAB_B 5000 $_s $_b $_t" "$@"
}
SERVER="exec $P server \$NATLAB_S \$NATLAB_S_2 3478 443"

# ---------------------------------------------------------------------- NATs
nats() { # NAT|EXPECTED ... (up to 8, one host each)
	args= i=0
	for spec; do
		i=$((i + 1))
		h=$(echo abcdefgh | cut -c $i)
		args="$args --nat-$h ${spec%%|*}"
		eval "probe_$h=1"
	done
	c="$P nat \$NATLAB_S \$NATLAB_S_2 3478 443; $P tcp \$NATLAB_S 3478; $P tcp \$NATLAB_S 443 | sed s/tcp=/tcp443=/"
	set -- "$@" END
	hosts=
	for h in a b c d e f g h; do
		[ $i -gt 0 ] && hosts="$hosts $h"
		i=$((i - 1))
	done
	cmds=
	for h in $hosts; do cmds="$cmds --$h \"\$c; true\""; done
	eval "lab --server \"\$SERVER\" --server-ready port=443 $args $cmds"
	for h in $hosts; do
		got=
		want=${1#*|}
		for k in $(echo "$want" | tr ' ' '\n' | sed 's/=.*//'); do got="$got $k=$(val $h "$k")"; done
		same "nat ${1%%|*}" "${got# }" "$want"
		shift
	done
}

case " $PARTS " in *" nat "*)
	nats "ei/ei,alloc=preserve|map=ei filter=ei alloc=preserve hairpin=off tcp=ok" \
	     "ei/ad,alloc=seq|map=ei filter=ad alloc=seq hairpin=off tcp=ok" \
	     "ei/apd,alloc=random|map=ei filter=apd alloc=random hairpin=off tcp=ok" \
	     "ad/ei,alloc=seq|map=ad filter=ei alloc=seq tcp=ok" \
	     "ad/ad,alloc=random|map=ad filter=ad alloc=random tcp=ok" \
	     "ad/apd,alloc=preserve|map=ad filter=apd alloc=preserve tcp=ok" \
	     "apd/ei,alloc=random|map=apd filter=ei alloc=random tcp=ok" \
	     "apd/ad,alloc=preserve|map=apd filter=ad alloc=preserve tcp=ok"
	nats "apd/apd,alloc=seq|map=apd filter=apd alloc=seq tcp=ok" \
	     "full-cone,hairpin=on|map=ei filter=ei hairpin=on tcp=ok" \
	     "restricted,hairpin=on|map=ei filter=ad hairpin=on" \
	     "port-restricted,hairpin=on|map=ei filter=apd hairpin=on" \
	     "symmetric|map=apd filter=apd alloc=random hairpin=off tcp=ok" \
	     "firewall|map=none filter=apd tcp=ok" \
	     "udp-blocked|udp=blocked tcp=ok tcp443=ok" \
	     "https-only|udp=blocked tcp=blocked tcp443=ok"
	nats "open|map=none filter=ei tcp=ok" \
	     "none/ei|map=none filter=ei" \
	     "full-cone+symmetric|map=apd filter=apd tcp=ok" \
	     "symmetric+full-cone|map=apd filter=apd" \
	     "port-restricted+full-cone|map=ei filter=apd" \
	     "restricted+port-restricted+full-cone|map=ei filter=apd tcp=ok" \
	     "symmetric,ext=203.0.113.200,pool=arbitrary|map=apd filter=apd"

	lab --nat-a full-cone,timeout=1s --server "$SERVER" --server-ready port=443 --a "$P life \$NATLAB_S 3478 500 900 1200 1800"
	same "mapping timeout 1 s" "$(out a | sed 's/ *$//')" "500=alive 900=alive 1200=gone 1800=gone"

	lab --nat-a full-cone,ports=4000-4001,alloc=seq,base=4000 --server "$SERVER" --server-ready port=443 --a "$P tcp \$NATLAB_S 443; $P tcp \$NATLAB_S 443; timeout 2 $P tcp \$NATLAB_S 443; true"
	same "port range, and its end" "$(out a | tr '\n' ' ')" "tcp=ok seen=203.0.113.1:4000 tcp=ok seen=203.0.113.1:4001 "
	x="$P rx 5000" y="sleep 0.15; exec $P tx \$NATLAB_B 5000 500 1e6 0.2"
	lab --nat-a port-restricted@home --nat-b @home --a "$y" --b "$x"
	same "same NAT, LAN to LAN" "$(val b lost)" 0
	lab --nat-a port-restricted,isolate=on@home --nat-b @home --a "$y" --b "$x" --until a
	same "same NAT, isolated: nothing received" "$(val b lost)" ""
	c="exec $P nat \$NATLAB_S \$NATLAB_S_2 3478 443"
	lab --nat-a full-cone+full-cone,hairpin=on@cgn --nat-b full-cone+@cgn --server "$SERVER" --server-ready port=443 --a "$c" --b "$c"
	same "CGN hairpin, two homes" "$(val a hairpin) $(val b hairpin)" "on on"
	lab --nat-a full-cone+full-cone@cgn --server "$SERVER" --server-ready port=443 --a "$c"
	same "CGN without hairpin" "$(val a hairpin)" off
	lab --nat-a port-restricted --at 300ms 'nat nat-a flush' --server "$SERVER" --server-ready port=443 --a "$P life \$NATLAB_S 3478 100 600"
	same "NAT restarts (at ... flush)" "$(out a | sed 's/ *$//')" "100=alive 600=gone"
	lab --nat-a port-restricted --at 400ms 'nat nat-a ext=203.0.113.77' --server "$SERVER" --server-ready port=443 --a "$P tcp \$NATLAB_S 443 5555; sleep 0.6; $P tcp \$NATLAB_S 3478 5555"
	same "NAT gets a new address" "$(out a | tr '\n' ' ')" "tcp=ok seen=203.0.113.1:5555 tcp=ok seen=203.0.113.77:5555 "
	lab --nat-a symmetric+symmetric --a "$P refused \$NATLAB_S 9; $P refused 203.0.113.99 9"
	same "ICMP errors find the way back" "$(out a | tr '\n' ' ')" "refused=yes refused=no "
	lab --nat-a symmetric+port-restricted --server "exec $P rx 5000" --until server --a "sleep 0.15; $P tx \$NATLAB_S 5000 4000 8e6 0.3"
	same "IP fragments through two NATs" "$(val server lost)" 0
	lab --ipv6 --nat-a port-restricted --nat-b port-restricted,v6=pass --until server --server \
		"$P tx \$NATLAB_A6 5000 500 1e6 0.2; sleep 0.1; $P tx \$NATLAB_B6 5000 500 1e6 0.2; sleep 0.3" --a "$x" --b "$x"
	same "IPv6 firewall, IPv6 passed" "$(val a lost),$(val b lost)" ",0"
	lab --ip-a 6 --ip-s 46 --server "exec $P rx 5000" --until server --a \
		"sleep 0.15; $P tx \$NATLAB_S 5000 500 1e6 0.1; $P tx \$NATLAB_S6 5000 500 1e6 0.2"
	same "a host with IPv6 alone" "$(val server lost),$(sed -n 's/.*\(unreachable\).*/\1/p' "$W/o/a.err")" "0,unreachable"

	x="import socket, struct; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
	x2="s.bind((\"\", 5353)); s.setsockopt(0, 35, socket.inet_aton(\"224.0.0.251\") + socket.inet_aton(\"0.0.0.0\")); s.settimeout(2); print(s.recv(9).decode())"
	lab --nat-a symmetric@home --nat-b @home --nat-c symmetric --b "exec python3 -c '$x; $x2'" --c "exec python3 -c '$x; $x2'" \
		--a "sleep 0.4; exec python3 -c '$x; s.sendto(b\"mdns\", (\"224.0.0.251\", 5353))'"
	same "multicast in one LAN, and not beyond" "$(out b),$(out c)" "mdns,"

	# hosts that move
	c="$P tcp \$NATLAB_S 443; echo 'host a addr=203.0.113.50' >\$NATLAB_CTL; sleep 0.1; $P tcp \$NATLAB_S 443"
	lab --server "$SERVER" --server-ready port=443 --a "$c"
	same "a host gets a new address" "$(out a | sed 's/:[0-9]*$//' | tr '\n' ' ')" "tcp=ok seen=203.0.113.1 tcp=ok seen=203.0.113.50 "
	c="$P tcp \$NATLAB_S 443; echo 'host a down' >\$NATLAB_CTL; sleep 0.1; $P tcp \$NATLAB_S 443
	   echo 'host a up' >\$NATLAB_CTL; sleep 0.1; $P tcp \$NATLAB_S 443"
	lab --nat-a port-restricted --net1-a symmetric --server "$SERVER" --server-ready port=443 --a "$c"
	same "a second interface takes over, and back" "$(out a | sed 's/:[0-9]*$//' | tr '\n' ' ')" \
		"tcp=ok seen=203.0.113.1 tcp=ok seen=203.0.113.2 tcp=ok seen=203.0.113.1 "

	# the same through other people's programs
	h="abcdefgh" args=
	for n in full-cone restricted port-restricted symmetric ad/ei ad/ad apd/ei apd/ad; do
		args="$args --nat-$(echo $h | cut -c 1) $n"
		h=${h#?}
	done
	expect() { # tool, then one line per host: what it printed
		same "$1" "$(sed 's/Endpoint Independent/ei/g; s/Address Dependent/ad/g; s/Address and Port Dependent/apd/g' "$W/got" | tr '\n' ' ')" \
			"a ei/ei b ei/ad c ei/apd d apd/apd e ad/ei f ad/ad g apd/ei h apd/ad "
	}
	c="sleep 1; turnutils_natdiscovery -m \$NATLAB_S; turnutils_natdiscovery -f \$NATLAB_S"
	lab $args --server 'exec turnserver -n --listening-ip $NATLAB_S --listening-ip $NATLAB_S_2 --no-auth --no-tls --no-dtls --no-cli --log-file stdout --pidfile $NATLAB_DIR/turn.pid --userdb $NATLAB_DIR/turndb' \
		--server-ready port=3479 --a "$c" --b "$c" --c "$c" --d "$c" --e "$c" --f "$c" --g "$c" --h "$c"
	for i in a b c d e f g h; do
		echo "$i $(sed -n 's/NAT with \(.*\) Mapping!/\1/p' "$W/o/$i.out")/$(sed -n 's/NAT with \(.*\) Filtering!/\1/p' "$W/o/$i.out")"
	done >"$W/got"
	expect "coturn's natdiscovery agrees on 8 NAT types" ;;
esac

# --------------------------------------------------------------------- links
case " $PARTS " in *" link "*)
	for r in 0.3 2 20; do
		flow 1200 $(awk "BEGIN { print $r * 1.3e6 }") 2.5 --up-a rate=${r}mbit,queue=100ms
		check "rate $r Mbit/s within 3 %" "$(val b kbps) / ($r * 1000) > 0.97 && $(val b kbps) / ($r * 1000) < 1.03" "$(val b kbps) kbit/s"
		check "queue of 100 ms: delay nearly 100 ms, not more" "$(val b p50) < 100.5 && $(val b p50) > 99 - 9.6 / $r && $(val b p99) < 105" "p50 $(val b p50), p99 $(val b p99) ms"
	done
	flow 1200 2e6 2 --up-a rate=1mbit,queue=15000b
	check "queue of 15000 bytes = 12 packets = 115.2 ms" "$(val b p50) > 109 && $(val b p50) < 116 && $(val b p99) < 120" "p50 $(val b p50), p99 $(val b p99) ms"
	flow 1200 2e6 2 --up-a rate=1mbit,queue=10p
	check "queue of 10 packets = 96 ms" "$(val b p50) > 90 && $(val b p50) < 97 && $(val b p99) < 101" "p50 $(val b p50), p99 $(val b p99) ms"
	flow 1200 2e6 1.5 --up-a rate=1mbit,queue=200ms,ecn=50ms
	check "ECN marks above 50 ms" "$(val b ce) > 0.6 * $(val b received) && $(val b ce) < $(val b received)" "$(val b ce) of $(val b received)"
	for d in 5 30 300; do
		flow 200 2e5 1 --down-b delay=${d}ms
		check "delay $d ms within 1 ms" "$(val b p50) - $d >= 0 && $(val b p50) - $d < 1" "p50 $(val b p50), p99 $(val b p99) ms"
	done
	flow 200 32e3 4 --up-a delay=50ms,jitter=10ms
	check "uniform jitter 10 ms: mean, deviation, order" "$(val b mean) > 48 && $(val b mean) < 52.5 && $(val b sd) > 4.3 && $(val b sd) < 7.3 && $(val b reordered) == 0" "mean $(val b mean), sd $(val b sd)"
	flow 200 32e3 4 --up-a delay=50ms,jitter=5ms:normal
	check "normal jitter 5 ms" "$(val b mean) > 48 && $(val b mean) < 52.5 && $(val b sd) > 3.7 && $(val b sd) < 6.5" "mean $(val b mean), sd $(val b sd)"
	flow 200 32e3 4 --up-a delay=20ms,jitter=5ms:exp
	check "exponential jitter 5 ms" "$(val b min) >= 20 && $(val b mean) > 23 && $(val b mean) < 27.5" "min $(val b min), mean $(val b mean)"
	flow 200 16e6 2 --up-a loss=5%
	check "loss 5 % of 20000 within 3 sigma" "$(val b lost) > 1000 - 93 && $(val b lost) < 1000 + 93" "$(val b lost)"
	p1=$(val b pattern)
	flow 200 8e6 4 --up-a loss=5%
	same "same seed, same losses" "$(val b pattern)" "$p1"
	flow 200 16e6 2 --up-a loss=5% --seed 2
	check "other seed, other losses" "\"$(val b pattern)\" != \"$p1\""
	flow 200 16e6 2 --up-a ge=1%:25%
	check "Gilbert-Elliott: 3.85 % in bursts of 4, within 3 sigma" "$(val b lost) > 769 - 211 && $(val b lost) < 769 + 211 && $(val b lost) / $(val b bursts) > 3.25 && $(val b lost) / $(val b bursts) < 4.75" \
		"$(val b lost) in $(val b bursts) bursts"
	flow 200 1.6e6 3 --up-a reorder=10%:5ms
	check "reordering 10 % of 3000 within 3 sigma" "$(val b reordered) > 300 - 50 && $(val b reordered) < 300 + 50 && $(val b lost) == 0" "$(val b reordered)"
	flow 200 3.2e6 2 --up-a dup=10%
	check "duplication 10 % of 4000 within 3 sigma" "$(val b dup) > 400 - 57 && $(val b dup) < 400 + 57" "$(val b dup)"
	flow 1200 1e6 1 --up-a mtu=1100
	same "MTU black hole: nothing received" "$(val b received)" 0
	printf '# time_ms rate_kbps\n0 1000\n1000 4000\n2000 0\n' >"$W/trace"
	flow 1200 6e6 4.2 --up-a "trace=$W/trace:loop,queue=50ms"
	set -- $(awk -F, '$2 == "a" && $3 == "up" { print $8 * 8 / 1000 }' "$W/o/stats.csv")
	check "capacity trace: 4000, 1000, 4000 kbit/s" "${2:-0} > 3880 && ${2:-0} < 4120 && ${3:-0} > 970 && ${3:-0} < 1030 && ${4:-0} > 3880 && ${4:-0} < 4120" "${2:-} ${3:-} ${4:-}"
	flow 200 1.6e6 3 --at 1s 'link a up loss=100%' --at 2s 'link a up loss=0'
	check "scheduled outage of 1 s" "$(val b lost) > 985 && $(val b lost) < 1015 && $(val b bursts) == 1" "$(val b lost) packets of 1 ms"
	lab --b "exec $P rx 5000" --a "sleep 0.15; (sleep 0.5; echo 'link a up loss=100%' >\$NATLAB_CTL)& exec $P tx \$NATLAB_B 5000 200 1.6e6 1"
	check "a program changes its own link" "$(val b received) > 450 && $(val b received) < 650 || $(val a sent) == 1000" "$(val b received)" ;;
esac

# ------------------------------------------------------------------- the lab
case " $PARTS " in *" lab "*)
	rc() { "$@" >/dev/null 2>&1; echo $?; }
	same "exit status of a client" "$(rc "$NL" run --a 'exit 7' --b true)" 7
	same "exit status of a server that fails" "$(rc "$NL" run --server 'exit 9' --a 'sleep 0.3')" 9
	same "timeout" "$(rc "$NL" run --timeout 0.5 --a 'sleep 50')" 124
	same "a bad option" "$(rc "$NL" run --nat-a strange --a true)" 125
	same "a bad link option" "$(rc "$NL" run --link-a rate=fast --a true)" 125
	mark=$((1000000 + $$))
	left() { grep -sal "slee[p].$mark" /proc/[0-9]*/cmdline | wc -l | tr -d ' '; }
	for sig in TERM KILL; do
		"$NL" run --out "$W/o" --server "sleep $mark" --a "sleep $mark & setsid sleep $mark & wait" >/dev/null 2>&1 &
		pid=$!
		sleep 1
		before=$(left)
		kill -$sig $pid
		wait $pid 2>/dev/null
		sleep 0.5
		check "nothing left after SIG$sig" "$before > 2 && $(left) == 0" "$before processes before, $(left) after"
	done
	"$NL" run -q --a "setsid sleep $mark & sleep 0.1"
	same "daemons end with the lab" "$(left)" 0
	"$NL" run -q --a "sleep $mark" >/dev/null 2>&1 &
	sleep 0.7
	id=$("$NL" list | tail -1 | cut -d' ' -f1)
	same "natlab exec" "$("$NL" exec "$id" s cat /proc/net/fib_trie 2>&1 | grep -c -m1 198.51.100.2)" 1
	kill $!
	wait $! 2>/dev/null
	i=0
	while [ $i -lt 5 ]; do
		i=$((i + 1))
		lab --nat-a symmetric --nat-b symmetric --a true --b true
		sed -n 's/.*"setup_seconds": \([0-9.]*\).*/\1/p' "$W/o/result.json"
	done | sort -n >"$W/setup"
	check "setup takes less than 1 s" "$(tail -1 "$W/setup") < 1" "$(tr '\n' ' ' <"$W/setup")s" ;;
esac

# --------------------------------------------------------------------- speed
case " $PARTS " in *" speed "*)
	lab --a "$P rx 5000 & sleep 0.15; $P tx 127.0.0.1 5000 1200 9.6e6 2; wait"
	lo="p50 $(val a p50), p99 $(val a p99), max $(val a max)" l50=$(val a p50)
	flow 1200 9.6e6 2
	check "added latency at 1000 packets/s below 0.5 ms" "$(val b p50) - $l50 < 0.5" "loopback $lo; natlab p50 $(val b p50), p99 $(val b p99), max $(val b max) ms"
	flow 1200 9.6e6 2 --nat-a symmetric --nat-b open
	echo "# through one NAT: p50 $(val b p50), p99 $(val b p99), max $(val b max) ms"
	best=0
	for k in 20 40 80 120 160 200 250; do
		flow 300 $(awk "BEGIN { print $k * 1000 * 300 * 8 }") 1
		[ "$(val b sent)" ] || break
		echo "# ${k}000 packets/s of 300 bytes offered: $(val b sent) sent, $(val b lost) lost, p99 $(val b p99) ms"
		awk "BEGIN { exit !($(val b lost) <= 0.001 * $(val b sent) && $(val b sent) > $k * 990) }" || break
		best=$k
	done
	check "20000 packets/s without loss" "$best >= 20" "up to ${best}000 packets/s"
	flow 1400 500e6 1.5 --up-a rate=200mbit,queue=20ms
	echo "# 200 Mbit/s link, 500 offered: $(val b kbps) kbit/s" ;;
esac

echo "1..$N"
[ $BAD = 0 ] || echo "# $BAD of $N failed"
[ $BAD = 0 ]
