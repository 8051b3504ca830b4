# shellcheck shell=sh
# Puts the servers under load with ghz, as `docker compose --profile load run --rm load /music/FILE [OPTION OF GHZ]...`.
set -eu
file=${1:?usage: load /music/FILE [OPTION OF GHZ]...}
shift
[ -r "$file" ] || { echo "load: $file is not there; paths are those under SEGUE_MUSIC, seen as /music" >&2; exit 1; }
{ printf '{"audio": {"content": "'; base64 -w 0 "$file"; printf '"}}'; } >/tmp/request.json
bearer="{\"authorization\": \"Bearer $(cat /run/secrets/token)\"}"
# In a file, since ghz takes no option twice: what is given goes before this. Failed calls count, and the load comes over
# several connections, as from several callers.
cat >/tmp/ghz.json <<CONFIG
{"call": "segue.v1.ClassificationService.Classify", "data-file": "/tmp/request.json", "cacert": "$SEGUE_TLS_CA",
 "protoset": "/etc/segue/segue.binpb", "metadata": $bearer, "count-errors": true,
 "connections": 4, "concurrency": 8, "duration": "15s", "duration-stop": "wait"}
CONFIG
exec ghz --config /tmp/ghz.json "$@" "$SEGUE_ADDRESS"
