# shellcheck shell=bash
# shellcheck disable=SC2034 # read by what sources this, and by the other parts
# Sourced. Releases: found, checked, unpacked beside the others, switched to, taken away.
#
#   /opt/ai-cdn/releases/<version>/{bin,lib,config,scripts,units,VERSION}
#   /opt/ai-cdn/current  -> releases/<version>      what runs
#   /opt/ai-cdn/previous -> releases/<version>      what `manage.sh rollback` goes back to

OPT=/opt/ai-cdn
RELEASES=$OPT/releases
KEEP_RELEASES=3
# Beside the versions, on their disk: a rename makes it one.
STAGE=$OPT/.stage
RELEASE_FILES=(VERSION bin/aicdn-master bin/aicdn-agent bin/aicdn-engine bin/aicdnctl bin/aicdn-tui lib/node
  lib/master.mjs lib/agent.mjs lib/engine.mjs lib/ctl.mjs lib/tui.mjs
  config/master.yml config/agent.yml scripts/manage.sh
  units/ai-cdn-master.service units/ai-cdn-agent.service units/ai-cdn-engine.service)

# check_release WHAT VALUE: a file that is there, or a URL.
check_release() {
  case $2 in
    https://* | http://*)
      [[ $2 =~ ^https?://[A-Za-z0-9._:@%/?=\&~+,\[\]-]+$ ]] || usage "$1 $(shown "$2") is no URL"
      ;;
    -*) usage "$1 $(shown "$2") is no file: write ./-… when its name begins so" ;;
    *)
      [ -e "$2" ] || usage "$1 $(shown "$2"): there is no such file"
      if ! [ -f "$2" ] || ! [ -r "$2" ]; then usage "$1 $(shown "$2") is no file that can be read"; fi
      ;;
  esac
}

check_sha256() { # WHAT VALUE
  [[ $2 =~ ^[0-9a-fA-F]{64}$ ]] || usage "$1 $(shown "$2") is no sha256: 64 hex digits"
}

# find_release GIVEN SHA256: makes RELEASE_FILE (a tarball) or RELEASE_TREE (an unpacked one) out of what was given, the
# tree that this script lies in, or a checkout's dist/, which is built when there is none.
find_release() {
  local given=$1 sha=$2
  RELEASE_FILE='' RELEASE_TREE=''
  case $given in
    https://* | http://*) fetch_release "$given" "$sha" ;;
    ?*)
      RELEASE_FILE=$(readlink -f -- "$given")
      check_sum "$RELEASE_FILE" "$sha"
      ;;
    *)
      if [ -x "$ROOT/lib/node" ] && [ -f "$ROOT/VERSION" ]; then
        RELEASE_TREE=$ROOT
      elif [ -f "$ROOT/package.json" ]; then
        built_release
      else
        die 1 "there is no release beside $ROOT/scripts" "give one: --release FILE or --release URL"
      fi
      ;;
  esac
}

# What `npm run release` left in a checkout; made now when it is not there, or older than what it is made of.
built_release() {
  local out=$ROOT/dist-release
  RELEASE_FILE=$(newest_in "$out")
  if [ -n "$RELEASE_FILE" ] && ! command -v npm >/dev/null; then return 0; fi
  if [ -n "$RELEASE_FILE" ] && ! made_of_newer "$RELEASE_FILE"; then return 0; fi
  if [ "$DRY" = 1 ]; then
    act 'build a release of this checkout' npm --prefix "$ROOT" run -s release
    RELEASE_FILE=''
    return 0
  fi
  command -v npm >/dev/null ||
    die 1 "$ROOT is a checkout without a release, and there is no npm here to build one" \
      "build it elsewhere (npm run release) and give it: --release ai-cdn-<version>-linux-$(machine).tar.gz"
  say "building a release of $ROOT"
  (cd -- "$ROOT" && npm run -s release) >&2 || die 1 "the release was not built" "see above: cd $ROOT && npm run release"
  RELEASE_FILE=$(newest_in "$out")
  [ -n "$RELEASE_FILE" ] || die 1 "npm run release left no ai-cdn-*-linux-$(machine).tar.gz in $out" "see above"
}

made_of_newer() {
  [ -n "$(cd -- "$ROOT" && find daemon agent tui proto config scripts package-lock.json -type f -newer "$1" -print -quit)" ]
}

newest_in() {
  local file newest=''
  for file in "$1"/ai-cdn-*-linux-"$(machine)".tar.gz; do
    [ -f "$file" ] || continue
    if [ -z "$newest" ] || [ "$file" -nt "$newest" ]; then newest=$file; fi
  done
  printf '%s' "$newest"
}

