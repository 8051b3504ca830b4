# shellcheck shell=bash
# A Docker engine for machines where none runs: started in a folder, and taken down again with all that it left.
# Sourced by scripts/containers. It needs root and Debian's packages; no image is pulled, the base is made from packages.
#   engine_start FOLDER   sets DOCKER_HOST and DOCKER_CONFIG, or says in engine_problem why it cannot
#   engine_base FOLDER    makes the base image alone, for an engine that pulls none, or says why it cannot
#   engine_stop FOLDER    ends what engine_start started; the images stay in the folder

engine_start() {
  local folder=$1
  _engine_install "no Docker engine answers" dockerd:docker.io containerd:containerd tini:tini iptables:iptables \
    mmdebstrap:mmdebstrap && _engine_run "$folder" && engine_base "$folder" && _engine_compose "$folder"
}

_engine_cannot() {
  # shellcheck disable=SC2034  # read by whoever sources this file
  engine_problem=$1
  return 1
}

_engine_install() { # WHY PROGRAM:PACKAGE...
  local why=$1 program missing=()
  [ "$(id -u)" = 0 ] || _engine_cannot "$why, and only root can help that" || return
  command -v apt-get >/dev/null || _engine_cannot "$why, and there is no apt-get to help that" || return
  for program in "${@:2}"; do
    command -v "${program%:*}" >/dev/null || missing+=("${program#*:}")
  done
  [ ${#missing[@]} = 0 ] || { apt-get update -qq && apt-get install -y -qq "${missing[@]}"; } >/dev/null 2>&1 ||
    _engine_cannot "$why, and apt-get cannot install ${missing[*]}"
}

_engine_run() {
  local folder=$1
  mkdir -p "$folder/config/cli-plugins"
  # One at a time: each puts the network back as it was before it came.
  exec {_engine_lock}>/run/lock/segue-engine && flock "$_engine_lock"
  cat /proc/sys/net/ipv4/ip_forward >"$folder/ip_forward"
  ip link show docker0 >"$folder/docker0" 2>/dev/null || rm -f "$folder/docker0"
  iptables -S FORWARD 2>/dev/null | head -n 1 >"$folder/forward" || true
  # In a session of its own: Ctrl-C must not end it before what runs in it is taken down.
  setsid dockerd --data-root "$folder/data" --exec-root "$folder/exec" -H "unix://$folder/docker.sock" -p "$folder/pid" \
    >"$folder/dockerd.log" 2>&1 {_engine_lock}>&- &
  _engine_pid=$!
  export DOCKER_HOST=unix://$folder/docker.sock DOCKER_CONFIG=$folder/config
  for _ in $(seq 120); do
    ! docker info >/dev/null 2>&1 || return 0
    kill -0 "$_engine_pid" 2>/dev/null || break
    sleep 0.5
  done
  _engine_cannot "the Docker engine does not start here: $(tail -n 1 "$folder/dockerd.log")"
}

# The public base image has this name, so the Dockerfile need not know which of the two it builds on.
engine_base() {
  local name=python:3.13-slim-trixie
  ! docker image inspect "$name" >/dev/null 2>&1 || return 0
  _engine_install "no base image can be pulled" mmdebstrap:mmdebstrap || return
  # Kept in a file first: in a pipe, a base cut short would be an image like any other.
  mmdebstrap --quiet --variant=minbase --include=ca-certificates,netbase,tzdata,python3,python3-venv \
    trixie "$1/base.tar" 2>"$1/mmdebstrap.log" && docker import "$1/base.tar" "$name" >/dev/null ||
    _engine_cannot "no base image can be made here: $(tail -n 1 "$1/mmdebstrap.log")" || return
  rm "$1/base.tar"
}

_engine_compose() {
  ! docker compose version >/dev/null 2>&1 || return 0
  # The base's own apt fetches it, so this machine's is left as it is.
  docker run --rm python:3.13-slim-trixie sh -c 'cd /tmp && apt-get update -qq >&2 && apt-get download -qq docker-compose >&2 &&
      dpkg-deb --fsys-tarfile docker-compose*.deb' 2>"$1/compose.log" |
    tar --extract --directory "$1/config/cli-plugins" --strip-components 5 \
      ./usr/libexec/docker/cli-plugins/docker-compose || true
  docker compose version >/dev/null 2>&1 ||
    _engine_cannot "docker compose cannot be installed here: $(tail -n 1 "$1/compose.log")"
}

engine_stop() {
  local folder=$1
  [ -n "${_engine_pid:-}" ] || return 0
  kill "$_engine_pid" 2>/dev/null || true
  wait "$_engine_pid" 2>/dev/null || true
  umount "$folder/exec/netns/default" 2>/dev/null || true
  [ -e "$folder/docker0" ] || ip link delete docker0 2>/dev/null || true
  _engine_restore_network "$folder"
}

# The engine leaves its rules behind and forwarding refused, which others on this machine would run into.
_engine_restore_network() {
  local folder=$1 policy
  policy=$(awk '{print $3}' "$folder/forward")
  [ -e "$folder/docker0" ] || iptables-save | grep -vE 'DOCKER|docker0|-[io] br-[0-9a-f]{12}' |
    sed -E "s/^:FORWARD [A-Z]+/:FORWARD ${policy:-ACCEPT}/" | iptables-restore || true
  cat "$folder/ip_forward" >/proc/sys/net/ipv4/ip_forward || true
}
