#!/usr/bin/env bash
# Kernel settings and limits for many long streams: says what it would do, does it, reads it back, undoes it.
set -euo pipefail
here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
config=$(dirname -- "$here")/config/performance

usage() {
  cat <<'TEXT'
Usage: optimize.sh [dry-run|apply|undo|status] [--yes] [--root DIR]

  dry-run   what apply would do, key by key; changes nothing
  apply     sets the kernel's keys, reads each back, and writes drop-ins for the next start
  undo      puts back what was before the first apply: every key and every file
  status    whether it holds now
  (none)    apply, after a look at the plan and a question

  --yes       no question
  --root DIR  a tree instead of this machine: DIR/etc, DIR/var, DIR/proc

Values: config/performance/sysctl.conf and limits.conf, commented; what is marked "by memory" there is sized for this
machine. A limit that is higher already stays. apply and undo want root. Services started before keep the descriptors they
have: systemctl restart ai-cdn-agent afterwards.

Exit status: 0 done, or as wanted; 1 something was refused, or (status) is not as wanted; 2 the command line is wrong.
TEXT
}

fail() {
  printf 'error: %s\n' "$1" >&2
  exit "${2:-1}"
}

ROOT=
verb=
yes=
while (($# > 0)); do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --yes | -y) yes=1 ;;
    --root)
      if [ $# -lt 2 ] || [ ! -d "$2" ]; then fail '--root wants a directory that is there' 2; fi
      ROOT=$(readlink -f -- "$2")
      ROOT=${ROOT%/}
      shift
      ;;
    dry-run | apply | undo | status)
      [ -z "$verb" ] || fail "one of dry-run, apply, undo, status; not $verb and $1" 2
      verb=$1
      ;;
    *) fail "$(printf '%q' "$1") is not known; --help says what there is" 2 ;;
  esac
  shift
done

# shellcheck source=scripts/lib/kernel.sh
. "$here/lib/kernel.sh"

STATE=$ROOT/var/lib/ai-cdn-optimize
SYSCTL=/etc/sysctl.d/90-ai-cdn.conf
LIMITS=/etc/security/limits.d/90-ai-cdn.conf
MODULES=/etc/modules-load.d/90-ai-cdn.conf
for file in "$config/sysctl.conf" "$config/limits.conf"; do
  [ -r "$file" ] || fail "$file is not there: run this from its release or checkout"
done
[ -r "$ROOT/proc/meminfo" ] || fail "$ROOT/proc/meminfo cannot be read" 2

# Lines of what to do, a key, what is wanted, what is now, in the order of the file:
#   set    it is another
#   keep   it is so already
#   absent the kernel, or this namespace, has none; `now` says why
plan() {
  local mib bbr='' line key value now todo
  mib=$(memory_mib)
  if has_bbr; then bbr=1; fi
  while IFS= read -r line; do
    [[ $line =~ ^([a-z0-9_.-]+)[[:blank:]]*=[[:blank:]]*(.+)$ ]] || continue
    key=${BASH_REMATCH[1]}
    value=$(sized "$key" "$(plain "${BASH_REMATCH[2]}")" "$mib")
    if [ -z "$bbr" ] && [[ $key =~ default_qdisc|congestion_control ]]; then
      printf 'absent\t%s\t%s\t%s\n' "$key" "$value" 'left alone: this kernel has no bbr'
    elif now=$(read_key "$key"); then
      value=$(wanted "$key" "$value" "$now")
      todo='set'
      [ "$value" != "$now" ] || todo='keep'
      printf '%s\t%s\t%s\t%s\n' "$todo" "$key" "$value" "$now"
    elif [[ $key == net.netfilter.* ]]; then
      printf 'absent\t%s\t%s\t%s\n' "$key" "$value" 'no connection tracking is loaded'
    else
      printf 'absent\t%s\t%s\t%s\n' "$key" "$value" 'this kernel, or this namespace, has none'
    fi
  done <"$config/sysctl.conf"
}

