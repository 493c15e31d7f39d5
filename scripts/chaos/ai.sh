#!/usr/bin/env bash
# Model calls while clients leave, the database and the broker are frozen: 0 acknowledged calls without a record, 0 twice.
# LEAVERS=10000 says how many clients leave mid-stream.
set -euo pipefail
cd "$(dirname "$0")/../.."
PROFILE=${PROFILE:-debug}
. scripts/lib/measure.sh
build_programs
provider=$(tool upstream) brainops=$(program brainops)
ulimit -n "$(ulimit -Hn)"

work=$(mktemp -d)
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
    wait 2> /dev/null || true
    if [ -n "${KEEP:-}" ]; then echo "logs are in $work"; else rm -rf "$work"; fi
}
trap finish EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'pika==1.3.2'
read -r upstream gateway <<< "$(free_ports 2)"
"$provider" "127.0.0.1:$upstream" 50 > "$work/provider.log" & pids+=($!)
env BRAINOPS_LOG=warn BRAINOPS_LOCAL_MODELS=never BRAINOPS_RATE_MODEL_CALLER_PER_MINUTE=600000 OPENAI_BASE_URL="http://127.0.0.1:$upstream/v1" OPENAI_API_KEY=sk-fake-0123456789abcdefghij \
    "$brainops" up --data "$work/data" --http "127.0.0.1:$gateway" > "$work/up.out" 2> "$work/up.log" & system=$!
pids+=("$system")
for _ in $(seq 900); do
    grep -q '^BrainOps is up' "$work/up.out" && break
    kill -0 "$system" || { cat "$work/up.out" "$work/up.log" >&2; exit 1; }
    sleep 0.1
done
"$work/venv/bin/python" scripts/chaos/ai.py "127.0.0.1:$gateway" "$work/data" "$system" "$("$brainops" events url --data "$work/data")"
