#!/bin/sh
# Puts MuJoCo where CMake finds it, once. Without a network, or where its wheel does not run, fleet is built without
# Meta-World and tools: that is said, and no error.  usage: fetch-mujoco.sh PYTHON DIRECTORY
set -eu
python=$1
directory=$2
here=$(dirname "$0")

[ -z "${MUJOCO_ROOT:-}" ] || exit 0
[ ! -e "$directory/mujoco/include/mujoco/mujoco.h" ] || exit 0

machine=$(uname -m)
echo "Fetching MuJoCo"
rm -rf "$directory.part"
if "$python" -m pip install --quiet --disable-pip-version-check --retries 1 --no-deps --no-compile --require-hashes \
  --only-binary :all: --platform "manylinux_2_17_$machine" --platform "manylinux2014_$machine" --python-version 3.11 \
  --implementation cp --target "$directory.part" -r "$here/mujoco.txt"; then
  rm -rf "$directory"
  mkdir -p "$(dirname "$directory")"
  mv "$directory.part" "$directory"
else
  rm -rf "$directory.part"
  echo "MuJoCo 3.3.0 could not be had: fleet is built without Meta-World and tools. To add them later, set MUJOCO_ROOT to a"
  echo "directory with include/mujoco and lib, as MuJoCo's release archives have them, and configure again."
fi
