#!/usr/bin/env bash
# A Slurm cluster for tests, all on this machine: one slurmctld and a slurmd per virtual node, on loopback.
#   cluster.sh start DIR [NODES]    as root; everything it writes is below DIR; then `. DIR/env.sh`
#   cluster.sh stop DIR
# Each node has 4 CPUs and 4000 MiB (claimed, not checked) and 2 GPUs that are /dev/null.
set -euo pipefail

fail() {
  echo "cluster.sh: $*" >&2
  exit 2
}

write_configuration() {
  local port=$1 host=$2 nodes=$3 node
  cat >"$dir/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
# How long credentials live is also how long a requeued job is held back: two minutes by default, and below 5 s.
AuthInfo=socket=$dir/munge/socket,cred_expire=5
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPort=$port
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.%n.pid
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool.%n
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.%n.log
PlugStackConfig=/dev/null
# PMIx puts a directory here that must be the node's own.
TmpFS=$dir/tmp.%n
# Neither cgroups nor systemd in a container.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=0
KillWait=5
ReturnToService=2
JobRequeue=1
MailProg=/bin/true
CONF
  for node in $nodes; do
    echo "NodeName=$node NodeAddr=127.0.0.1 Port=$((++port)) CPUs=4 RealMemory=4000" >>"$dir/slurm.conf"
    mkdir -p "$dir/spool.$node" "$dir/tmp.$node"
    echo "127.0.0.1 $node" >>"$dir/hosts"
  done
  echo "PartitionName=main Nodes=ALL Default=YES MaxTime=60 DefaultTime=5 OverSubscribe=NO" >>"$dir/slurm.conf"
  cat >"$dir/env.sh" <<CONF
export SLURM_CONF=$dir/slurm.conf PMIX_MCA_gds=hash
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_btl_tcp_if_include=lo OMPI_MCA_oob_tcp_if_include=lo
# More ranks than cores: those that wait make room for those that work.
export OMPI_MCA_mpi_yield_when_idle=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
CONF
}

start() {
  local count=${1:-2} host nodes node
  [ "$(id -u)" = 0 ] || fail "needs root"
  for program in munged slurmctld slurmd unshare; do
    command -v $program >/dev/null || fail "$program is not installed"
  done
  mkdir -p "$dir"/{munge,state}
  chmod 711 "$dir/munge" # clients go through it to the socket
  host=$(hostname -s)
  nodes=$(seq -f 'n%.0f' "$count")
  echo "127.0.0.1 localhost $host" >"$dir/hosts"
  write_configuration "$((20000 + $$ % 10000))" "$host" "$nodes"

  (umask 077 && head -c 1024 /dev/urandom >"$dir/munge/key")
  munged --key-file="$dir/munge/key" --socket="$dir/munge/socket" --pid-file="$dir/munge/pid" \
    --log-file="$dir/munge/log" --seed-file="$dir/munge/seed" --num-threads=2
  export SLURM_CONF=$dir/slurm.conf
  slurmctld -c
  for node in $nodes; do
    # A host name and a /dev/shm of its own: Open MPI names its shared memory after the host, and those of two nodes
    # would be one.
    unshare --uts --mount --propagation private sh -ec '
      hostname "$2"
      mount --bind "$1/hosts" /etc/hosts
      mount -t tmpfs -o mode=1777 tmpfs /dev/shm
      exec slurmd -N "$2" -c' sh "$dir" "$node"
  done
  for _ in $(seq 60); do
    [ "$(sinfo -h -N -t idle -o %N 2>/dev/null | wc -l)" = "$count" ] && return
    sleep 0.5
  done
  fail "the nodes did not come up: $(tail -n 3 "$dir"/*.log)"
}

# stop_daemon PIDFILE NAME: only what is what it is taken for.
stop_daemon() {
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 0
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] || return 0
  kill "$pid"
  for _ in $(seq 40); do
    [ -e "/proc/$pid" ] || return 0
    sleep 0.25
  done
  kill -9 "$pid"
}

stop() {
  export SLURM_CONF=$dir/slurm.conf
  scancel --me 2>/dev/null || true
  for _ in $(seq 20); do
    [ -z "$(squeue -h 2>/dev/null)" ] && break
    sleep 0.5
  done
  for pidfile in "$dir"/slurmd.*.pid; do stop_daemon "$pidfile" slurmd; done
  stop_daemon "$dir/slurmctld.pid" slurmctld
  stop_daemon "$dir/munge/pid" munged
}

[ $# -ge 2 ] || fail "usage: cluster.sh start DIR [NODES] | stop DIR"
command=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
shift 2
case $command in
start | stop) "$command" "$@" ;;
*) fail "usage: cluster.sh start DIR [NODES] | stop DIR" ;;
esac
