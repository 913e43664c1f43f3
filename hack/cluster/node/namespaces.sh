#!/bin/sh
# The first process in a node's network and mount namespaces, which live as long as it, or
# another process in them, does. Its argument is the state folder of the node.
set -eu
state=$1

# The mounts are shared among the node's processes, and hear of the machine's; the machine does
# not hear of theirs. What would lie about on the machine lies in the state folder instead.
mount --make-rshared /
rm -rf "$state/root/run"
for folder in /run /var/lib /var/log; do
	mkdir -p "$state/root$folder"
	mount --bind "$state/root$folder" "$folder"
done

# An address for the node, and a default route, because kube-apiserver and kubelet ask for one:
# both ends of the cable are in here, so it leads nowhere.
ip link set lo up
ip address add 10.200.0.1/32 dev lo
ip link add uplink type veth peer name nowhere
ip address add 10.200.1.1/24 dev uplink
ip link set nowhere up
ip link set uplink up
ip route add default via 10.200.1.2 dev uplink
echo 1 >/proc/sys/net/ipv4/ip_forward

: >"$state/namespaces.ready"
exec sleep infinity
