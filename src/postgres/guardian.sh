# Runs a PostgreSQL server for as long as someone holds the other end of standard input open.
# Arguments: folder of the cluster, "temporary" or "kept", then the command of the server.
# However the holder ends (also by kill -9), its end closes: the server is stopped and a temporary folder removed.
# When the server ends by itself, so does this script, and the folder stays for whoever wants to read the log.
dir=$1 keep=$2
shift 2
# Only the server's user reads the log, also one that an earlier version left.
umask 077
[ ! -f "$dir/log" ] || chmod 600 "$dir/log"
exec 3<&0 </dev/null
"$@" >>"$dir/log" 2>&1 3<&- &
server=$!
(
    trap '' HUP INT TERM
    while read -r _ <&3; do :; done
    exec 3<&-
    : >"$dir/stopping"
    trap - TERM
    kill -INT "$server"
    kill -CONT "$server"
    sleep 5
    kill -QUIT "$server"
    sleep 3
    kill -KILL "$server"
) >/dev/null 2>&1 &
watcher=$!
exec 3<&-
trap : HUP INT TERM
code=1
while kill -0 "$server" 2>/dev/null; do
    wait "$server"
    code=$?
done
# Ends the subshell and its sleep: this process group has nothing else left.
kill -KILL "$watcher"
wait "$watcher" 2>/dev/null
trap '' TERM
kill -TERM 0
if [ -e "$dir/stopping" ]; then
    rm -f "$dir/stopping"
    [ "$keep" = kept ] || rm -rf "$dir"
fi
exit "$code"
