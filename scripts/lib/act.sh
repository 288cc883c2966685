# shellcheck shell=bash
# shellcheck disable=SC2034 # read by what sources this, and by the other parts
# Sourced. Changes to a host, each with what takes it back: either all of a run holds, or nothing of it.
# With DRY=1 every act is printed and none is done. CHANGED counts them: 0 at the end of a second run.

DRY=0
CHANGED=0
ANEW=0
UNDO=()
WORK=''
OPEN=0

# Commands are shown as a person could type them.
quoted() {
  local out='' word
  for word in "$@"; do
    if [[ $word =~ ^[A-Za-z0-9_./:=,@%+-]+$ ]]; then out+=" $word"; else out+=" '${word//\'/\'\\\'\'}'"; fi
  done
  printf '%s' "${out# }"
}

# act WHAT COMMAND…: one change.
act() {
  local what=$1
  shift
  CHANGED=$((CHANGED + 1))
  if [ "$DRY" = 1 ]; then
    if declare -F -- "$1" >/dev/null; then say "would $what"; else say "would $what: $(quoted "$@")"; fi
    return 0
  fi
  say "$what"
  "$@"
}

# matters COMMAND…: what it changes wants what runs to begin anew.
matters() {
  local before=$CHANGED
  "$@"
  if [ "$before" != "$CHANGED" ]; then ANEW=1; fi
}

# undo_with COMMAND…: takes back the act before, when the run fails.
undo_with() {
  [ "$DRY" = 1 ] || UNDO+=("$(printf '%q ' "$@")")
}

begin() {
  WORK=$(mktemp -d "${TMPDIR:-/tmp}/ai-cdn.XXXXXX")
  OPEN=1
  trap ended EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}

# What was done stays.
settle() { OPEN=0; }

ended() {
  local status=$? i
  trap - EXIT
  trap '' INT TERM HUP
  set +e
  if [ "$OPEN" = 1 ] && [ "$status" != 0 ] && [ "${#UNDO[@]}" -gt 0 ]; then
    note 'putting back what was changed'
    for ((i = ${#UNDO[@]} - 1; i >= 0; i--)); do
      eval "${UNDO[i]}" >>"$WORK/undo.log" 2>&1 || note "  not put back: ${UNDO[i]}"
    done
    note 'this host is as it was before'
  fi
  [ -z "$WORK" ] || rm -rf -- "$WORK"
  exit "$status"
}

# put_file PATH MODE OWNER:GROUP < content: whole or not at all; nothing where it is so already.
put_file() {
  local path=$1 mode=$2 owner=$3 new old
  new=$(mktemp "$WORK/new.XXXXXX")
  cat >"$new"
  if [ -f "$path" ] && ! [ -L "$path" ] && cmp -s -- "$new" "$path" &&
    [ "$(stat -c '%a %U:%G' -- "$path")" = "$mode $owner" ]; then
    return 0
  fi
  if [ -e "$path" ] || [ -L "$path" ]; then
    if [ "$DRY" = 0 ]; then
      old=$(mktemp -u "$WORK/old.XXXXXX")
      cp -a -- "$path" "$old"
      undo_with cp -a --remove-destination -- "$old" "$path"
    fi
    act "change $path" place "$new" "$path" "$mode" "$owner"
  else
    undo_with rm -f -- "$path"
    act "write $path" place "$new" "$path" "$mode" "$owner"
  fi
}

place() {
  install -m "$3" -o "${4%:*}" -g "${4#*:}" -- "$1" "$2.new"
  mv -f -- "$2.new" "$2"
}

# put_dir PATH MODE OWNER:GROUP
put_dir() {
  local path=$1 mode=$2 owner=$3
  if [ -d "$path" ]; then
    [ "$(stat -c '%a %U:%G' -- "$path")" != "$mode $owner" ] || return 0
    undo_with chmod "$(stat -c '%a' -- "$path")" "$path"
    undo_with chown "$(stat -c '%u:%g' -- "$path")" "$path"
    act "give $path to $owner, $mode" install -d -m "$mode" -o "${owner%:*}" -g "${owner#*:}" -- "$path"
  else
    undo_with rmdir -- "$path"
    act "make $path" install -d -m "$mode" -o "${owner%:*}" -g "${owner#*:}" -- "$path"
  fi
}

# put_link TARGET PATH: swapped in one step.
put_link() {
  local target=$1 path=$2 old
  old=$(readlink -- "$path" 2>/dev/null || true)
  [ "$old" != "$target" ] || return 0
  if [ -n "$old" ]; then undo_with link_to "$old" "$path"; else
    if [ -e "$path" ]; then
      die 1 "$path is there and is no link of ours" "move it away, then run this again"
    fi
    undo_with rm -f -- "$path"
  fi
  act "link $path to $target" link_to "$target" "$path"
}

link_to() {
  ln -sfn -- "$1" "$2.new"
  mv -fT -- "$2.new" "$2"
}

# remove PATH…: for uninstalling.
remove() {
  local path
  for path in "$@"; do
    if [ -e "$path" ] || [ -L "$path" ]; then act "remove $path" rm -rf -- "$path"; fi
  done
}

# wait_for SECONDS COMMAND…: until it succeeds; fails when the time is over.
wait_for() {
  local until=$((SECONDS + $1))
  shift
  while ! "$@"; do
    [ "$SECONDS" -lt "$until" ] || return 1
    sleep 0.2
  done
}
