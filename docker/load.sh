# shellcheck shell=sh
# Puts the servers under load with ghz, as `docker compose run --rm load /music/FILE [OPTION OF GHZ]...`.
set -eu
file=${1:?usage: load /music/FILE [OPTION OF GHZ]...}
shift
[ -r "$file" ] || { echo "load: $file is not there; paths are those under SEGUE_MUSIC, seen as /music" >&2; exit 1; }
{ printf '{"audio": {"content": "'; base64 -w 0 "$file"; printf '"}}'; } >/tmp/request.json
bearer="{\"authorization\": \"Bearer $(cat /run/secrets/token)\"}"
printf '{"metadata": %s, "reflect-metadata": %s}' "$bearer" "$bearer" >/tmp/ghz.json
# Failed calls count, and the load comes over several connections, as from several callers.
exec ghz --config /tmp/ghz.json --cacert "$SEGUE_TLS_CA" --call segue.v1.ClassificationService.Classify \
  --data-file /tmp/request.json --count-errors --connections 4 --concurrency 8 --duration 15s --duration-stop wait \
  "$@" "$SEGUE_ADDRESS"
