# Sourced by scripts/bench and scripts/chaos: what they run, and where they find it.

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/brainops/target}
PROFILE=${PROFILE:-release}

# The programs and tools of all of them at once, with the features of the whole workspace: asking for a package at a time
# would compile most of the tree anew for each.
build_programs() {
    local flags=()
    [ "$PROFILE" = debug ] || flags=(--release)
    cargo build "${flags[@]}" --workspace --bin brainops --bin gateway --bin inference \
        --bench load --bench upstream --bench bare --bench outbox --bench embeddings --bench filtered
}

program() { echo "$CARGO_TARGET_DIR/$PROFILE/$1"; }

# The newest build of a tool in a crate's benches/.
tool() {
    find "$CARGO_TARGET_DIR/$PROFILE/deps" -maxdepth 1 -name "$1-*" -perm -u+x -printf '%T@ %p\n' |
        sort -rn | head -n 1 | cut -d' ' -f2
}

# So many free ports. They are free again before they are told.
free_ports() {
    python3 -c 'import socket, sys
taken = [socket.socket() for _ in range(int(sys.argv[1]))]
for one in taken: one.bind(("127.0.0.1", 0))
ports = [one.getsockname()[1] for one in taken]
for one in taken: one.close()
print(*ports)' "$1"
}

# Waits, half a minute at most, until the machine has been idle for a second: what the last contestant left to be done
# must not be paid by the next.
settle() {
    python3 -c 'import time
def busy():
    with open("/proc/stat") as file: ticks = [int(tick) for tick in file.readline().split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)
quiet, last, end = 0, busy(), time.monotonic() + 30
while quiet < 2 and time.monotonic() < end:
    time.sleep(0.5)
    now = busy()
    quiet = quiet + 1 if (now[0] - last[0]) <= 0.05 * (now[1] - last[1]) else 0
    last = now'
}
