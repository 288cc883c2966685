# shellcheck shell=bash
# shellcheck disable=SC2034 # read by what sources this, and by the other parts
# Sourced by deploy-agent.sh: its arguments, and the way from a bare host to a node that its master hears.

NODE_FLAGS=(--token --token-file --engine --port --release --sha256 --uninstall --purge --yes --dry-run --help)

read_node_flags() {
  TOKEN=${AICDN_MASTER_TOKEN-} TOKEN_FILE='' PORTS=() GIVEN_RELEASE='' SHA256='' UNINSTALL=0 PURGE=0 YES=0
  # Not inherited by anything that is started below.
  unset AICDN_MASTER_TOKEN
  local flag words=()
  while [ "$#" -gt 0 ]; do
    flag=$1
    shift
    case $flag in
      --*=*)
        set -- "${flag#*=}" "$@"
        flag=${flag%%=*}
        case $flag in
          --uninstall | --purge | --yes | --dry-run | --help) usage "$flag takes no value" ;;
        esac
        ;;
    esac
    case $flag in
      --token | --token-file | --engine | --port | --release | --sha256) need_value "$flag" "$#" "${1-}" ;;
    esac
    case $flag in
      --token) TOKEN=$1 && shift ;;
      --token-file) TOKEN_FILE=$1 && shift ;;
      --engine) check_engine "$1" && shift ;;
      --port) check_port "$flag" "$1" && PORTS+=("$((10#$1))") && shift ;;
      --release) check_release "$flag" "$1" && GIVEN_RELEASE=$1 && shift ;;
      --sha256) check_sha256 "$flag" "$1" && SHA256=$1 && shift ;;
      --uninstall) UNINSTALL=1 ;;
      --purge) PURGE=1 ;;
      --yes) YES=1 ;;
      --dry-run) DRY=1 ;;
      --help | -h) say "$HELP" && exit 0 ;;
      -*) unknown_flag "$flag" "${NODE_FLAGS[@]}" ;;
      *) words+=("$flag") ;;
    esac
  done
  if [ "$PURGE" = 1 ] && [ "$UNINSTALL" = 0 ]; then usage '--purge goes with --uninstall'; fi
  if [ "$UNINSTALL" = 1 ]; then
    [ "${#words[@]}" = 0 ] || usage "--uninstall takes no $(shown "${words[0]}"): there is one node on a host"
    return 0
  fi
  [ "${#words[@]}" -ge 3 ] || usage "$PROGRAM MASTER:50051 edge|core REGION [NAME]: the first three are needed"
  [ "${#words[@]}" -le 4 ] || usage "$(shown "${words[4]}") is one argument too many"
  MASTER=${words[0]} TYPE=${words[1]} REGION=${words[2]} NAME=${words[3]-}
  case $MASTER in
    \[*\] | *[!:]*:*:*) ;;
    *:*) ;;
    *) MASTER+=:50051 ;;
  esac
  check_host_port MASTER "$MASTER"
  case $TYPE in
    edge | core) ;;
    *) usage "$(shown "$TYPE") is no type of node: edge (takes clients in) or core (goes out to the origin)" ;;
  esac
  check_word REGION "$REGION"
  if [ -n "$NAME" ]; then check_node_name NAME "$NAME"; else
    NAME=$(hostname)
    NAME=$(printf '%s' "${NAME%%.*}" | tr '[:upper:]' '[:lower:]')
    [[ $NAME =~ ^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$ ]] ||
      usage "this host's name $(shown "$NAME") is no name for a node: give one after REGION"
  fi
  if [ -n "$TOKEN_FILE" ]; then
    if [ "$TOKEN_FILE" = - ]; then IFS= read -r TOKEN || true; else
      if ! [ -f "$TOKEN_FILE" ] || ! [ -r "$TOKEN_FILE" ]; then usage "--token-file $(shown "$TOKEN_FILE") cannot be read"; fi
      TOKEN=$(head -n 1 -- "$TOKEN_FILE")
    fi
  fi
  if [ -n "$TOKEN" ]; then
    check_token 'the token' "$TOKEN"
  fi
}

check_engine() {
  case $1 in
    embedded) ;;
    gost) usage '--engine gost: its driver is not written yet; the embedded engine carries the same documents but for quic and http3' ;;
    *) usage "--engine $(shown "$1"): embedded is what there is" ;;
  esac
}

has_joined() { [ -e "$STATE/identity/current" ]; }

