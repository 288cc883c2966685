#!/usr/bin/env bash
# A node of a fleet on this host: agent and engine, joined and connected, in one run. --help has the rest.
set -euo pipefail
PROGRAM=deploy-agent.sh
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
# shellcheck source=scripts/lib/node.sh
. "$HERE/lib/node.sh"

HELP='deploy-agent.sh MASTER:50051 edge|core REGION [NAME] [flags]: a node of the fleet, agent and engine as systemd services.

  MASTER:50051         where the master is; its port is 50051 when none is given
  edge|core            edge takes clients in, core goes out to the origin
  REGION               where the node stands, such as hk
  NAME                 its name in the fleet (this host'"'"'s name)
  --token TOKEN        the join token, made on the master by: aicdnctl tokens create --type edge --region hk
                       Better in the environment (AICDN_MASTER_TOKEN) or in --token-file; without any of them it asks
  --token-file FILE    its first line is the token; - is stdin
  --engine embedded    what carries the streams; gost is not driven yet
  --port N             a port its config listens on: reserved where it could be taken, named in the firewall hint;
                       may be given again
  --release FILE|URL   the release to install; checked against the sha256 beside it (default: the release this script lies
                       in; in a checkout what npm run release made, else it is made now)
  --sha256 HEX         what the release must be
  --uninstall          take the node off this host (no other arguments); its identity and settings stay
  --purge              with --uninstall: those too
  --yes                do not ask
  --dry-run            print every act, do none
  --help

  sudo scripts/deploy-agent.sh master.example.org:50051 edge hk hk-node-1
  sudo AICDN_MASTER_TOKEN=ct1.… scripts/deploy-agent.sh 203.0.113.10:50051 core cn --port 8443
  sudo scripts/deploy-agent.sh --uninstall --purge

Run again it changes what is different, and says so when nothing is; a node that has joined needs no token.
Exit status: 0 done, or nothing to do; 1 failed, and this host is as it was before; 2 the command line is wrong, or there is
no token and nobody to ask.'

main() {
  read_node_flags "$@"
  if [ "$UNINSTALL" = 1 ]; then
    need_host
    begin
    local name=''
    if has_agent; then name=$(setting aicdn-agent node.name 2>/dev/null || true); fi
    uninstall agent "$PURGE"
    settle
    if [ -n "$name" ]; then say "the master still knows it: aicdnctl nodes remove $name"; fi
    exit 0
  fi
  deploy_node
  exit 0
}

main "$@"
