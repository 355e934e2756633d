#!/bin/sh
# Folder = layer: fails, naming the line, when a file includes a layer to the right of its own, or a library that belongs to
# another layer.  usage: layers.sh SOURCE_DIR
cd "$1/src" || exit 2
status=0
complain() { [ -z "$2" ] || { printf '%s:\n%s\n' "$1" "$2"; status=1; }; }

includes() { grep -rnE "#include \"($2)/" "$1" 2>/dev/null; }
complain "base includes a layer to its right"  "$(includes base  'comm|model|merge|train|torch|io|instruments|data|external|sweep|command')"
complain "comm includes a layer to its right"  "$(includes comm  'model|merge|train|torch|io|instruments|data|external|sweep|command')"
complain "model includes a layer to its right" "$(includes model 'merge|train|torch|io|instruments|data|external|sweep|command')"
complain "merge includes a layer to its right" "$(includes merge 'train|torch|io|instruments|data|external|sweep|command')"
complain "train includes a layer to its right" "$(includes train 'torch|io|instruments|data|external|sweep|command')"
complain "torch includes a layer beside it or to its right" "$(includes torch 'io|instruments|data|external|sweep|command')"
complain "io includes a layer beside it or to its right"    "$(includes io    'torch|instruments|data|external|sweep|command')"
complain "instruments include a layer beside them or to their right" "$(includes instruments 'torch|io|data|external|sweep|command')"
complain "external includes a layer beside it or to its right" "$(includes external 'torch|instruments|data|sweep|command')"
complain "data includes a layer beside it or to its right" "$(includes data 'torch|instruments|external|sweep|command')"
complain "sweep includes torch, data or the layer to its right" "$(includes sweep 'torch|data|command')"

# A world includes no other. Those that are simulated stand on experiments/simulation, which includes none of them.
folders=$(cd ../experiments && for each in */; do printf '%s|' "${each%/}"; done)
complain "a layer includes a world" "$(includes . "${folders%|}")"
for folder in ../experiments/*/; do
  own=$(basename "$folder")
  others=$(printf '%s' "$folders" | tr '|' '\n' | grep -vx "$own" | grep -vx simulation | paste -sd '|' -)
  complain "experiments/$own includes another world" "$(includes "$folder" "$others")"
done

complain "LibTorch outside src/torch" "$(grep -rnE '#include <(torch|ATen|c10)/' . | grep -v '^./torch/')"
complain "HDF5 or toml++ outside src/io" "$(grep -rnE '#include <(hdf5|H5|toml)' . | grep -v '^./io/')"
complain "JSON outside src/io and src/external" "$(grep -rn '#include <nlohmann/' . | grep -vE '^./(io|external)/')"
complain "MuJoCo outside experiments/simulation" "$(grep -rn '#include <mujoco/' . ../experiments | grep -v '^../experiments/simulation/')"
complain "MPI_COMM_WORLD outside src/comm" "$(grep -rn 'MPI_COMM_WORLD' . ../experiments | grep -v '^./comm/')"
exit $status
