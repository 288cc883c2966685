# shellcheck shell=bash
# Sourced. Finds the tree this script belongs to and the runtime beside it: in a release they are bundles and a node of
# its own, in a checkout the sources and the runtime of the lockfile.

# The tree above scripts/, through symlinks.
tree_root() {
  local self
  self=$(readlink -f -- "${BASH_SOURCE[0]}") || return 1
  dirname -- "$(dirname -- "$(dirname -- "$self")")"
}

# run_tool NAME ARGS…: scripts/NAME/main.ts, or lib/NAME.mjs of a release, in place of this shell.
run_tool() {
  local name=$1 root
  shift
  root=$(tree_root)
  export AICDN_TEMPLATES="$root/config/templates"
  if [ -x "$root/lib/node" ] && [ -f "$root/lib/$name.mjs" ]; then
    exec "$root/lib/node" "$root/lib/$name.mjs" "$@"
  fi
  if [ -x "$root/node_modules/.bin/node" ]; then
    exec "$root/node_modules/.bin/node" "$root/scripts/$name/main.ts" "$@"
  fi
  echo "error: no runtime beside $root: this is neither a release (lib/node) nor a checkout that is installed" >&2
  echo "  do: npm ci in $root, or unpack a release" >&2
  exit 2
}
