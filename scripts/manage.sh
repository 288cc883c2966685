#!/usr/bin/env bash
# Day to day on a host that deploy-master.sh or deploy-agent.sh made. --help has the rest.
set -euo pipefail
PROGRAM=manage.sh
HERE=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
ROOT=$(dirname -- "$HERE")
# shellcheck source=scripts/lib/say.sh
. "$HERE/lib/say.sh"
# shellcheck source=scripts/lib/act.sh
. "$HERE/lib/act.sh"
# shellcheck source=scripts/lib/release.sh
. "$HERE/lib/release.sh"
# shellcheck source=scripts/lib/host.sh
. "$HERE/lib/host.sh"
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/store.sh
. "$HERE/lib/store.sh"
# shellcheck source=scripts/lib/service.sh
. "$HERE/lib/service.sh"
# shellcheck source=scripts/lib/uninstall.sh
. "$HERE/lib/uninstall.sh"
# shellcheck source=scripts/lib/status.sh
. "$HERE/lib/status.sh"
# shellcheck source=scripts/lib/keep.sh
. "$HERE/lib/keep.sh"

HELP='manage.sh COMMAND: a host of AI CDN Tunnel, master or node, day to day.

  status                    how it is; exit 0 well, 1 somebody should look, 2 something does not work, 3 not installed
  monitor [--interval S]    the same with every node, again every 2 s on a terminal; once without one
  logs [PART] [-f] [-n N] [--since WHEN]
                            what master, agent or engine said (all that are here), as journalctl has it
  start|stop|restart [PART…]
                            master and agent; the engine only when it is named, as that cuts what it carries
  reload [TARGET…]          settings are checked, then what changed is put into force, and the engine reads its
                            certificates again; no stream is cut. With a TARGET (a node, region=hk, all) on a master:
                            those nodes
  config-check [FILE…]      the settings of this host; a FILE is a tunnel document, which the master checks
                            (--type edge|core)
  backup [FILE]             all that a master knows, encrypted, read back once written (/var/backups/ai-cdn-…)
  restore FILE              a backup takes the place of what the master knows, also on another host
  upgrade FILE|URL          another release takes over, streams go on; when it is not healthy within 60 s a part, the one
                            before comes back by itself
  rollback [VERSION]        the release before, or one of those kept (the last three)
  uninstall [--purge]       everything off this host; data and settings only with --purge

  --passphrase-file FILE    of backup and restore: its first line; without it they ask
  --sha256 HEX              of upgrade: what the release must be
  --yes                     do not ask
  --dry-run                 of upgrade, rollback and uninstall: print every act, do none

  manage.sh status
  manage.sh logs engine -f
  manage.sh backup /srv/backups/fleet.backup --passphrase-file /root/backup.pass
  manage.sh upgrade ai-cdn-0.2.0-linux-x64.tar.gz

Exit status (but of status and monitor): 0 done; 1 failed, and this host is as it was before; 2 the command line is wrong.'

COMMANDS=(status monitor logs start stop restart reload config-check backup restore upgrade rollback uninstall)
FLAGS=(--interval --follow --lines --since --type --passphrase-file --sha256 --purge --yes --dry-run --help)

read_flags() {
  WORDS=() FOLLOW=0 LINES_SHOWN='' SINCE='' INTERVAL=2 TYPE='' PASSPHRASE_FILE='' SHA256='' PURGE=0 YES=0
  local flag
  while [ "$#" -gt 0 ]; do
    flag=$1
    shift
    case $flag in
      --*=*)
        set -- "${flag#*=}" "$@"
        flag=${flag%%=*}
        case $flag in
          --follow | --purge | --yes | --dry-run | --help) usage "$flag takes no value" ;;
        esac
        ;;
    esac
    case $flag in
      --interval | --lines | -n | --since | --type | --passphrase-file | --sha256) need_value "$flag" "$#" "${1-}" ;;
    esac
    case $flag in
      --follow | -f) FOLLOW=1 ;;
      --lines | -n) check_number "$flag" "$1" && LINES_SHOWN=$1 && shift ;;
      --interval) check_number "$flag" "$1" && INTERVAL=$1 && shift ;;
      --since) check_since "$1" && SINCE=$1 && shift ;;
      --type) check_type "$1" && TYPE=$1 && shift ;;
      --passphrase-file) PASSPHRASE_FILE=$1 && shift ;;
      --sha256) check_sha256 "$flag" "$1" && SHA256=$1 && shift ;;
      --purge) PURGE=1 ;;
      --yes) YES=1 ;;
      --dry-run) DRY=1 ;;
      --help | -h) say "$HELP" && exit 0 ;;
      -*) unknown_flag "$flag" "${FLAGS[@]}" ;;
      *) WORDS+=("$flag") ;;
    esac
  done
}

