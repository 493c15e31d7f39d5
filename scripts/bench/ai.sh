#!/usr/bin/env bash
# The whole way of a model call (gateway with an API key, ai with quota and usage) against @portkey-ai/gateway and the
# direct call, with the same ready-made provider behind all three.
#
# Everything runs on this machine: `brainops up` (release build, private PostgreSQL and RabbitMQ), Portkey's gateway on
# node, the provider, and the load, open loop at a constant rate (services/gateway/benches/load.rs). Every contestant in
# every round, each on a machine that has come to rest; medians quoted. Then 500 slow streams at once, and what they add to
# the memory of the process. Writes bench/results/<date>-ai.json and prints a table.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib/measure.sh
ROUNDS=${ROUNDS:-3} SECONDS_EACH=${SECONDS_EACH:-8} RATES=${RATES:-"200 1000"} STREAMS=${STREAMS:-500}
PORTKEY=1.15.2

for program in node npm curl python3; do
    command -v "$program" > /dev/null || { echo "bench/ai needs: $program" >&2; exit 1; }
done

build_programs
load=$(tool load) provider=$(tool upstream)

portkey=$CARGO_TARGET_DIR/portkey-$PORTKEY
if [ ! -d "$portkey" ]; then
    npm install --silent --no-fund --no-audit --prefix "$portkey.new" "@portkey-ai/gateway@$PORTKEY"
    # As published it fails every stream on current versions of Node, because it writes to headers that it must not change
    # (Portkey-AI/gateway, issue 1389). It gets a copy of them.
    sed -i 's/:new Response(p,e)}const/:new Response(p,{status:e.status,statusText:e.statusText,headers:new Headers(e.headers)})}const/' \
        "$portkey.new/node_modules/@portkey-ai/gateway/build/start-server.js"
    mv "$portkey.new" "$portkey"
fi

work=$(mktemp -d)
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
    wait 2> /dev/null || true
    rm -rf "$work"
}
trap finish EXIT
read -r fast slow portkey_port gateway <<< "$(free_ports 4)"

"$provider" "127.0.0.1:$fast" > "$work/provider.log" & pids+=($!)
"$provider" "127.0.0.1:$slow" 500 > "$work/slow.log" & pids+=($!)
node "$portkey/node_modules/@portkey-ai/gateway/build/start-server.js" "--port=$portkey_port" --headless \
    > "$work/portkey.log" 2>&1 & pids+=($!)

# `brainops up` with one provider; waits until it says that it is up, then makes a person, a key and a quota.
start() { # name, provider's port
    env -u OPENAI_API_KEY BRAINOPS_LOG=info BRAINOPS_LOCAL_MODELS=never \
        BRAINOPS_RATE_MODEL_CALLER_PER_MINUTE=600000 BRAINOPS_RATE_MODEL_ORGANIZATION_PER_MINUTE=600000 \
        OPENAI_BASE_URL="http://127.0.0.1:$2/v1" OPENAI_API_KEY=sk-fake-0123456789abcdefghij \
        "$(program brainops)" up --data "$work/$1" --http "127.0.0.1:$gateway" \
        > "$work/$1.out" 2> "$work/$1.log" &
    system=$!
    pids+=("$system")
    for _ in $(seq 600); do
        grep -q '^BrainOps is up' "$work/$1.out" && break
        kill -0 "$system" || { cat "$work/$1.out" "$work/$1.log" >&2; exit 1; }
        sleep 0.1
    done
    local url=http://127.0.0.1:$gateway token
    field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
    post() { curl -sS --fail-with-body "$url$1" -H 'content-type: application/json' "${@:3}" -d "$2"; }
    token=$(post /v1/auth/register '{"email":"bench@example.org","password":"vexing quilt marmalade tundra","display_name":"Bench"}' | field access_token)
    key=$(post /v1/auth/api-keys '{"name":"bench","scopes":["ai:invoke","ai:read"]}' -H "authorization: Bearer $token" | field key)
    post /v1/ai/quotas '{"subject":"organization","window":"month","metric":"tokens","limit":1000000000000}' \
        -H "authorization: Bearer $token" > /dev/null
}

body() { printf '{"model":"gpt-fake","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hello there"}],"max_tokens":128,"stream":%s}' "$1"; }
body false > "$work/whole.json"
body true > "$work/stream.json"

start fast "$fast"
declare -A url header
url[direct]=http://127.0.0.1:$fast url[portkey]=http://127.0.0.1:$portkey_port url[brainops]=http://127.0.0.1:$gateway
path=v1/chat/completions
call() { # contestant: sets `arguments`
    arguments=("content-type: application/json")
    case $1 in
    direct) arguments+=("authorization: Bearer sk-fake-0123456789abcdefghij") ;;
    portkey) arguments+=("authorization: Bearer sk-fake-0123456789abcdefghij" "x-portkey-provider: openai" "x-portkey-custom-host: http://127.0.0.1:$fast/v1") ;;
    brainops) arguments+=("authorization: Bearer $key") ;;
    esac
}
for contestant in direct portkey brainops; do
    call $contestant
    for kind in whole stream; do
        headers=()
        for one in "${arguments[@]}"; do headers+=(-H "$one"); done
        code=$(curl -s -o "$work/answer" -w '%{http_code}' "${headers[@]}" --data-binary "@$work/$kind.json" "${url[$contestant]}/$path")
        [ "$code" = 200 ] || { echo "$contestant answers $code to a $kind call:" >&2; cat "$work/answer" >&2; exit 1; }
    done
done

for round in $(seq "$ROUNDS"); do
    for rate in $RATES; do
        for kind in whole stream; do
            for contestant in direct portkey brainops; do
                call $contestant
                settle
                # What a pause has cooled (connections, caches, pages that the system took back) is warm again before it counts.
                for seconds in 2 "$SECONDS_EACH"; do
                    "$load" "${url[$contestant]}/$path" "$rate" "$seconds" --body "$work/$kind.json" "${arguments[@]}" \
                        > "$work/load-$contestant-$kind-$rate-$round.json"
                done
            done
        done
    done
done
kill "$system"
wait "$system" || true

start slow "$slow"
python3 scripts/bench/ai/streams.py "$STREAMS" "127.0.0.1:$gateway" "/$path" "$work/stream.json" "$key" "$system" > "$work/streams.json"
python3 scripts/bench/ai/report.py "$work" "$ROUNDS" "$SECONDS_EACH" "$RATES" "$PORTKEY"
