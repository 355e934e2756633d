#!/bin/sh
# Installs what building and testing need on Debian and its kin; elsewhere says what that is. Does nothing, and asks for no
# password, when all is there.  usage: install-deps.sh PACKAGE ...
set -eu

packages="ca-certificates curl g++ git cmake ninja-build openmpi-bin libopenmpi-dev libtorch-dev libeigen3-dev libhdf5-dev
libtomlplusplus-dev nlohmann-json3-dev libboost-program-options-dev libopenblas-dev zlib1g-dev libgtest-dev python3-venv
libegl-dev libopengl-dev libgl1-mesa-dri libpng-dev libnlopt-dev $*"

if ! command -v dpkg-query >/dev/null; then
  echo "This is not a Debian system. fleet needs MPI, LibTorch (1.13 or later), Eigen 3.4, HDF5, toml++, nlohmann-json,"
  echo "Boost.Program_options, an optimised BLAS, zlib, GoogleTest, CMake 3.20, Ninja and Python 3.11, and for Meta-World"
  echo "MuJoCo 3.3, EGL and libpng; for the world of tools NLopt, too."
  echo "On a cluster, load them as modules (docs/administrators.md). Without them, and without root:"
  echo "  make run FROM=pip"
  exit 0
fi

missing=""
for package in $packages; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" != 0 ]; then
  as_root="sudo"
  # Where nobody is there to type a password, sudo must do without.
  { command -v sudo && { [ -t 0 ] || sudo -n true; }; } >/dev/null 2>&1 || {
    echo "These packages are missing, and there is no sudo to install them with:$missing" >&2
    echo "Without root, libraries can come from Python wheels into .venv (x86-64; 0.7 GB to download):" >&2
    echo "  make run FROM=pip" >&2
    echo "docs/administrators.md is for whoever installs packages or modules here." >&2
    exit 1
  }
fi

# On a fresh machine automatic upgrades hold apt's locks for some minutes: waits for them, ten minutes at most.
apt_get() {
  tries=0
  until said=$($as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -qq "$@" 2>&1 >/dev/null); do
    case $said in
      *"Could not get lock"* | *"Unable to lock"* | *"Unable to acquire"*) ;;
      *) tries=120 ;;
    esac
    tries=$((tries + 1))
    [ "$tries" -le 120 ] || { echo "$said" >&2; exit 1; }
    [ "$tries" -gt 1 ] || echo "Another process is using apt; waiting for it to end."
    sleep 5
  done
}

echo "Installing:$missing"
apt_get update
# shellcheck disable=SC2086  # a list of words
apt_get install -y --no-install-recommends $missing
