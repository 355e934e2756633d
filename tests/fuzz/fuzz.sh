#!/bin/sh
# Each reader for some seconds, from seeds that are made here: fuzz.sh BUILD_DIRECTORY SECONDS [READER ...]
# What makes a reader crash is left in BUILD_DIRECTORY/crashes. New inputs are not kept.
set -eu
build=$1
seconds=$2
shift 2
readers=${*:-toml idx hdf5 results model demonstrations checkpoint plays}
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
mkdir -p "$build/crashes"
for reader in toml idx hdf5 results model demonstrations checkpoint plays; do mkdir "$corpus/$reader"; done
cp configs/*.toml "$corpus/toml"
printf '\0\0\010\001\0\0\0\003abc' >"$corpus/idx/plain"
gzip -c "$corpus/idx/plain" >"$corpus/idx/compressed"
for file in results/*/cells/*.h5; do
  [ -e "$file" ] && cp "$file" "$corpus/hdf5" && break
done
printf 'Act one.\n\nANN:\nThe cat sat.\n\nBOB:\nA dog dug.\n\nANN:\nSo.\n' >"$corpus/plays/colon"
printf '# Title\n\n**ANN**\nThe cat.\n\n**BOB**\nA dog. _Exit._\n' >"$corpus/plays/markdown"
gzip -c "$corpus/plays/colon" >"$corpus/plays/compressed"
printf '\3\0\0\0\0\0\0\0abc....\377\377\377\377\377\377\377\377\1\0\0\0\0\0\0\0' >"$corpus/checkpoint/one"
export ASAN_OPTIONS=detect_leaks=0
for reader in $readers; do
  echo "== $reader"
  "$build/fuzz_$reader" -max_total_time="$seconds" -max_len=65536 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="$build/crashes/$reader-" "$corpus/$reader"
done
