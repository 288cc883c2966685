#!/usr/bin/env bash
# The master of a fleet on this host: from nothing to answering, in one run. --help has the rest.
set -euo pipefail
PROGRAM=deploy-master.sh
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
# shellcheck source=scripts/lib/master.sh
. "$HERE/lib/master.sh"

HELP='deploy-master.sh [flags]: the master of a fleet, as a systemd service on this Debian or Ubuntu host.

  --port N             where agents and remote consoles connect (50051)
  --http-port N        where REST and /metrics listen (8080)
  --advertise NAMES    names or addresses that nodes reach this master by, with commas; the first one is in the commands
                       it prints (this host'"'"'s name or address)
  --name NAME          what consoles call this fleet
  --release FILE|URL   the release to install; checked against the sha256 beside it (default: the release this script lies
                       in; in a checkout what npm run release made, else it is made now)
  --sha256 HEX         what the release must be
  --uninstall          take the master off this host; its data and settings stay
  --purge              with --uninstall: those too, for ever
  --yes                do not ask
  --dry-run            print every act, do none
  --help

Run again it changes what is different, and says so when nothing is. Of the original: --web-port, --skip-web, --mongo-port,
--mongo-user, --mongo-pass and --skip-mongo are taken, and answered with what replaced them.

  sudo scripts/deploy-master.sh
  sudo scripts/deploy-master.sh --http-port 8443 --advertise master.example.org,203.0.113.10
  sudo scripts/deploy-master.sh --release ai-cdn-0.1.0-linux-x64.tar.gz
  scripts/deploy-master.sh --dry-run
  sudo scripts/deploy-master.sh --uninstall --purge

Exit status: 0 done, or nothing to do; 1 failed, and this host is as it was before; 2 the command line is wrong.'

main() {
  read_master_flags "$@"
  if [ "$UNINSTALL" = 1 ]; then
    need_host
    begin
    uninstall master "$PURGE"
    settle
    exit 0
  fi
  deploy_master
  exit 0
}

main "$@"