# say WORD KEY TEXT
say() {
  printf '  %-9s %-36s %s\n' "$1" "$2" "$3"
}

# What the drop-in is to hold: the plan, with a line for what is absent.
sysctl_text() {
  local todo key want now
  echo '# Written by optimize.sh from config/performance/sysctl.conf; optimize.sh undo takes it away.'
  while IFS=$'\t' read -r todo key want now; do
    if [ "$todo" = absent ]; then echo "# $key = $want ($now)"; else echo "$key = $want"; fi
  done <<<"$1"
}

modules_text() {
  echo '# Written by optimize.sh: its congestion control; optimize.sh undo takes it away.'
  echo tcp_bbr
}

# put TEXT FILE: the file holds exactly this, whole or as before. Status 1: it did already.
put() {
  local file=$ROOT$2
  [ -f "$file" ] && [ "$(cat -- "$file")" = "$1" ] && return 1
  mkdir -p -- "$(dirname -- "$file")"
  printf '%s\n' "$1" >"$file.new"
  chmod 0644 "$file.new"
  mv -f -- "$file.new" "$file"
}

# What is before the first apply is kept until undo; a second apply adds only what it had not touched.
remember() {
  local todo key want now file kept dir
  mkdir -p -- "$STATE/files"
  chmod 0700 "$STATE"
  touch "$STATE/keys" "$STATE/dirs"
  cp -- "$STATE/keys" "$STATE/keys.new"
  while IFS=$'\t' read -r todo key want now; do
    [ "$todo" = set ] || continue
    grep -q "^$key"$'\t' "$STATE/keys.new" || printf '%s\t%s\n' "$key" "$now" >>"$STATE/keys.new"
  done <<<"$1"
  sync -- "$STATE/keys.new"
  mv -f -- "$STATE/keys.new" "$STATE/keys"
  for file in "$SYSCTL" "$LIMITS" "$MODULES"; do
    kept=$STATE/files/${file//\//_}
    if [ ! -e "$kept" ] && [ ! -e "$kept.none" ]; then
      if [ -e "$ROOT$file" ]; then cp -p -- "$ROOT$file" "$kept"; else : >"$kept.none"; fi
    fi
    dir=$(dirname -- "$file")
    [ -d "$ROOT$dir" ] || grep -qx -- "$dir" "$STATE/dirs" || echo "$dir" >>"$STATE/dirs"
  done
}

need_root() {
  [ -n "$ROOT" ] || [ "$EUID" -eq 0 ] || fail "$1 wants root: sudo $0 $1"
}

show_plan() {
  local todo key want now
  printf 'memory %s MiB%s\n\n' "$(memory_mib)" "${ROOT:+, tree $ROOT}"
  while IFS=$'\t' read -r todo key want now; do
    case $todo in
      set) say set "$key" "${now:-none} -> $want" ;;
      *) say "$todo" "$key" "$now" ;;
    esac
  done <<<"$1"
  printf '\n  files     %s, %s\n' "$ROOT$SYSCTL" "$ROOT$LIMITS"
}

