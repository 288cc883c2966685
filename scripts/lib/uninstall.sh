# shellcheck shell=bash
# shellcheck disable=SC2034 # read by what sources this, and by the other parts
# Sourced. Taking a role off a host, and with the last one everything that was installed.

# uninstall ROLE PURGE: master or agent; PURGE=1 takes its data as well.
uninstall() {
  local role=$1 purge=$2 parts streams=0 name
  case $role in
    master) parts=(master) ;;
    agent) parts=(agent engine) ;;
  esac
  if ! installed "$role" && ! left_of "$role" "$purge"; then
    say "there is no $role on this host: nothing to do"
    return 0
  fi
  if [ "$role" = agent ] && has_agent; then streams=$(streams_here); fi
  if [ "$purge" = 1 ]; then
    case $role in
      master) confirm 'The CA, all configs, users and secrets of this fleet are removed for ever: go on?' ;;
      agent) confirm "This node's identity is removed, and the ${streams:-0} streams it carries are cut: go on?" ;;
    esac
  elif [ "${streams:-0}" -gt 0 ]; then
    confirm "The $streams streams this node carries are cut: go on?"
  fi
  for name in $(units_of "${parts[@]}"); do
    act "stop $name" systemctl disable --quiet --now "$name"
  done
  for name in "${parts[@]}"; do
    remove "$UNITS/ai-cdn-$name".{service,socket} "$UNITS/ai-cdn-$name".{service,socket}.d
  done
  act 'have systemd forget them' forget_units
  if [ "$purge" = 1 ]; then purge_role "$role"; fi
  if installed master || installed agent; then
    say "the other role of this host stays, and with it $OPT and the programs"
  else
    uninstall_rest "$purge"
  fi
  CHANGED=1
}

installed() {
  case $1 in
    master) has_master ;;
    agent) has_agent ;;
  esac
}

# Of a role that is gone: is there anything that PURGE asks to remove?
left_of() {
  [ "$2" = 1 ] || return 1
  case $1 in
    master) [ -e "$ETC/master.yml" ] || [ -e "$STATE/db" ] || [ -e "$STATE/ca" ] ;;
    agent) [ -e "$ETC/agent.yml" ] || [ -e "$STATE/identity" ] ;;
  esac
}

forget_units() {
  systemctl daemon-reload
  systemctl reset-failed 'ai-cdn-*' 2>/dev/null || true
}

purge_role() {
  local entry
  case $1 in
    master)
      remove "$ETC/master.yml" "$ETC/master.env"
      for entry in "${MASTER_STATE[@]}"; do remove "$STATE/$entry"; done
      ;;
    agent)
      remove "$ETC/agent.yml" "$ETC/agent.env" "$ETC/engine.env" "$ETC/gost.yml"
      for entry in "${AGENT_STATE[@]}"; do remove "$STATE/$entry"; done
      ;;
  esac
}

# The last role is gone.
uninstall_rest() {
  local program name left=''
  for program in "${PROGRAMS[@]}"; do
    if [ "$(readlink -- "/usr/local/bin/$program" || true)" = "$OPT/current/bin/$program" ]; then
      remove "/usr/local/bin/$program"
    fi
  done
  unreserve_ports
  remove "$OPT" "$RUN"
  if [ "$1" = 1 ]; then
    remove "$ETC" "$STATE" "$LOGS"
    if getent passwd "$USER_NAME" >/dev/null; then act "remove the user $USER_NAME" userdel "$USER_NAME"; fi
    if getent group "$USER_NAME" >/dev/null; then act "remove the group $USER_NAME" remove_group; fi
    return 0
  fi
  for name in "$ETC" "$STATE" "$LOGS"; do
    if [ -e "$name" ]; then left+="$name "; fi
  done
  [ -z "$left" ] || say "kept: ${left}and their user $USER_NAME; --purge removes them"
}
