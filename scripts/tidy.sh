#!/bin/sh
# Runs clang-tidy with the checks of .clang-tidy over our sources, or over those that differ from a commit.
# usage: tidy.sh BUILD_DIRECTORY [COMMIT]
set -eu
build=$1
commit=${2:-}
tidy=$(command -v clang-tidy-19 || command -v clang-tidy)

if [ -n "$commit" ]; then
  files=$(git diff --name-only --diff-filter=d "$commit" -- 'src/*.cpp' 'experiments/*.cpp' 'tests/*.cpp')
else
  files=$(find src experiments tests -name '*.cpp')
fi
compiled=""
for file in $files; do  # fuzz targets and benchmarks are in builds of their own
  ! grep -q "/$file\"" "$build/compile_commands.json" || compiled="$compiled $file"
done
[ -n "$compiled" ] || { echo "Nothing to look at."; exit 0; }
# shellcheck disable=SC2086  # a list of words
printf '%s\n' $compiled | xargs -P 2 -n 1 "$tidy" --quiet -p "$build" --warnings-as-errors='*'
