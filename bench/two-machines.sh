#!/usr/bin/env bash
# Two network namespaces with a link of a given rate between them, as two machines would have; runs a command by mpirun with
# its ranks dealt to the two, and tells how many bytes crossed. Needs root, iproute2 and Open MPI.
# usage: bench/two-machines.sh RATE RANKS COMMAND...     RATE as tc writes it: 1gbit, 100mbit; or "none"
set -eu
rate=$1 ranks=$2
shift 2
name=vt$$
work=$(mktemp -d)
cleanup() {
  for side in a b; do ip netns del "$name$side" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT
for side in a b; do
  ip netns add "$name$side"
  ip -n "$name$side" link set lo up
done
ip link add va netns "${name}a" type veth peer name vb netns "${name}b"
ip -n "${name}a" addr add 10.77.0.1/24 dev va
ip -n "${name}b" addr add 10.77.0.2/24 dev vb
for side in a b; do
  ip -n "$name$side" link set "v$side" up
  [ "$rate" = none ] || tc -n "$name$side" qdisc add dev "v$side" root tbf rate "$rate" burst 256kb limit 64mb
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
# They are one machine to the system; what it shares would not cross the link.
VECTRAIL_MACHINE=a ip netns exec "${name}a" mpirun --hostfile "$work/hosts" --map-by node -n "$ranks" --bind-to none --oversubscribe \
  --mca plm_rsh_agent "$work/agent" --mca btl self,vader,tcp --mca btl_tcp_if_include 10.77.0.0/24 \
  --mca oob_tcp_if_include 10.77.0.0/24 --mca pml ob1 "$@"
echo "crossed: $(counted tx) bytes out of side a, $(counted rx) into it" >&2
