#!/usr/bin/env bash
# How memory grows, and how well it finds the turns that answer a question.
#
# 1. Filtered recall: the embedded engine's graphs over 100,000 vectors against a scan of all of them, under filters that let
#    many or few pass (services/memory/benches/filtered.rs).
# 2. Growth: rates of storing, latency of searches and memory of the process with 1,000, 10,000 and 100,000 memories, through
#    a running system (scripts/bench/memory/scale.py). Both write bench/results/<date>-memory-scale.json.
# 3. LoCoMo (Maharana et al. 2024), through the gateway of a running system with the bundled models, as a client would. The
#    conversations may not be passed on, so they are not here: LOCOMO_DIR names a directory with its files <number>.json (one
#    conversation each: session_<n>, session_<n>_date_time, qa). Each turn is stored word for word with its speaker as author
#    and the caption of its picture; each question is searched within its conversation. Writes
#    bench/results/<date>-memory.json.
#
# PARTS chooses among `scale` (1 and 2) and `locomo`; SIZES the numbers of memories.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib/measure.sh
PARTS=${PARTS:-scale locomo} LOCOMO_DIR=${LOCOMO_DIR:-} VECTORS=${VECTORS:-100000}
models=${BRAINOPS_MODELS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/brainops/models}

if [ -n "$LOCOMO_DIR" ]; then
    compgen -G "$LOCOMO_DIR/[0-9]*.json" > /dev/null || { echo "bench/memory: no <number>.json in LOCOMO_DIR ($LOCOMO_DIR)" >&2; exit 1; }
fi
for program in curl python3; do
    command -v "$program" > /dev/null || { echo "bench/memory needs: $program" >&2; exit 1; }
done
scripts/fetch-models.sh
build_programs

work=$(mktemp -d)
finish() {
    [ -z "${system:-}" ] || kill "$system" 2> /dev/null || true
    wait 2> /dev/null || true
    rm -rf "$work"
}
trap finish EXIT

if [[ " $PARTS " == *" scale "* ]]; then
    settle
    "$(tool filtered)" "$work/filtered.json" "$VECTORS"
    settle
    python3 scripts/bench/memory/scale.py "$(program brainops)" "$(tool embeddings)" "$models" "$work/filtered.json" "$work"
fi

[[ " $PARTS " == *" locomo "* ]] || exit 0
if [ -z "$LOCOMO_DIR" ]; then
    echo "bench/memory: LOCOMO_DIR is not set, so recall is NOT measured. It names a directory with the conversations of LoCoMo."
    exit 0
fi
gateway=$(free_ports 1)
env -u OPENAI_API_KEY -u ANTHROPIC_API_KEY -u GEMINI_API_KEY BRAINOPS_LOG=warn \
    BRAINOPS_RATE_CALLER_PER_MINUTE=600000 BRAINOPS_RATE_ORGANIZATION_PER_MINUTE=600000 BRAINOPS_RATE_SOURCE_PER_MINUTE=600000 \
    "$(program brainops)" up --data "$work/data" --models "$models" --http "127.0.0.1:$gateway" > "$work/up.out" 2> "$work/up.log" & system=$!
for _ in $(seq 600); do
    grep -q '^BrainOps is up' "$work/up.out" && break
    kill -0 "$system" || { cat "$work/up.out" "$work/up.log" >&2; exit 1; }
    sleep 0.1
done
python3 scripts/bench/memory/locomo.py "http://127.0.0.1:$gateway" "$LOCOMO_DIR"
