#!/bin/sh
# Runs clang-tidy with the checks of .clang-tidy over our sources, or over those that differ from a commit. Those of
# src/torch and tests/torch are left out: clang cannot read the headers of LibTorch 1.13, Debian 12's.
# usage: tidy.sh CLANG_TIDY BUILD_DIRECTORY [COMMIT]
set -eu
tidy=$1
build=$2
commit=${3:-}

if [ -n "$commit" ]; then
  files=$(git diff --name-only --diff-filter=d "$commit" -- 'src/*.cpp' 'experiments/*.cpp' 'tests/*.cpp')
else
  files=$(find src experiments tests -name '*.cpp')
fi
compiled=""
for file in $files; do  # fuzz targets and benchmarks are in builds of their own
  case $file in */torch/*) continue ;; esac
  ! grep -q "/$file\"" "$build/compile_commands.json" || compiled="$compiled $file"
done
[ -n "$compiled" ] || { echo "Nothing to look at."; exit 0; }
# shellcheck disable=SC2086  # a list of words
printf '%s\n' $compiled | xargs -P 2 -n 1 "$tidy" --quiet -p "$build" --warnings-as-errors='*'
