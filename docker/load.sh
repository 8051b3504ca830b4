# shellcheck shell=sh
# Puts the servers under load with ghz, which sends the files in turn:
#   docker compose --profile load run --rm load /music/FILE... [OPTION OF GHZ]...
set -eu
separator=[
while [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; do
  [ -r "$1" ] || { echo "load: there is no file $1; the folder SEGUE_MUSIC is /music here" >&2; exit 1; }
  { printf '%s{"audio": {"content": "' "$separator"; base64 -w 0 "$1"; printf '"}}'; } >>/tmp/requests.json
  separator=,
  shift
done
[ "$separator" = , ] || { echo "usage: load /music/FILE... [OPTION OF GHZ]..." >&2; exit 2; }
echo ']' >>/tmp/requests.json
bearer="{\"authorization\": \"Bearer $(cat /run/secrets/token)\"}"
# In a file, which options of the command line override: ghz rejects an option that is given twice. Failed calls count,
# and the calls use several connections, as those of several callers do.
cat >/tmp/ghz.json <<CONFIG
{"call": "segue.v1.ClassificationService.Classify", "data-file": "/tmp/requests.json", "cacert": "$SEGUE_TLS_CA",
 "protoset": "/etc/segue/segue.binpb", "metadata": $bearer, "count-errors": true, "timeout": "60s",
 "connections": 4, "concurrency": 8, "duration": "15s", "duration-stop": "wait"}
CONFIG
exec ghz --config /tmp/ghz.json "$@" "$SEGUE_ADDRESS"
