# shellcheck shell=sh
# Puts the servers under load with ghz, as `docker compose --profile load run --rm load /music/FILE... [OPTION OF GHZ]...`;
# the files are sent in turn.
set -eu
separator=[
while [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; do
  [ -r "$1" ] || { echo "load: $1 is not there; paths are those under SEGUE_MUSIC, seen as /music" >&2; exit 1; }
  { printf '%s{"audio": {"content": "' "$separator"; base64 -w 0 "$1"; printf '"}}'; } >>/tmp/requests.json
  separator=,
  shift
done
[ "$separator" = , ] || { echo "usage: load /music/FILE... [OPTION OF GHZ]..." >&2; exit 2; }
echo ']' >>/tmp/requests.json
bearer="{\"authorization\": \"Bearer $(cat /run/secrets/token)\"}"
# In a file, since ghz takes no option twice: what is given goes before this. Failed calls count, and the load comes over
# several connections, as from several callers.
cat >/tmp/ghz.json <<CONFIG
{"call": "segue.v1.ClassificationService.Classify", "data-file": "/tmp/requests.json", "cacert": "$SEGUE_TLS_CA",
 "protoset": "/etc/segue/segue.binpb", "metadata": $bearer, "count-errors": true, "timeout": "60s",
 "connections": 4, "concurrency": 8, "duration": "15s", "duration-stop": "wait"}
CONFIG
exec ghz --config /tmp/ghz.json "$@" "$SEGUE_ADDRESS"
