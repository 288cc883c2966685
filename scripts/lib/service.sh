# shellcheck shell=bash
# Sourced. Releases put into force on a host: its units restarted, its engine carried over, its health awaited.

# Seconds a new release has to become healthy, each of its parts.
DEADLINE=60

# wait_for_unit UNIT COMMAND…: until it succeeds, at most DEADLINE; not while the unit falls over again and again.
wait_for_unit() {
  local unit=$1 until=$((SECONDS + DEADLINE))
  shift
  while ! "$@"; do
    [ "$SECONDS" -lt "$until" ] || return 1
    if systemctl is-failed --quiet "$unit" || [ "$(systemctl show --property NRestarts --value "$unit")" -ge 3 ]; then return 1; fi
    sleep 0.2
  done
}

# What has to be as good afterwards as it was before.
remember_health() {
  WAS_CONNECTED=0
  if has_agent && is_active ai-cdn-agent.service && node_connected; then WAS_CONNECTED=1; fi
  WAS_MASTER=0
  if has_master && is_active ai-cdn-master.service; then WAS_MASTER=1; fi
  MDB='' SCHEMA=''
  # Settings that cannot be read are somebody else's to refuse.
  if has_master && find_state; then
    SCHEMA=$(store_schema "$MDB")
  fi
  WAS_AGENT=0
  if has_agent && is_active ai-cdn-agent.service; then WAS_AGENT=1; fi
}

# Run last when a change is taken back: the files are those of before by then.
back_in_force() {
  systemctl daemon-reload
  systemctl reset-failed 'ai-cdn-*' 2>/dev/null || true
  if [ "$WAS_MASTER" = 1 ]; then
    systemctl stop ai-cdn-master.service
    store_as_before "$MDB" "$SCHEMA" || true
    systemctl start ai-cdn-master.service
    wait_for "$DEADLINE" master_ready
  fi
  if [ "$WAS_AGENT" = 1 ]; then
    systemctl restart ai-cdn-agent.service
    wait_for "$DEADLINE" node_ready
  fi
}

# The master of this host runs what `current` and its settings say, and answers.
master_in_force() {
  systemctl reset-failed ai-cdn-master.service 2>/dev/null || true
  systemctl restart ai-cdn-master.service || {
    last_lines ai-cdn-master.service
    die 1 "the master did not start" "see above"
  }
  wait_for_unit ai-cdn-master.service master_ready || {
    last_lines ai-cdn-master.service
    die 1 "the master does not answer on its socket within $DEADLINE s" "see above"
  }
}

agent_in_force() {
  systemctl reset-failed ai-cdn-agent.service 2>/dev/null || true
  systemctl restart ai-cdn-agent.service || {
    last_lines ai-cdn-agent.service
    die 1 "the agent did not start" "see above"
  }
  wait_for_unit ai-cdn-agent.service node_ready || {
    last_lines ai-cdn-agent.service
    last_lines ai-cdn-engine.service
    die 1 "the engine of this node does not answer within $DEADLINE s" "see above"
  }
}

agent_connected() {
  wait_for_unit ai-cdn-agent.service node_connected || {
    last_lines ai-cdn-agent.service
    die 1 "the agent is not connected to its master within $DEADLINE s" "see above"
  }
}

# The engine's processes of the release before go on with their streams; new ones take what comes.
engine_in_force() { # RELEASE RELEASE_BEFORE
  local said
  said=$("$1/bin/aicdn-agent" engine upgrade --config "$ETC/agent.yml" 2>&1) ||
    die 1 "the engine does not go on with ${1##*/}: $said" \
      "nothing of it changed and no stream was cut; an engine of one process (workers 0) wants systemctl restart ai-cdn-engine"
  undo_with "$2/bin/aicdn-agent" engine upgrade --config "$ETC/agent.yml"
  say "$said"
}

# upgrade_host: RELEASE, which stands under releases/, takes the place of what runs, with all the roles of this host.
upgrade_host() {
  local before
  before=$(current_release)
  remember_health
  undo_with back_in_force
  has_master && put_units master
  has_agent && put_units agent engine
  switch_to "$RELEASE"
  put_programs
  act 'have systemd read its units' systemctl daemon-reload
  if [ "$WAS_MASTER" = 1 ]; then act 'restart the master' master_in_force; fi
  if [ "$WAS_AGENT" = 1 ]; then
    act 'restart the agent' agent_in_force
    if [ "$WAS_CONNECTED" = 1 ]; then act 'wait for its master' agent_connected; fi
    act "carry on with the engine of $VERSION" engine_in_force "$RELEASE" "$before"
  fi
}
