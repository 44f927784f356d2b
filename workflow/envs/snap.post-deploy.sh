#!/bin/sh
# Snakemake runs this in the environment that it has created from snap.yaml: it tells esa_snappy where SNAP is installed.
set -eu
folder=$(python -c 'import importlib.util as i; print(*i.find_spec("esa_snappy").submodule_search_locations)')
python "$folder/snappyutil.py" --snap_home "$SNAP_HOME" --java_module "$folder" --java_home "${SNAP_JAVA_HOME:-$SNAP_HOME/jre}"
