# logged.sh LOG COMMAND…: runs it with what it says in LOG, shown only when it fails.
log=$1
shift
"$@" > "$log" 2>&1 || {
  cat "$log"
  exit 1
}
