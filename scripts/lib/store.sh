# shellcheck shell=bash
# Sourced. The master's store where a release that is taken back has brought it to a schema the one before does not read.

# The master's folders as its settings have them.
find_state() {
  MSTATE=$(setting aicdn-master state_dir)
  MDB=$(setting aicdn-master database.uri)
  [ -n "$MDB" ] || MDB=$MSTATE/db
}

# store_schema DIR: its schema; nothing where there is no store.
store_schema() {
  sed -nE 's/.*"schema": ?([0-9]+).*/\1/p' -- "$1/store.json" 2>/dev/null || true
}

# store_as_before DIR SCHEMA: the files that were put aside when it was migrated stand again; what was written since is kept
# beside them. Nothing to do where it was not migrated. The master is stopped.
store_as_before() {
  local dir=$1 before=$2 now kept aside part
  now=$(store_schema "$dir")
  if [ -z "$before" ] || [ -z "$now" ] || [ "$now" = "$before" ]; then return 0; fi
  kept=$dir/schema-$before
  aside=$dir/schema-$now-taken-back
  # Half a migration is finished by the release that began it, and by no other.
  if grep -q migrating_from -- "$dir/store.json" || ! [ -d "$kept/snapshot" ] || [ -e "$aside" ]; then
    note "  the store is of schema $now; what it was before is in $kept"
    return 1
  fi
  mkdir -m 0700 -- "$aside"
  chown --reference="$dir" -- "$aside"
  for part in journal snapshot; do
    if [ -e "$dir/$part" ]; then mv -T -- "$dir/$part" "$aside/$part"; fi
    mv -T -- "$kept/$part" "$dir/$part"
  done
  cp -p -- "$dir/store.json" "$aside/store.json"
  cp -p -- "$dir/store.json" "$dir/store.json.tmp"
  sed -E "s/(\"schema\": ?)$now/\\1$before/" <"$aside/store.json" >"$dir/store.json.tmp"
  mv -T -- "$dir/store.json.tmp" "$dir/store.json"
  rmdir -- "$kept"
  sync -f "$dir"
}