machine() {
  case $(uname -m) in
    x86_64) printf x64 ;;
    aarch64 | arm64) printf arm64 ;;
    *) uname -m ;;
  esac
}

fetch_release() { # URL SHA256
  local url=$1 sha=$2 name
  name=${url%%\?*}
  name=${name##*/}
  [[ $name =~ ^[A-Za-z0-9][A-Za-z0-9._+-]*$ ]] || name=release.tar.gz
  case $url in
    http://*) [ -n "$sha" ] || usage "--release over http says nothing about who made it: give --sha256, or use https" ;;
  esac
  if [ "$DRY" = 1 ]; then
    act "download the release" download "$url" "$name"
    return 0
  fi
  RELEASE_FILE=$WORK/$name
  say "downloading $url"
  download "$url" "$RELEASE_FILE" || die 1 "$url could not be downloaded" "see above; or give a file: --release FILE"
  if [ -z "$sha" ]; then
    download "$(sums_name "$url")" "$(sums_name "$RELEASE_FILE")" 2>/dev/null || rm -f -- "$(sums_name "$RELEASE_FILE")"
  fi
  check_sum "$RELEASE_FILE" "$sha"
}

download() {
  if command -v curl >/dev/null; then
    curl --fail --silent --show-error --location --proto '=http,https' --proto-redir '=http,https' --max-time 600 \
      --output "$2" --url "$1"
  elif command -v wget >/dev/null; then
    wget --quiet --timeout=60 --output-document="$2" -- "$1"
  else
    note 'neither curl nor wget is installed here'
    return 1
  fi
}

# ai-cdn-1.2.3-linux-x64.tar.gz has its sum in ai-cdn-1.2.3-linux-x64.sha256.
sums_name() {
  local name=${1%.gz}
  name=${name%.zst}
  printf '%s.sha256' "${name%.tar}"
}

# check_sum FILE SHA256: against the one that was given, else the one beside it, where there is one.
check_sum() {
  local file=$1 want=$2 have beside name
  name=$(basename -- "$file")
  for beside in "$(sums_name "$file")" "$file.sha256"; do
    if [ -n "$want" ] || ! [ -f "$beside" ]; then continue; fi
    want=$(awk -v name="$name" '{ sub(/^[*]/, "", $2) } NF == 1 || $2 == name { print $1; exit }' "$beside")
    [ -n "$want" ] || die 1 "$beside does not name $name" "fetch both again"
  done
  if [ -z "$want" ]; then
    note "note: no sha256 beside $file: it is taken as it is"
    return 0
  fi
  have=$(sha256sum <"$file") && have=${have%% *}
  [ "$have" = "$(printf '%s' "$want" | tr 'A-F' 'a-f')" ] ||
    die 1 "$file is not what its sha256 says: it is $have, not $want" "fetch it again; nothing was changed"
}

# stage_release: into $STAGE, checked as far as it can be without running here. Sets VERSION and STAGED.
stage_release() {
  local top
  if [ "$DRY" = 1 ]; then
    VERSION=$(version_named)
    STAGED=''
    return 0
  fi
  STAGED=''
  if [ -n "$RELEASE_TREE" ]; then
    # The one that stands here already is not copied to be compared.
    VERSION=$(head -n 1 -- "$RELEASE_TREE/VERSION")
    check_version
    if same_tree "$RELEASE_TREE" "$RELEASES/$VERSION"; then return 0; fi
  fi
  put_dir "$OPT" 755 root:root >/dev/null
  undo_with rm -rf -- "$STAGE"
  rm -rf -- "$STAGE"
  mkdir -m 0755 -- "$STAGE"
  if [ -n "$RELEASE_TREE" ]; then
    cp -a -- "$RELEASE_TREE" "$STAGE/tree"
    STAGED=$STAGE/tree
  else
    case $RELEASE_FILE in
      *.zst) command -v zstd >/dev/null || die 1 "$RELEASE_FILE wants zstd, which is not installed here" \
        "give the .tar.gz of the same release, or: apt-get install zstd" ;;
    esac
    tar --extract --no-same-owner --no-same-permissions --directory "$STAGE" --file "$RELEASE_FILE" ||
      die 1 "$RELEASE_FILE cannot be unpacked" "check the file, and the space on $OPT: df -h $OPT"
    for top in "$STAGE"/*; do
      [ -z "$STAGED" ] || die 1 "$RELEASE_FILE holds more than one folder" "give a release as npm run release makes it"
      STAGED=$top
    done
  fi
  check_layout "$STAGED"
  chown -R root:root -- "$STAGED"
  chmod -R go-w,a+rX -- "$STAGED"
}

check_layout() { # TREE
  local tree=$1 file odd said
  for file in "${RELEASE_FILES[@]}"; do
    [ -f "$tree/$file" ] || die 1 "the release has no $file" "give a release as npm run release makes it"
  done
  odd=$(find "$tree" \( ! -type f ! -type d ! -type l \) -o -perm /6000 -o -type l \( -lname '/*' -o -lname '*..*' \) | head -n 1)
  [ -z "$odd" ] || die 1 "the release holds $(shown "$odd"), which has no business in one" "do not install it"
  VERSION=$(head -n 1 -- "$tree/VERSION")
  check_version
  said=$("$tree/bin/aicdn-agent" version 2>&1) ||
    die 1 "the release does not run on this host: $(shown "$said")" \
      "is it for $(machine)? its name says so: ai-cdn-<version>-linux-$(machine)"
  [ "$said" = "$VERSION" ] ||
    die 1 "the release calls itself $VERSION and its programs say $(shown "$said")" "do not install it"
}

check_version() {
  [[ $VERSION =~ ^[0-9]+(\.[0-9A-Za-z+-]+){0,8}$ ]] ||
    die 1 "the release calls itself $(shown "$VERSION"), which is no version" "do not install it"
}

# For --dry-run, which unpacks nothing.
version_named() {
  if [ -n "$RELEASE_TREE" ]; then
    head -n 1 -- "$RELEASE_TREE/VERSION"
  else
    local name=${RELEASE_FILE##*/}
    name=${name#ai-cdn-}
    printf '%s' "${name%%-linux-*}"
  fi
}

