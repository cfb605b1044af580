#!/usr/bin/env bash
# Two network namespaces with a link between them, as two machines would have; runs a command by mpirun with its ranks
# dealt to the two, and tells how many bytes crossed. Needs root, iproute2 and Open MPI.
# usage: bench/two-machines.sh RATE[,DELAY[,LOSS]] RANKS COMMAND...
#   RATE   as tc writes it: 1gbit, 100mbit; or "none"
#   DELAY  each way: 5ms, 500us. With it the link is bench/link.c, for which the kernel needs TUN devices only, and which
#          tells what it carried; without it a veth pair, with tbf for the rate
#   LOSS   the share of packets that are lost, each by itself: 0.1%
# In the environment, of the link with a delay: LINK (build/release/tests/bench_link), MTU (9000), QUEUE in bytes (what is
# under way in a round trip, 1mb at least), SEED (1). Of both: CONGESTION, the kernel's control of TCP, such as cubic.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
IFS=, read -r rate delay loss <<<"$1"
ranks=$2
shift 2
name=vt$$
work=$(mktemp -d)
link=
cleanup() {
  [ -z "$link" ] || kill "$link" 2>/dev/null || true
  for side in a b; do ip netns del "$name$side" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT
for side in a b; do
  ip netns add "$name$side"
  ip -n "$name$side" link set lo up
  # Neighbours asked for by IPv6 would be counted too.
  ip netns exec "$name$side" sysctl -q -w net.ipv6.conf.default.disable_ipv6=1
  [ -z "${CONGESTION-}" ] || ip netns exec "$name$side" sysctl -q -w net.ipv4.tcp_congestion_control="$CONGESTION"
done
if [ -z "$delay" ]; then
  ip link add va netns "${name}a" type veth peer name vb netns "${name}b"
  ip -n "${name}b" link set vb name va
else
  options=(-r "$rate" -d "$delay" -l "${loss:-0}" -m "${MTU:-9000}" -s "${SEED:-1}")
  [ -z "${QUEUE-}" ] || options+=(-q "$QUEUE")
  "${LINK:-$here/build/release/tests/bench_link}" "${options[@]}" va "/run/netns/${name}a" "/run/netns/${name}b" >"$work/link" &
  link=$!
  until grep -q ready "$work/link"; do
    kill -0 "$link" || exit 1
    sleep 0.02
  done
fi
ip -n "${name}a" addr add 10.77.0.1/24 dev va
ip -n "${name}b" addr add 10.77.0.2/24 dev va
for side in a b; do
  ip -n "$name$side" link set va up
  [ "$rate" = none ] || [ -n "$delay" ] || tc -n "$name$side" qdisc add dev va root tbf rate "$rate" burst 256kb limit 64mb
done
# mpirun runs on side a and starts its daemon on side b by this in place of ssh.
cat >"$work/agent" <<AGENT
#!/bin/sh
shift
VECTRAIL_MACHINE=b exec ip netns exec ${name}b sh -c "\$*"
AGENT
chmod +x "$work/agent"
half=$(((ranks + 1) / 2))
printf '10.77.0.1 slots=%d\n10.77.0.2 slots=%d\n' "$half" "$half" >"$work/hosts"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
counted() { ip netns exec "${name}a" cat "/sys/class/net/va/statistics/$1_bytes" 2>/dev/null || ip -n "${name}a" -s -j link show va | sed "s/.*\"$1\":{\"bytes\":\([0-9]*\).*/\1/"; }
# They are one machine to the system; what it shares would not cross the link. So would the files by which Open MPI (vader) shares
# memory: the daemons of both sides give them the same names.
VECTRAIL_MACHINE=a ip netns exec "${name}a" mpirun --hostfile "$work/hosts" --map-by node -n "$ranks" --bind-to none --oversubscribe \
  --mca plm_rsh_agent "$work/agent" --mca btl self,tcp --mca btl_tcp_if_include 10.77.0.0/24 \
  --mca oob_tcp_if_include 10.77.0.0/24 --mca pml ob1 "$@"
echo "crossed: $(counted tx) bytes out of side a, $(counted rx) into it" >&2
if [ -n "$link" ]; then
  kill "$link"
  wait "$link"
  link=
  tail -n +2 "$work/link" >&2
fi
