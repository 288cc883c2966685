# shellcheck shell=bash
# Sourced by manage.sh: backups of a master, and their way back.

need_master() {
  has_master || die 1 "$1 is of a master, and there is none on this host" "$2"
}

# Read once, also where two programs want it; shown to nobody.
read_passphrase() { # FILE TWICE
  local again
  if [ -n "$1" ]; then
    if ! [ -f "$1" ] || ! [ -r "$1" ]; then usage "--passphrase-file $(shown "$1") cannot be read"; fi
    PASSPHRASE=$(head -n 1 -- "$1")
  else
    if ! [ -t 0 ] || ! [ -t 2 ]; then
      die 2 'a backup needs a passphrase, and nobody is here to type one' 'give --passphrase-file FILE (0600, its first line)'
    fi
    IFS= read -r -s -p 'passphrase of the backup: ' PASSPHRASE
    note ''
    if [ "$2" = 1 ]; then
      IFS= read -r -s -p 'the same again: ' again
      note ''
      [ "$PASSPHRASE" = "$again" ] || die 2 'the two differ; nothing was done'
    fi
  fi
  [ "${#PASSPHRASE}" -ge 12 ] || usage 'the passphrase has 12 characters at least'
}

back_up() { # FILE PASSPHRASE_FILE
  local file=$1 said
  need_root
  need_master 'a backup' 'a node keeps nothing that its master does not know: aicdnctl tokens create --replace NAME, deploy-agent.sh'
  if [ -z "$file" ]; then file=/var/backups/ai-cdn-$(hostname)-$(date -u +%Y%m%d-%H%M%S).backup; fi
  case $file in -*) usage "$(shown "$file") is no name for a file: write it with its folder, ./-…" ;; esac
  [ -d "$(dirname -- "$file")" ] || usage "there is no folder $(shown "$(dirname -- "$file")")"
  [ ! -e "$file" ] || usage "$(shown "$file") is there already: a backup is never written over"
  read_passphrase "$2" 1
  ctl backup create "$file" --passphrase-file - <<<"$PASSPHRASE" ||
    die 1 'no backup was made' 'see above'
  said=$("$OPT/current/bin/aicdn-master" check-backup "$file" --passphrase-file /dev/stdin <<<"$PASSPHRASE") || {
    rm -f -- "$file"
    die 1 "the backup that was written to $file cannot be read back, and was removed" 'look at the disk; then again'
  }
  say "verified: $said"
  say "  keep its passphrase elsewhere; back it goes with: manage.sh restore $file"
}

restore_backup() { # FILE PASSPHRASE_FILE
  local file=$1 aside old entry said
  [ -n "$file" ] || usage 'restore FILE: which backup?'
  case $file in -*) usage "$(shown "$file") is no file" ;; esac
  if ! [ -f "$file" ] || ! [ -r "$file" ]; then usage "$(shown "$file") cannot be read"; fi
  need_root
  need_master 'a restore' 'deploy-master.sh first, with --advertise set to the names that nodes know, then this again'
  read_passphrase "$2" 0
  find_state
  said=$("$OPT/current/bin/aicdn-master" check-backup "$file" --passphrase-file /dev/stdin <<<"$PASSPHRASE") || die 1 'nothing was changed'
  say "$said"
  need_host
  confirm "What this master knows now is put aside and the backup takes its place: go on?"
  begin
  aside=$MSTATE/.restored
  undo_with rm -rf -- "$aside"
  rm -rf -- "$aside"
  "$OPT/current/bin/aicdn-master" restore "$file" --passphrase-file /dev/stdin --config "$ETC/master.yml" \
    --set "state_dir=$aside" --set "database.uri=file://$aside/db" <<<"$PASSPHRASE" >/dev/null ||
    die 1 'the backup could not be unpacked' 'see above'
  chown -R "$USER_NAME:$USER_NAME" -- "$aside"
  old=$MSTATE/before-restore-$(date -u +%Y%m%d-%H%M%S)
  install -d -m 0700 -o "$USER_NAME" -g "$USER_NAME" -- "$old"
  undo_with rmdir -- "$old"
  undo_with systemctl start ai-cdn-master.service
  systemctl stop ai-cdn-master.service
  if [ -e "$MDB" ]; then
    undo_with mv -T -- "$old/db" "$MDB"
    mv -T -- "$MDB" "$old/db"
  fi
  for entry in "${MASTER_STATE[@]}"; do
    [ -e "$MSTATE/$entry" ] || continue
    undo_with mv -T -- "$old/$entry" "$MSTATE/$entry"
    mv -T -- "$MSTATE/$entry" "$old/$entry"
  done
  undo_with rm -rf -- "$MDB"
  mv -T -- "$aside/db" "$MDB"
  for entry in "$aside"/*; do
    undo_with rm -rf -- "${MSTATE:?}/${entry##*/}"
    mv -- "$entry" "$MSTATE/"
  done
  rmdir -- "$aside"
  undo_with systemctl stop ai-cdn-master.service
  systemctl reset-failed ai-cdn-master.service 2>/dev/null || true
  master_in_force
  settle
  say "restored: the master runs on it, nodes come back by themselves with the certificates they have"
  say "  what it knew before is in $old: remove it when all is well"
  say '  nodes dial what their agent.yml says: give this host that name or address, or set master.addr there'
}
