#!/usr/bin/env bash
# Which nodes take clients, from the live registry; and an nginx or haproxy in front of them. --help has the rest.
set -euo pipefail
here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
# shellcheck source=scripts/lib/registry.sh
. "$here/lib/registry.sh"
run_tool balance "$@"