# Said before anything else is looked at: how to come by one.
need_token() {
  local make="aicdnctl tokens create --type $TYPE --region $REGION --name $NAME"
  [ -z "$TOKEN" ] || return 0
  if [ "$DRY" = 1 ]; then
    note "note: a join token is needed then; on the master: $make"
    return 0
  fi
  if ! [ -t 0 ] || ! [ -t 2 ]; then
    die 2 'a join token is needed, and nobody is here to ask' \
      "on the master: $make
      then here:     sudo AICDN_MASTER_TOKEN=ct1.… $0 $MASTER $TYPE $REGION $NAME"
  fi
  note "on the master: $make"
}

# Typed into nothing.
ask_token() {
  if [ -n "$TOKEN" ] || [ "$DRY" = 1 ]; then return 0; fi
  IFS= read -r -s -p 'join token: ' TOKEN
  note ''
  check_token 'that' "$TOKEN"
}

# One host is one node: what it joined as stays.
check_same_node() {
  local key is
  [ -f "$ETC/agent.yml" ] && has_joined || return 0
  for key in "node.name $NAME" "node.type $TYPE" "node.region $REGION"; do
    is=$("$RELEASE/bin/aicdn-agent" settings --config "$ETC/agent.yml" --get "${key% *}")
    [ "$is" = "${key#* }" ] ||
      die 1 "this host has joined with ${key% *} $is, not ${key#* }" \
        "to make another node of it: $0 --uninstall --purge, then this again with a new token"
  done
}

# `aicdn-agent join` by hand, as root, leaves what the service could not read.
own_identity() {
  [ -d "$STATE/identity" ] || return 0
  [ -n "$(find "$STATE/identity" ! -user "$USER_NAME" -print -quit)" ] || return 0
  act "give $STATE/identity to $USER_NAME" chown -R "$USER_NAME:$USER_NAME" -- "$STATE/identity"
  ANEW=1
}

join_node() {
  local said
  said=$(AICDN_MASTER_TOKEN=$TOKEN as_user "$RELEASE/bin/aicdn-agent" join --config "$ETC/agent.yml" 2>&1) || {
    case $said in
      *"no master answers"*) die 1 "$said" "check $MASTER, and the firewalls between; the token is still good" ;;
      *) die 1 "$said" "see above; then run this again" ;;
    esac
  }
  say "$said"
  TOKEN=''
}

deploy_node() {
  local fresh=1 before
  if ! has_joined; then need_token; fi
  need_host
  if ! has_joined; then ask_token; fi
  begin
  if has_agent; then fresh=0; fi
  before=$(current_release)
  find_release "$GIVEN_RELEASE" "$SHA256"
  stage_release
  keep_release
  if [ "$DRY" = 0 ]; then check_same_node; fi

  remember_health
  undo_with back_in_force
  put_user
  put_etc
  if ! [ -d "$STATE" ]; then undo_with remove_unjoined; fi
  put_dir "$STATE" 700 "$USER_NAME:$USER_NAME"
  matters put_settings agent node.type "$TYPE" node.region "$REGION" node.name "$NAME" master.addr "$(yaml "$MASTER")"
  reserve_ports "${PORTS[@]+"${PORTS[@]}"}"
  own_identity
  if ! has_joined; then
    act "join the fleet of $MASTER as $NAME" join_node
  fi
  if [ -n "$before" ] && [ "$before" != "$RELEASE" ]; then upgrade_host; fi
  matters put_units agent engine
  matters switch_to "$RELEASE"
  put_programs
  if [ "$fresh" = 1 ]; then
    undo_with stop_node
    act 'have systemd read its units' systemctl daemon-reload
    start_engine_units
    act 'start the agent with this host' systemctl enable --quiet ai-cdn-agent.service
  fi
  if [ "$ANEW" = 1 ] || ! is_active ai-cdn-agent.service; then
    [ "$fresh" = 1 ] || act 'have systemd read its units' systemctl daemon-reload
    act 'start the agent' agent_in_force
    act "wait until $MASTER hears it" agent_connected
  fi
  settle
  if [ "$DRY" = 1 ]; then
    say "dry run: $CHANGED acts, none done"
    return 0
  fi
  prune_releases
  if [ "$CHANGED" = 0 ]; then say 'nothing to do: this host is so already'; fi
  say ''
  say "$NAME, $TYPE in $REGION, is connected to $MASTER"
  node_status | sed 's/^/  /'
  firewall_hint "${PORTS[@]+"${PORTS[@]}"}"
}

start_engine_units() {
  local unit
  for unit in $(units_of engine); do act "start $unit, also with this host" systemctl enable --quiet --now "$unit"; done
}

stop_node() {
  local unit
  for unit in $(units_of agent engine); do systemctl disable --quiet --now "$unit"; done
}

# What a token was spent on stays: the same command goes on from there, without a token.
remove_unjoined() {
  if has_joined; then
    note "kept: $STATE/identity, as this host has joined; the same command goes on from there without a token"
  else
    rm -rf -- "$STATE"
  fi
}
