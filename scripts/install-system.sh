#!/bin/sh
# Builds fleet and installs it below a prefix, with fleet-analysis and the example configurations. Containers are made by it.
# On Debian and Ubuntu it installs what is missing, as root or by sudo; elsewhere load modules first (docs/administrators.md).
# usage: install-system.sh PREFIX
set -eu
prefix=${1:?usage: install-system.sh PREFIX}
mkdir -p "$prefix"
prefix=$(cd "$prefix" && pwd)
cd "$(dirname "$0")/.."

scripts/install-deps.sh
python="$prefix/share/fleet/python"
python3 -m venv "$python"
"$python/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir ./analysis
scripts/fetch-mujoco.sh "$python/bin/python" data/mujoco
# Not in build/release, which is of whoever works in this checkout.
cmake --preset release -B build/system -DFLEET_TESTS=OFF
cmake --build build/system
cmake --install build/system --prefix "$prefix"
ln -sf ../share/fleet/python/bin/fleet-analysis "$prefix/bin/fleet-analysis"
echo "Installed: $prefix/bin/fleet, $prefix/bin/fleet-analysis"
