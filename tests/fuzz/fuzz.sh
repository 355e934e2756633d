#!/bin/sh
# Each reader for some seconds, from seeds that are made here: fuzz.sh BUILD_DIRECTORY SECONDS [READER ...]
# What makes a reader crash is left in BUILD_DIRECTORY/crashes. New inputs are not kept.
set -eu
build=$1
seconds=$2
shift 2
readers=${*:-toml idx cifar hdf5 results model demonstrations checkpoint plays safetensors network}
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
mkdir -p "$build/crashes"
for reader in toml idx cifar hdf5 results model demonstrations checkpoint plays safetensors network; do mkdir "$corpus/$reader"; done
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
printf '{"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[],"data_offsets":[8,10]}}%s' \
  0123456789 >"$corpus/safetensors/two"
cat >"$corpus/network/attention" <<'JSON'
{"format": "fleet-symmetry", "version": 1,
 "tensors": [{"name": "in", "shape": [4, 3]}, {"name": "out", "shape": [3, 4]}],
 "groups": [{"name": "a", "size": 2, "parent": "heads"}, {"name": "b", "size": 2, "kind": "signed", "parent": "heads", "block": 1},
  {"name": "heads", "size": 2}],
 "actions": [{"tensor": "in", "axis": 0, "group": "a"}, {"tensor": "in", "axis": 0, "group": "b", "offset": 2},
  {"tensor": "in", "axis": 0, "group": "heads", "inner": 2}, {"tensor": "out", "axis": 1, "group": "heads", "outer": 1, "dual": true}],
 "maps": [{"name": "in", "weights": ["in"], "sees_data": true}], "aliases": {"tied": "out"}}
JSON
export ASAN_OPTIONS=detect_leaks=0
for reader in $readers; do
  echo "== $reader"
  "$build/fuzz_$reader" -max_total_time="$seconds" -max_len=65536 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="$build/crashes/$reader-" "$corpus/$reader"
done