apply() {
  local the_plan=$1 todo key want now got
  local applied=0 kept=0 refused=0 absent=0
  need_root apply
  remember "$the_plan"
  if [ -z "$ROOT" ] && has_bbr && [[ " $(read_key net.ipv4.tcp_available_congestion_control) " != *" bbr "* ]]; then
    if modprobe tcp_bbr 2>/dev/null; then echo tcp_bbr >"$STATE/module"; fi
  fi
  while IFS=$'\t' read -r todo key want now; do
    case $todo in
      absent)
        say absent "$key" "$now"
        absent=$((absent + 1))
        ;;
      keep)
        say kept "$key" "$now"
        kept=$((kept + 1))
        ;;
      set)
        write_key "$key" "$want" || true
        got=$(read_key "$key" || true)
        if [ "$got" = "$want" ]; then
          say applied "$key" "${now:-none} -> $want"
          applied=$((applied + 1))
        else
          say refused "$key" "wanted $want, the kernel has ${got:-none}"
          refused=$((refused + 1))
        fi
        ;;
    esac
  done <<<"$the_plan"
  echo
  put "$(sysctl_text "$the_plan")" "$SYSCTL" && say written "$ROOT$SYSCTL" ''
  put "$(cat -- "$config/limits.conf")" "$LIMITS" && say written "$ROOT$LIMITS" ''
  if grep -qs '^tcp_bbr ' "$ROOT/proc/modules"; then
    put "$(modules_text)" "$MODULES" && say written "$ROOT$MODULES" ''
  fi
  printf '%s applied, %s kept, %s refused, %s absent\n' "$applied" "$kept" "$refused" "$absent"
  [ "$refused" -eq 0 ]
}

undo() {
  local key before got file kept dir wrong=0
  need_root undo
  if [ ! -d "$STATE" ]; then
    echo 'nothing to undo'
    return
  fi
  # Backwards, so that the congestion control goes before its queue.
  while IFS=$'\t' read -r key before; do
    if ! got=$(read_key "$key"); then
      say absent "$key" 'gone since: nothing to put back'
      continue
    fi
    [ "$got" = "$before" ] || write_key "$key" "$before" || true
    got=$(read_key "$key" || true)
    if [ "$got" = "$before" ]; then
      say restored "$key" "${before:-none}"
    else
      say refused "$key" "was $before, the kernel has ${got:-none}"
      wrong=1
    fi
  done < <(tac -- "$STATE/keys")
  for file in "$SYSCTL" "$LIMITS" "$MODULES"; do
    kept=$STATE/files/${file//\//_}
    if [ -e "$kept" ]; then
      cp -p -- "$kept" "$ROOT$file"
      say restored "$ROOT$file" ''
    elif [ -e "$kept.none" ] && [ -e "$ROOT$file" ]; then
      rm -- "$ROOT$file"
      say removed "$ROOT$file" ''
    fi
  done
  while IFS= read -r dir; do
    rmdir -- "$ROOT$dir" 2>/dev/null || true
  done <"$STATE/dirs"
  if [ -e "$STATE/module" ]; then
    # In use by connections that are still open it stays until the next start.
    modprobe -r "$(cat -- "$STATE/module")" 2>/dev/null || true
  fi
  [ "$wrong" -eq 0 ] || fail "not everything could be put back; what was before stays in $STATE, try again"
  rm -r -- "$STATE"
}

status() {
  local todo key want now file wrong=0
  while IFS=$'\t' read -r todo key want now; do
    case $todo in
      set)
        say differs "$key" "${now:-none}, wanted $want"
        wrong=1
        ;;
      keep) say holds "$key" "$now" ;;
      absent) say absent "$key" "$now" ;;
    esac
  done <<<"$1"
  for file in "$SYSCTL" "$LIMITS"; do
    if [ -e "$ROOT$file" ]; then
      say there "$ROOT$file" ''
    else
      say missing "$ROOT$file" 'the next start forgets'
      wrong=1
    fi
  done
  if [ -d "$STATE" ]; then echo 'applied by optimize.sh: undo puts back what was before'; else echo 'not applied by optimize.sh'; fi
  return "$wrong"
}

case $verb in
  dry-run) show_plan "$(plan)" ;;
  apply) apply "$(plan)" ;;
  undo) undo ;;
  status) status "$(plan)" ;;
  '')
    need_root apply
    the_plan=$(plan)
    show_plan "$the_plan"
    if [ -z "$yes" ]; then
      [ -t 0 ] || fail "nobody is here to say yes: $0 apply, or --yes" 2
      read -r -p 'Apply this? [y/N] ' answer
      [[ $answer == [yY]* ]] || fail 'nothing was changed'
    fi
    echo
    apply "$the_plan"
    ;;
esac
