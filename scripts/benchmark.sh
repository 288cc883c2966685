#!/usr/bin/env bash
# benchmark.sh HOST PORT DURATION CONNECTIONS: requests by wrk or hey, or chat streams of our own. --help has the rest.
set -euo pipefail
here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
# shellcheck source=scripts/lib/registry.sh
. "$here/lib/registry.sh"
run_tool bench "$@"
