# Sourced by the job scripts beside it: modules, threads, and fleet_run, which runs a sweep until it is done.
#
#   FLEET           the program     (default: fleet, or that of the installation or the build that this file belongs to)
#   FLEET_MODULES   modules to load, e.g. "gcc openmpi hdf5 libtorch"
#   FLEET_LAUNCHER  srun (default) or mpirun

# shellcheck shell=bash
if [ -n "${FLEET_MODULES:-}" ]; then
  # shellcheck disable=SC2086  # a list of words
  module load $FLEET_MODULES
fi

if [ -z "${FLEET:-}" ]; then
  beside=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
  if [ -x "$beside/../../../bin/fleet" ]; then  # PREFIX/share/fleet/slurm
    FLEET=$(realpath "$beside/../../../bin/fleet")
  else
    FLEET=$(command -v fleet || echo "${beside%/*}/build/release/fleet")
  fi
fi

# A rank is one thread unless the job asks for more (--cpus-per-task): each library has a switch of its own. The setting
# run.threads, which fleet_run passes on, covers LibTorch and OpenBLAS within the program.
threads=${SLURM_CPUS_PER_TASK:-1}
export OMP_NUM_THREADS=$threads OPENBLAS_NUM_THREADS=$threads MKL_NUM_THREADS=$threads
# Since Slurm 22.05 srun no longer takes --cpus-per-task from its job.
export SRUN_CPUS_PER_TASK=$threads

# HDF5 locks a file that it opens, which fails ("unable to lock file") on Lustre and GPFS mounted without flock. fleet
# needs no such locks: it writes a file in memory, renames it when it is complete, and never changes it again.
export HDF5_USE_FILE_LOCKING=FALSE

# fleet_run CONFIG [options]: the sweep on all tasks of the job. Before the time limit, and when the job is preempted,
# Slurm sends this script a signal; the ranks hear of it, write checkpoints and leave with 75, and the job goes back into
# the queue, to go on where it was. USR1 can be sent twice, TERM comes with the end: KillWait (30 s unless the site says
# otherwise) is what then remains.
fleet_run() {
  local launcher=${FLEET_LAUNCHER:-srun} code child command arguments=()
  while [ $# -gt 0 ]; do  # what a job that goes on has run again already must not be run again
    case "${SLURM_RESTART_COUNT:-0} $1" in
      "0 "*) arguments+=("$1") ;;
      *" --rerun") shift ;;
      *" --rerun="*) ;;
      *) arguments+=("$1") ;;
    esac
    shift
  done
  if [ "$launcher" = srun ]; then
    # A rank that fails takes the step down by itself; the others must have time to write their checkpoints.
    command=(srun --mpi=pmix --kill-on-bad-exit=0 --wait=0)
  else
    command=(mpirun -n "$SLURM_NTASKS" --bind-to none)
  fi
  echo "== $(date -Is) job ${SLURM_JOB_ID:-?} on ${SLURM_JOB_NODELIST:-?}, restart ${SLURM_RESTART_COUNT:-0}"
  "${command[@]}" "$FLEET" run "${arguments[@]}" --set "run.threads=$threads" &
  child=$!
  # To the ranks: srun passes on what scancel sends to the step, mpirun what it gets itself.
  if [ "$launcher" = srun ]; then
    trap 'scancel --signal=USR1 "$SLURM_JOB_ID.0"' USR1 TERM
  else
    trap 'kill -USR1 $child' USR1 TERM
  fi
  code=0
  wait $child || code=$?
  while kill -0 $child 2>/dev/null; do  # it was the signal that ended the wait
    code=0
    wait $child || code=$?
  done
  if [ $code -gt 128 ]; then  # the child ended while the trap ran: the shell remembers how
    code=0
    wait $child || code=$?
  fi
  trap '' USR1 TERM
  echo "== $(date -Is) exit code $code"
  if [ $code = 75 ] && [ -n "${SLURM_JOB_ID:-}" ]; then
    scontrol requeue "$SLURM_JOB_ID"
  fi
  return $code
}