# keep_release: what is staged becomes RELEASE, a folder under releases/. One that is there and equal is used as it is.
keep_release() {
  if [ "$DRY" = 1 ]; then
    RELEASE=$RELEASES/${VERSION:-VERSION}
    [ -d "$RELEASE" ] || act "unpack release ${VERSION:-as built}" tar -xf "${RELEASE_FILE:-as built}" -C "$RELEASES"
    return 0
  fi
  RELEASE=$RELEASES/$VERSION
  if [ -z "$STAGED" ]; then return 0; fi
  if [ -d "$RELEASE" ] && ! same_tree "$STAGED" "$RELEASE"; then
    # Built anew under the same version: it stands beside the one that runs.
    RELEASE=$RELEASES/$VERSION+$(tree_hash "$STAGED")
  fi
  if [ -d "$RELEASE" ]; then
    rm -rf -- "$STAGE"
    return 0
  fi
  put_dir "$RELEASES" 755 root:root >/dev/null
  undo_with rm -rf -- "$RELEASE"
  act "install release $VERSION in $RELEASE" mv -T -- "$STAGED" "$RELEASE"
  touch -- "$RELEASE"
  rm -rf -- "$STAGE"
}

same_tree() { diff -rq --no-dereference -- "$1" "$2" >/dev/null 2>&1; }

tree_hash() { (cd -- "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c1-8); }

current_release() { readlink -f -- "$OPT/current" 2>/dev/null || true; }

# switch_to RELEASE: `current` leads there from now on, `previous` to what ran before.
switch_to() {
  local before
  before=$(current_release)
  [ "$before" != "$1" ] || return 0
  if [ -n "$before" ] && [ -d "$before" ]; then put_link "$before" "$OPT/previous"; fi
  put_link "$1" "$OPT/current"
}

# Whether a process runs on it: an engine's first process stays through upgrades, with the runtime it began with.
in_use() { [ -n "$(find /proc -maxdepth 2 -name exe -lname "$1/*" -print -quit 2>/dev/null)" ]; }

# The newest three stay, and whatever runs or can be gone back to.
prune_releases() {
  local dir kept=0
  while IFS= read -r dir; do
    kept=$((kept + 1))
    [ "$kept" -gt "$KEEP_RELEASES" ] || continue
    case $dir in
      "$(current_release)" | "$(readlink -f -- "$OPT/previous" || true)") continue ;;
    esac
    if in_use "$dir"; then
      say "$dir stays: something still runs on it"
      continue
    fi
    act "remove the old release ${dir##*/}" rm -rf -- "$dir"
  done < <(find "$RELEASES" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %p\n' | sort -rn | cut -d' ' -f2-)
}