check_number() {
  if ! [[ $2 =~ ^[0-9]{1,6}$ ]] || [ "$((10#$2))" = 0 ]; then usage "$1 $(shown "$2") is no number"; fi
}
check_since() {
  [[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9\ :.+-]{0,63}$ ]] || usage "--since $(shown "$1"): write it like 10min ago, today or 2026-01-31 12:00"
}
check_type() {
  case $1 in edge | core) ;; *) usage "--type $(shown "$1"): edge or core" ;; esac
}

at_most() { # N: so many words may stand behind the command
  [ "${#WORDS[@]}" -le "$1" ] || usage "$COMMAND does not know what $(shown "${WORDS[$1]}") is for"
}

# The parts that are meant: those that were named, else all of this host but the engine.
parts() { # WITH_ENGINE
  local part
  PARTS=()
  for part in "${WORDS[@]+"${WORDS[@]}"}"; do
    case $part in
      master) has_master || usage 'there is no master on this host' ;;
      agent | engine) has_agent || usage "there is no $part on this host" ;;
      *) usage "$(shown "$part") is no part of a host: master, agent or engine" ;;
    esac
    PARTS+=("$part")
  done
  if [ "${#PARTS[@]}" -gt 0 ]; then return 0; fi
  if has_master; then PARTS+=(master); fi
  if has_agent; then PARTS+=(agent); fi
  if has_agent && [ "$1" = 1 ]; then PARTS+=(engine); fi
  [ "${#PARTS[@]}" -gt 0 ] || die 1 'nothing of AI CDN Tunnel is installed here' 'deploy-master.sh, deploy-agent.sh'
}

do_status() {
  at_most 0
  need_root
  host_status 0
  exit "$WORST"
}

do_monitor() {
  local text
  at_most 0
  need_root
  if ! [ -t 1 ]; then
    host_status 1
    exit "$WORST"
  fi
  trap 'printf "\n"; exit 0' INT
  while :; do
    text=$(host_status 1 2>&1)
    printf '\033[H\033[2J%s  %s, every %s s, ctrl-c ends\n\n%s\n' "$(hostname)" "$(date +%H:%M:%S)" "$INTERVAL" "$text"
    sleep "$INTERVAL"
  done
}

do_logs() {
  local args=(--no-pager) part
  parts 1
  for part in "${PARTS[@]}"; do args+=(--unit "ai-cdn-$part.service"); done
  if [ -n "$SINCE" ]; then args+=(--since "$SINCE"); fi
  if [ -n "$LINES_SHOWN" ] || [ -z "$SINCE" ]; then args+=(--lines "${LINES_SHOWN:-100}"); fi
  if [ "$FOLLOW" = 1 ]; then args+=(--follow); fi
  exec journalctl "${args[@]}"
}

do_units() { # start|stop|restart
  local part streams units=()
  need_root
  case $1 in
    start) parts 1 ;;
    *) parts 0 ;;
  esac
  for part in "${PARTS[@]}"; do
    if [ "$part" = engine ] && [ "$1" != start ]; then
      streams=$(streams_here)
      if [ "${streams:-0}" -gt 0 ]; then confirm "The engine carries $streams streams, which are cut: go on?"; fi
    fi
    units+=("ai-cdn-$part.service")
  done
  systemctl "$1" "${units[@]}" || {
    for part in "${units[@]}"; do is_active "$part" || last_lines "$part"; done
    die 1 "systemctl $1 ${units[*]} failed" 'see above'
  }
  say "$1: ${PARTS[*]}"
  if [ "$1" != start ] && has_agent && ! [[ " ${PARTS[*]} " == *' engine '* ]] && is_active ai-cdn-engine.service; then
    say "the engine goes on carrying $(streams_here) streams"
  fi
}

need_root() {
  [ "$(id -u)" = 0 ] || die 1 'this wants root' "sudo $0 $COMMAND"
}

settings_checked() {
  local ok=0 name
  for name in master agent; do
    if ! "has_$name"; then continue; fi
    if "$OPT/current/bin/aicdn-$name" settings --config "$ETC/$name.yml" >/dev/null; then say "$ETC/$name.yml is as it should be"; else ok=1; fi
  done
  return "$ok"
}

