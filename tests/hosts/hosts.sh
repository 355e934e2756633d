#!/usr/bin/env bash
# Several hosts on this machine: network namespaces that a switch joins, each with a name and a /dev/shm of its own.
#   hosts.sh COUNT [WIRE ...]    as root, and as the first process of a PID, a mount and a network namespace
# Prints its folder, in which `enter HOST COMMAND ...` runs a command on a host: Open MPI's agent. All is gone when
# its standard input ends, however that comes about. The switch is a bridge, or WIRE, which is given the process IDs of
# the hosts and says "ready".
set -euo pipefail

count=$1
shift
dir=$(mktemp -d -t fleet-hosts-XXXXXX)
trap 'rm -rf "$dir"' EXIT
names=$(seq -f 'host%.0f' "$count")

write_names() {
  local name number=0
  echo "127.0.0.1 localhost" >"$dir/names"
  for name in $names; do echo "10.0.0.$((++number)) $name" >>"$dir/names"; done
}

write_enter() {
  cat >"$dir/enter" <<ENTER
#!/bin/sh
# As ssh does: the words of the command are joined, and a shell reads them.
pid=\$(cat "$dir/\$1.pid")
shift
exec nsenter --target "\$pid" --net --uts --mount sh -c "\$*"
ENTER
  chmod +x "$dir/enter"
}

start_host() {
  # Open MPI names its shared memory after the host: those of two hosts in one /dev/shm would be one.
  unshare --net --uts --mount sh -ec '
    hostname "$2"
    echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
    mount --bind "$1/names" /etc/hosts
    mount -t tmpfs -o mode=1777 tmpfs /dev/shm
    ip link set lo up
    echo $$ >"$1/$2.pid"
    exec sleep infinity' sh "$dir" "$1" </dev/null >&2 &
}

join_by_bridge() {
  local pid number=0
  ip link add switch type bridge
  ip link set switch up
  for pid in "$@"; do
    ip link add "port$((++number))" type veth peer name eth0 netns "$pid"
    ip link set "port$number" master switch up
  done
}

pids() {
  local name
  for name in $names; do cat "$dir/$name.pid"; done
}

write_names
write_enter
for name in $names; do start_host "$name"; done
until [ "$(pids 2>/dev/null | wc -l)" = "$count" ]; do
  [ "$(jobs -pr | wc -l)" = "$count" ] || exit 1
  sleep 0.02
done

if [ $# = 0 ]; then
  join_by_bridge $(pids)
else
  "$@" $(pids) </dev/null >"$dir/wire" &
  until [ -s "$dir/wire" ]; do
    kill -0 $! || exit 1
    sleep 0.02
  done
fi
number=0
for name in $names; do
  "$dir/enter" "$name" ip address add "10.0.0.$((++number))/16" dev eth0
  "$dir/enter" "$name" ip link set eth0 up
done
echo "$dir"
cat >/dev/null
