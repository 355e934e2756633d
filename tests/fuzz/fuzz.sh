#!/bin/sh
# Each reader for some seconds, from seeds that are made here: fuzz.sh BUILD_DIRECTORY SECONDS
# What makes a reader crash is left in BUILD_DIRECTORY/crashes. New inputs are not kept.
set -eu
build=$1
seconds=$2
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
mkdir -p "$build/crashes" "$corpus/toml" "$corpus/idx" "$corpus/hdf5"
cp configs/*.toml "$corpus/toml"
printf '\0\0\010\001\0\0\0\003abc' >"$corpus/idx/plain"
gzip -c "$corpus/idx/plain" >"$corpus/idx/compressed"
for file in results/*/cells/*.h5; do
  [ -e "$file" ] && cp "$file" "$corpus/hdf5" && break
done
export ASAN_OPTIONS=detect_leaks=0
for reader in toml idx hdf5; do
  echo "== $reader"
  "$build/fuzz_$reader" -max_total_time="$seconds" -max_len=65536 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="$build/crashes/$reader-" "$corpus/$reader"
done
