# Ends every process of its own process group once nobody needs them any more.
#
# Standard input is a pipe that each process in need of the servers holds open for writing. The kernel closes it
# when such a process ends, however it ends: end of file means that nobody is left. A line on the pipe says that
# somebody has joined, and for how many seconds to linger after the last one has left.
#
# Arguments: the file that announces the servers (or a path that never exists), then the servers' pid files.
announcement=$1
shift
# Nothing but SIGKILL ends the guard. It sends these signals to its own group below, and the kernel sends SIGHUP to
# a group with a stopped process when the parent dies.
trap '' HUP INT TERM QUIT
linger=0
idle=0
retracted=no
while :; do
    if read -r seconds; then
        linger=$seconds
        idle=0
        if [ "$retracted" = yes ]; then # joined before the announcement was gone: it counts
            mv -f "$announcement.retracted" "$announcement"
            retracted=no
        fi
    elif [ "$idle" -lt "$linger" ]; then
        idle=$((idle + 1))
        sleep 1
    elif [ "$retracted" = no ] && mv -f "$announcement" "$announcement.retracted" 2>/dev/null; then
        retracted=yes
    else
        break
    fi
done

# Whether a server is still there.
alive() {
    for file in "$@"; do
        { read -r pid _ <"$file"; } 2>/dev/null && kill -0 "$pid" 2>/dev/null && return 0
    done
    return 1
}

# Waits at most $1 tenths of a second for all servers to end.
wait_for_end() {
    tenths=$1
    shift
    while [ "$tenths" -gt 0 ] && alive "$@"; do
        tenths=$((tenths - 1))
        sleep 0.1
    done
}

# INT is PostgreSQL's fast shutdown, which RabbitMQ ignores; TERM is RabbitMQ's orderly stop, which PostgreSQL
# ignores during a fast shutdown; QUIT makes PostgreSQL end children that do not react.
kill -CONT 0
kill -INT 0
# More than once, as RabbitMQ forgets what it is told while it still starts.
for _ in 1 2 3 4; do
    kill -TERM 0
    wait_for_end 40 "$@"
done
kill -QUIT 0
wait_for_end 70 "$@"
kill -KILL 0
