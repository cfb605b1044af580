#!/usr/bin/env bash
# label: optimised
# The cable that the benchmark of two machines lays between two namespaces (bench/link.c): what is lost is counted, and the
# same by number in every run; a full queue drops; nothing comes before its time. That something comes late is no failure.
. "${SOURCE:?}/tests/cli/lib.sh"
link=${BUILD:?}/tests/bench_link
name=vtl$$ runs=0
# shellcheck disable=SC2317 # the trap of lib.sh calls it
cleanup() {
  take_away
  rm -rf "$work" "$captured"
}
take_away() {
  [ -z "${cable-}" ] || { kill "$cable" && wait "$cable"; }
  cable=
  ip netns del "${name}a" 2>/dev/null
  ip netns del "${name}b" 2>/dev/null
}
if [ ! -x "$link" ] || [ "$(id -u)" -ne 0 ] || [ ! -c /dev/net/tun ] || ! ip netns add "${name}a" 2>/dev/null; then
  echo "namespaces or TUN devices cannot be made here: nothing was tested"
  exit 77
fi

# What bench_link says at its end lies in `carried`.
lay() { # OPTIONS of bench_link
  take_away
  for side in a b; do
    ip netns add "$name$side" || exit 1
    ip netns exec "$name$side" sysctl -q -w net.ipv6.conf.default.disable_ipv6=1
  done
  command_line="bench_link $*"
  : >carried # or the word of the link before would be taken for this one's, where that begins late
  "$link" "$@" va "/run/netns/${name}a" "/run/netns/${name}b" >carried &
  cable=$!
  until grep -q ready carried; do
    kill -0 "$cable" || { fail "the link should be laid"; finish; }
    sleep 0.02
  done
  ip -n "${name}a" addr add 10.78.0.1/24 dev va
  ip -n "${name}b" addr add 10.78.0.2/24 dev va
  ip -n "${name}a" link set va up
  ip -n "${name}b" link set va up
}

# COUNT datagrams of BYTES go from a to b and, where b echoes them, back. Into `sent` and `got`: the numbers in the order in
# which they were sent and came, and the clock then, in seconds.
cat >end.py <<'END'
import socket, sys, time
what, count, size, pause = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
s.bind(("0.0.0.0", 7000))
def number_of(data): return int(data.split()[0])
if what == "send":
    for k in range(count):
        print(k, time.monotonic())
        s.sendto(b"%d " % k + bytes(size), ("10.78.0.2", 7000))
        if pause: time.sleep(pause)
else:
    print("listening", flush=True)
    s.settimeout(20)
    while True:
        try: data, peer = s.recvfrom(1 << 16)
        except TimeoutError: break
        if number_of(data) == count: break
        print(number_of(data), time.monotonic(), flush=True)
        s.settimeout(0.5)
END
send() { # COUNT BYTES PAUSE
  ip netns exec "${name}b" python3 end.py listen "$@" >got &
  local listener=$!
  until grep -q listening got; do sleep 0.02; done
  ip netns exec "${name}a" python3 end.py send "$@" >sent || fail "the datagrams should be sent"
  wait "$listener"
  sed -i 1d got
  kill "$cable" && wait "$cable"
  cable=
}
holds() { # EXPRESSION over `line`, what was carried from a to b, and `sent` and `got`
  python3 -c 'import json, sys
line = json.loads(open("carried").read().splitlines()[1])
read = lambda name: {int(l.split()[0]): float(l.split()[1]) for l in open(name)}
sent, got = read("sent"), read("got")
sys.exit(not eval(sys.argv[1]))' "$1" || fail "should hold: $1; $(cat carried)"
}

for seed in 7 7 8; do
  lay -l 10% -s "$seed"
  send 400 100 0.0005
  holds 'line["packets"] == 400 and line["bytes"] > 400 * 128 and line["carried"] == len(got) and line["dropped"] == 0'
  holds 'line["lost"] == 400 - len(got) and 20 < line["lost"] < 60'
  runs=$((runs + 1))
  cut -d " " -f 1 got >"numbers.$seed.$runs"
done
cmp -s numbers.7.1 numbers.7.2 || fail "the same seed should lose the same packets"
! cmp -s numbers.7.1 numbers.8.3 || fail "another seed should lose other packets"

# 1,032 bytes take 8.256 ms; some 6 have room.
lay -r 1mbit -q 5kb
send 100 1000 0
holds 'line["packets"] == 100 and line["carried"] == len(got) and line["dropped"] == 100 - len(got) and 5 <= len(got) <= 20'
holds 'max(got.values()) - sent[0] > 0.0082 * len(got) - 0.0002'
holds 'list(got) == sorted(got)'

lay -d 20ms
send 20 100 0.01
holds 'len(got) == 20 and all(got[k] - sent[k] > 0.0199 for k in got)'
holds 'min(got[k] - sent[k] for k in got) < 0.04'

for wrong in "-l 200%" "-r 5apples" "-d"; do
  # shellcheck disable=SC2086 # words on purpose
  "$link" $wrong va /run/netns/x /run/netns/y >out 2>err
  [ $? -eq 2 ] || fail "bench_link $wrong should be refused"
done
finish
