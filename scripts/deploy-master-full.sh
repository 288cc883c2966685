#!/usr/bin/env bash
# deploy-master.sh, and Prometheus and Alertmanager beside the master. --help has the rest.
set -euo pipefail
PROGRAM=deploy-master-full.sh
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
# shellcheck source=scripts/lib/monitoring.sh
. "$HERE/lib/monitoring.sh"

HELP='deploy-master-full.sh [flags]: deploy-master.sh, then Prometheus (:9091) and Alertmanager (127.0.0.1:9093) of this
Debian or Ubuntu, set up against the master. What they had as settings before is kept beside, and comes back with --uninstall.

  --port N             where agents and remote consoles connect (50051)
  --http-port N        where REST and /metrics listen (8080)
  --advertise NAMES    names or addresses that nodes reach this master by, with commas
  --name NAME          what consoles call this fleet
  --release FILE|URL   the release to install; checked against the sha256 beside it
  --sha256 HEX         what the release must be
  --uninstall          take Prometheus'"'"'s part and the master off this host; data and settings stay
  --purge              with --uninstall: those too, for ever
  --yes                do not ask
  --dry-run            print every act, do none
  --help

Of the original: --web-port, --skip-web, --mongo-port, --mongo-user, --mongo-pass and --skip-mongo are taken, and answered
with what replaced them. Who is told of alerts stands in /etc/prometheus/alertmanager.yml: nobody, until you say.

  sudo scripts/deploy-master-full.sh
  sudo scripts/deploy-master-full.sh --http-port 8080 --web-port 80 --mongo-port 27017 --mongo-user admin --mongo-pass x
  scripts/deploy-master-full.sh --dry-run --skip-mongo

Exit status: 0 done, or nothing to do; 1 failed, and this host is as it was before; 2 the command line is wrong.'

main() {
  read_master_flags "$@"
  if [ "$UNINSTALL" = 1 ]; then
    need_host
    begin
    remove_monitoring
    uninstall master "$PURGE"
    settle
    exit 0
  fi
  deploy_master
  OPEN=1
  UNDO=()
  CHANGED=0
  deploy_monitoring
  settle
  exit 0
}

main "$@"
