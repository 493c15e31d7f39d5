#!/usr/bin/env bash
# The gateway against HAProxy with jwt_verify and a stick-table, nginx as a plain proxy, and the direct call.
#
# All four end at the same nginx that answers a small JSON; each gets the same token. Throughput by wrk in rounds
# (every target in every round, so that a drift of the machine hits all), medians quoted; latency open loop at a constant
# rate by services/gateway/benches/load.rs. Writes bench/results/<date>-gateway.json and prints a table.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib/measure.sh
ROUNDS=${ROUNDS:-5} SECONDS_EACH=${SECONDS_EACH:-8} RATE=${RATE:-1000} CONNECTIONS=${CONNECTIONS:-64}

for program in wrk haproxy nginx openssl python3; do
    PATH=$PATH:/usr/sbin command -v "$program" > /dev/null || missing="${missing:-} $program"
done
if [ -n "${missing:-}" ]; then
    echo "bench/gateway needs:$missing (apt-get install wrk haproxy nginx-light openssl python3)" >&2
    exit 1
fi
export PATH=$PATH:/usr/sbin

build_programs
load=$(tool load)

work=$(mktemp -d)
# Started by root, nginx reads files as nobody.
chmod 755 "$work"
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
    wait 2> /dev/null || true
    rm -rf "$work"
}
trap finish EXIT
python3 -m venv "$work/venv" > /dev/null
"$work/venv/bin/pip" install --quiet 'pyjwt[crypto]'
read -r upstream nginx_proxy haproxy gateway private <<< "$(free_ports 5)"

# A key, its JWKS, and a token as auth signs it.
"$work/venv/bin/python" scripts/bench/gateway/mint.py "$work" "http://127.0.0.1:$gateway"
token=$(cat "$work/token")

mkdir "$work/nginx"
sed -e "s/@UPSTREAM@/$upstream/; s/@PROXY@/$nginx_proxy/; s#@WORK@#$work#g" scripts/bench/gateway/nginx.conf > "$work/nginx.conf"
nginx -p "$work/nginx" -c "$work/nginx.conf" -g 'daemon off;' & pids+=($!)
sed -e "s/@UPSTREAM@/$upstream/; s/@PORT@/$haproxy/; s#@WORK@#$work#g" scripts/bench/gateway/haproxy.cfg > "$work/haproxy.cfg"
haproxy -q -f "$work/haproxy.cfg" & pids+=($!)
env BRAINOPS_ENVIRONMENT=production BRAINOPS_HTTP_ADDR="127.0.0.1:$gateway" BRAINOPS_PRIVATE_ADDR="127.0.0.1:$private" \
    BRAINOPS_HTTP_WORKERS=2 BRAINOPS_LOG=info BRAINOPS_ISSUER="http://127.0.0.1:$gateway" \
    BRAINOPS_AUTH_URL="http://127.0.0.1:$upstream" BRAINOPS_CLIENT_SECRET=not-used-by-the-bench \
    BRAINOPS_RATE_CALLER_PER_MINUTE=100000000 BRAINOPS_RATE_ORGANIZATION_PER_MINUTE=100000000 BRAINOPS_RATE_SOURCE_PER_MINUTE=100000000 \
    BRAINOPS_UPSTREAM_AUTH="http://127.0.0.1:$upstream" BRAINOPS_UPSTREAM_AUTH_PRIVATE="http://127.0.0.1:$upstream" \
    BRAINOPS_UPSTREAM_USERS="http://127.0.0.1:$upstream" BRAINOPS_UPSTREAM_USERS_PRIVATE="http://127.0.0.1:$upstream" \
    "$(program gateway)" serve > "$work/gateway.log" 2>&1 & pids+=($!)

path=v1/users/me
for port in "$upstream" "$nginx_proxy" "$haproxy" "$gateway"; do
    for _ in $(seq 100); do
        code=$(curl -s -o /dev/null -w '%{http_code}' -H "authorization: Bearer $token" "http://127.0.0.1:$port/$path" || true)
        [ "$code" = 200 ] && continue 2
        sleep 0.1
    done
    echo "port $port answers $code, not 200" >&2
    exit 1
done
# Both that check must refuse.
for port in "$haproxy" "$gateway"; do
    code=$(curl -s -o /dev/null -w '%{http_code}' -H "authorization: Bearer ${token}x" "http://127.0.0.1:$port/$path")
    [ "$code" = 401 ] || { echo "port $port takes a bad token ($code)" >&2; exit 1; }
done

targets="direct:$upstream nginx:$nginx_proxy haproxy:$haproxy gateway:$gateway"
for round in $(seq "$ROUNDS"); do
    for target in $targets; do
        wrk -t1 -c"$CONNECTIONS" -d"${SECONDS_EACH}s" -H "authorization: Bearer $token" "http://127.0.0.1:${target#*:}/$path" \
            > "$work/wrk-${target%:*}-$round.txt"
    done
    for target in $targets; do
        "$load" "http://127.0.0.1:${target#*:}/$path" "$RATE" "$SECONDS_EACH" "authorization: Bearer $token" \
            > "$work/load-${target%:*}-$round.json"
    done
done
python3 scripts/bench/gateway/report.py "$work" "$ROUNDS" "$SECONDS_EACH" "$CONNECTIONS" "$RATE" "$(awk '/VmRSS/{print $2}' /proc/"${pids[-1]}"/status)"
