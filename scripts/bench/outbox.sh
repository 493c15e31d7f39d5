#!/usr/bin/env bash
# The outbox, its relay and a consumer against raw confirmed publishing with lapin on the same broker.
#
# crates/events/benches/outbox starts a private PostgreSQL and RabbitMQ (fsync on in both), measures everything in every
# round and says how; this runs it, quotes medians, writes bench/results/<date>-outbox.json and prints a table.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib/measure.sh
ROUNDS=${ROUNDS:-5} EVENTS=${EVENTS:-20000} SAMPLES=${SAMPLES:-200}

command -v python3 > /dev/null || { echo "bench/outbox needs: python3 (apt-get install python3)" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build_programs
"$(tool outbox)" "$work/measured.json" "$ROUNDS" "$EVENTS" "$SAMPLES"
python3 scripts/bench/outbox/report.py "$work/measured.json"