newer_than_unit() { # FILE UNIT
  local started
  [ -f "$1" ] || return 1
  started=$(systemctl show --property ActiveEnterTimestamp --value "$2")
  [ "$(stat -c %Y -- "$1")" -gt "$(date -d "${started#* }" +%s)" ]
}

do_reload() {
  local part
  need_root
  if [ "${#WORDS[@]}" -gt 0 ]; then
    need_master 'a reload of nodes' 'on a node: manage.sh reload'
    exec "$OPT/current/bin/aicdnctl" reload "${WORDS[@]}" --wait
  fi
  parts 0
  settings_checked || die 2 'the settings are refused; what runs goes on with the old ones' 'correct them, then this again'
  for part in "${PARTS[@]}"; do
    if newer_than_unit "$ETC/$part.yml" "ai-cdn-$part.service" || newer_than_unit "$ETC/$part.env" "ai-cdn-$part.service"; then
      say "$part begins anew with its changed settings; streams go on"
      "${part}_in_force"
    else
      say "$part: its settings are in force already"
    fi
  done
  if has_agent && is_active ai-cdn-engine.service; then "$OPT/current/bin/aicdn-agent" engine reload --config "$ETC/agent.yml"; fi
}

do_config_check() {
  local file status=0
  if [ "${#WORDS[@]}" = 0 ]; then
    need_root
    parts 0
    settings_checked || status=1
    exit "$status"
  fi
  for file in "${WORDS[@]}"; do
    if ! [ -f "$file" ] || ! [ -r "$file" ]; then usage "$(shown "$file") cannot be read"; fi
    case $file in /*) ;; *) file=./$file ;; esac
    "$OPT/current/bin/aicdnctl" config validate "$file" ${TYPE:+--type "$TYPE"} || status=1
  done
  exit "$status"
}

do_upgrade() {
  at_most 1
  [ "${#WORDS[@]}" = 1 ] || usage 'upgrade FILE|URL: which release?'
  check_release upgrade "${WORDS[0]}"
  need_host
  has_master || has_agent || die 1 'nothing of AI CDN Tunnel is installed here' 'deploy-master.sh, deploy-agent.sh'
  begin
  find_release "${WORDS[0]}" "$SHA256"
  stage_release
  keep_release
  put_in_force
}

do_rollback() {
  at_most 1
  need_host
  has_master || has_agent || die 1 'nothing of AI CDN Tunnel is installed here' 'deploy-master.sh, deploy-agent.sh'
  RELEASE=''
  if [ "${#WORDS[@]}" = 1 ]; then
    [[ ${WORDS[0]} =~ ^[0-9]+([.+-][0-9A-Za-z]+){0,12}$ ]] || usage "$(shown "${WORDS[0]}") is no version"
    RELEASE=$RELEASES/${WORDS[0]}
    [ -d "$RELEASE" ] || usage "release ${WORDS[0]} is not kept here; these are: $(find "$RELEASES" -mindepth 1 -maxdepth 1 -type d -printf '%f ')"
  else
    RELEASE=$(readlink -f -- "$OPT/previous" || true)
    if [ -z "$RELEASE" ] || ! [ -d "$RELEASE" ]; then die 1 'there is no release before this one' "manage.sh upgrade FILE"; fi
  fi
  VERSION=$(head -n 1 -- "$RELEASE/VERSION")
  begin
  put_in_force
}

# RELEASE instead of what runs; what fails is put back by the trap of begin.
put_in_force() {
  local before
  before=$(current_release)
  if [ "$RELEASE" = "$before" ]; then
    settle
    say "nothing to do: ${RELEASE##*/} runs here already"
    return 0
  fi
  upgrade_host
  settle
  if [ "$DRY" = 1 ]; then
    say "dry run: $CHANGED acts, none done"
    return 0
  fi
  prune_releases
  say "${RELEASE##*/} runs here, after ${before##*/}; back: manage.sh rollback"
}

do_uninstall() {
  local role done=0 name=''
  at_most 0
  need_host
  begin
  if has_agent; then name=$(setting aicdn-agent node.name 2>/dev/null || true); fi
  for role in agent master; do
    if installed "$role" || left_of "$role" "$PURGE"; then
      uninstall "$role" "$PURGE"
      done=1
    fi
  done
  settle
  [ "$done" = 1 ] || say 'nothing of AI CDN Tunnel is installed here: nothing to do'
  if [ -n "$name" ]; then say "the master still knows the node: aicdnctl nodes remove $name"; fi
}

main() {
  COMMAND=${1-}
  case $COMMAND in
    '' | -h | --help | help)
      say "$HELP"
      [ -n "$COMMAND" ] || exit 2
      exit 0
      ;;
  esac
  shift
  case " ${COMMANDS[*]} " in
    *" $COMMAND "*) ;;
    *)
      COMMAND=$(nearest "$COMMAND" "${COMMANDS[@]}")
      usage "there is no such command${COMMAND:+; did you mean $COMMAND?}"
      ;;
  esac
  read_flags "$@"
  case $COMMAND in
    status) do_status ;;
    monitor) do_monitor ;;
    logs) do_logs ;;
    start | stop | restart) do_units "$COMMAND" ;;
    reload) do_reload ;;
    config-check) do_config_check ;;
    upgrade) do_upgrade ;;
    rollback) do_rollback ;;
    uninstall) do_uninstall ;;
    backup)
      at_most 1
      back_up "${WORDS[0]-}" "$PASSPHRASE_FILE"
      ;;
    restore)
      at_most 1
      restore_backup "${WORDS[0]-}" "$PASSPHRASE_FILE"
      ;;
  esac
  # This file may be another release's by now, or gone: nothing more of it is read.
  exit 0
}

main "$@"
