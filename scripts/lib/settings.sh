# shellcheck shell=bash
# Sourced. The two settings files: made of the shipped ones, comments and all, and changed key by key afterwards.

# set_key SECTION.KEY VALUE < yaml: that key's line, commented out or not, gets the value; all else stays. `.KEY` stands in
# no section.
set_key() {
  awk -v section="${1%.*}" -v key="${1##*.}" -v value="$2" '
    function put() { if (inside && !done) { print indent key ": " value; done = 1 } }
    BEGIN { if (section == "") inside = seen = 1; else indent = "  " }
    section != "" && /^[a-z_]+:/ { put(); inside = ($0 ~ "^" section ":"); if (inside) seen = 1 }
    inside && !done && $0 ~ "^" indent "(# ?)?" key ":" { put(); next }
    { print }
    END { put(); if (!seen) { print section ":"; print indent key ": " value } }'
}

# A value as YAML holds it: plain where it can be.
yaml() {
  if [[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9._-]*(:[0-9]+)?$ ]] || [[ $1 =~ ^:[0-9]+$ ]]; then printf '%s' "$1"; else printf '"%s"' "$1"; fi
}

# put_settings NAME KEY VALUE…: /etc/ai-cdn/NAME.yml, from what is there or else the shipped one, with these keys.
# The program itself reads it before it takes the place of the file.
put_settings() {
  local name=$1 file=$ETC/$1.yml made from why
  shift
  from=$file
  [ -f "$from" ] || from=${RELEASE:-}/config/$name.yml
  if ! [ -f "$from" ]; then
    # A dry run of a release that is not unpacked.
    act "write $file, with $(quoted "$@")" place
    return 0
  fi
  made=$(mktemp "$WORK/settings.XXXXXX")
  cat -- "$from" >"$made"
  while [ "$#" -gt 0 ]; do
    set_key "$1" "$2" <"$made" >"$made.next"
    mv -- "$made.next" "$made"
    shift 2
  done
  if [ "$DRY" = 0 ]; then
    why=$("$RELEASE/bin/aicdn-$name" settings --config "$made" 2>&1 >/dev/null) ||
      die 1 "the settings for $file are refused: ${why//"$made"/"$file"}" "correct $file, then run this again"
  fi
  put_file "$file" 640 "root:$USER_NAME" <"$made"
}
