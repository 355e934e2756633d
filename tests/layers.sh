#!/bin/sh
# Folder = layer: fails, naming the line, when a file includes a layer to the right of its own, or a library that belongs to
# another layer.  usage: layers.sh SOURCE_DIR
cd "$1/src" || exit 2
status=0
complain() { [ -z "$2" ] || { printf '%s:\n%s\n' "$1" "$2"; status=1; }; }

includes() { grep -rnE "#include \"($2)/" "$1" 2>/dev/null; }
complain "base includes a layer to its right"  "$(includes base  'comm|model|merge|train|torch|io|instruments|sweep')"
complain "comm includes a layer to its right"  "$(includes comm  'model|merge|train|torch|io|instruments|sweep')"
complain "model includes a layer to its right" "$(includes model 'merge|train|torch|io|instruments|sweep')"
complain "merge includes a layer to its right" "$(includes merge 'train|torch|io|instruments|sweep')"
complain "train includes a layer to its right" "$(includes train 'torch|io|instruments|sweep')"
complain "torch includes a layer beside it or to its right" "$(includes torch 'io|instruments|sweep')"
complain "io includes a layer beside it or to its right"    "$(includes io    'torch|instruments|sweep')"
complain "instruments include a layer beside them or to their right" "$(includes instruments 'torch|io|sweep')"
complain "sweep includes torch"                "$(includes sweep 'torch')"
complain "LibTorch outside src/torch" "$(grep -rnE '#include <(torch|ATen|c10)/' . | grep -v '^./torch/')"
complain "HDF5 or toml++ outside src/io" "$(grep -rnE '#include <(hdf5|H5|toml)' . | grep -v '^./io/')"
complain "MuJoCo outside experiments/metaworld" "$(grep -rn '#include <mujoco/' . ../experiments | grep -v '^../experiments/metaworld/')"
complain "MPI_COMM_WORLD outside src/comm" "$(grep -rn 'MPI_COMM_WORLD' . ../experiments | grep -v '^./comm/')"
exit $status
