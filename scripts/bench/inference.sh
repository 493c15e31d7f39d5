#!/usr/bin/env bash
# The bundled inference against the libraries it is made of, called bare: tokens/s of chat, vectors/s of embeddings.
#
# Release build, the models of scripts/fetch-models.sh, the same number of threads everywhere. Every contestant in every
# round, one at a time; medians quoted. Writes bench/results/<date>-inference.json and prints a table.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib/measure.sh
models=${BRAINOPS_MODELS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/brainops/models}
ROUNDS=${ROUNDS:-3}

command -v python3 > /dev/null || { echo "bench/inference needs: python3 (apt-get install python3)" >&2; exit 1; }
scripts/fetch-models.sh
build_programs
python3 scripts/bench/inference/measure.py "$(program inference)" "$(tool bare)" "$models" "$ROUNDS"
