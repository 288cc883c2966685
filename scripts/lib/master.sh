# shellcheck shell=bash
# shellcheck disable=SC2034 # read by what sources this, and by the other parts
# Sourced by deploy-master.sh and deploy-master-full.sh: flags, and the way from a bare host to a master that answers.

MASTER_FLAGS=(--port --http-port --advertise --name --release --sha256 --uninstall --purge --yes --dry-run --help
  --web-port --skip-web --mongo-port --mongo-user --mongo-pass --skip-mongo)

# Flags of the original whose subject is gone: said, and the run goes on.
dead_flag() {
  case $1 in
    --web-port | --skip-web)
      note "$1: there is no web console: aicdn-tui is the console, on this host or over SSH; REST is on --http-port"
      ;;
    --mongo-*)
      note "$1: there is no MongoDB: the master keeps its own files under $STATE, every answer on disk first"
      ;;
    --skip-mongo)
      note "$1: there is no MongoDB to skip: the master keeps its own files under $STATE"
      ;;
  esac
}

read_master_flags() {
  PORT='' HTTP_PORT='' ADVERTISE='' FLEET='' GIVEN_RELEASE='' SHA256='' UNINSTALL=0 PURGE=0 YES=0
  local flag name
  while [ "$#" -gt 0 ]; do
    flag=$1
    shift
    case $flag in
      --*=*)
        set -- "${flag#*=}" "$@"
        flag=${flag%%=*}
        case $flag in
          --port | --http-port | --advertise | --name | --release | --sha256 | --web-port | --mongo-port | --mongo-user | --mongo-pass) ;;
          *) case " ${MASTER_FLAGS[*]} " in *" $flag "*) usage "$flag takes no value" ;; esac ;;
        esac
        ;;
    esac
    case $flag in
      --port | --http-port | --advertise | --name | --release | --sha256 | --web-port | --mongo-port | --mongo-user | --mongo-pass)
        need_value "$flag" "$#" "${1-}"
        ;;
    esac
    case $flag in
      --port) check_port "$flag" "$1" && PORT=$((10#$1)) && shift ;;
      --http-port) check_port "$flag" "$1" && HTTP_PORT=$((10#$1)) && shift ;;
      --advertise) check_advertise "$1" && ADVERTISE=$1 && shift ;;
      --name) check_word "$flag" "$1" && FLEET=$1 && shift ;;
      --release) check_release "$flag" "$1" && GIVEN_RELEASE=$1 && shift ;;
      --sha256) check_sha256 "$flag" "$1" && SHA256=$1 && shift ;;
      --web-port | --mongo-port) check_port "$flag" "$1" && dead_flag "$flag" && shift ;;
      --mongo-user | --mongo-pass) dead_flag "$flag" && shift ;;
      --skip-web | --skip-mongo) dead_flag "$flag" ;;
      --uninstall) UNINSTALL=1 ;;
      --purge) PURGE=1 ;;
      --yes) YES=1 ;;
      --dry-run) DRY=1 ;;
      --help | -h) say "$HELP" && exit 0 ;;
      -*) unknown_flag "$flag" "${MASTER_FLAGS[@]}" ;;
      *) usage "$(shown "$flag") is no flag, and $PROGRAM takes nothing else" ;;
    esac
  done
  if [ "$PURGE" = 1 ] && [ "$UNINSTALL" = 0 ]; then usage '--purge goes with --uninstall'; fi
  for name in "$PORT" "$HTTP_PORT"; do
    if [ -n "$name" ] && [ "$PORT" = "$HTTP_PORT" ]; then usage "--port and --http-port are both $PORT"; fi
  done
}

check_advertise() {
  local name rest=$1,
  [ "${#1}" -le 1024 ] || usage "--advertise $(shown "$1"): too long"
  while [ -n "$rest" ]; do
    name=${rest%%,*}
    rest=${rest#*,}
    case $name in
      '' | *[!A-Za-z0-9.:-]*) usage "--advertise $(shown "$1"): names or addresses, with commas between them" ;;
    esac
    check_host --advertise "$name"
  done
}

# The name or address that nodes most likely reach this host by, then the others.
own_names() {
  local full
  full=$(hostname -f 2>/dev/null || hostname)
  {
    case $full in
      localhost*) ;;
      *.*) printf '%s\n' "$full" ;;
    esac
    ip -o addr show scope global 2>/dev/null | awk '{ split($4, a, "/"); if ($3 == "inet") print a[1] }'
    ip -o addr show scope global 2>/dev/null | awk '{ split($4, a, "/"); if ($3 == "inet6") print a[1] }'
    hostname
  } | awk '!seen[$0]++' | head -n 8
}

yaml_list() { # a,b -> [a, b]
  local out='' name
  for name in ${1//,/ }; do out+=", $(yaml "$name")"; done
  printf '[%s]' "${out#, }"
}

deploy_master() {
  local keys=() fresh=1 before ports=()
  need_host
  begin
  if has_master; then fresh=0; fi
  before=$(current_release)
  find_release "$GIVEN_RELEASE" "$SHA256"
  stage_release
  keep_release

  remember_health
  undo_with back_in_force
  put_user
  put_etc
  if ! [ -d "$STATE" ]; then undo_with rm -rf -- "$STATE"; fi
  put_dir "$STATE" 700 "$USER_NAME:$USER_NAME"
  if [ -n "$PORT" ]; then keys+=(grpc.addr ":$PORT"); fi
  if [ -n "$HTTP_PORT" ]; then keys+=(http.addr ":$HTTP_PORT"); fi
  if [ -n "$FLEET" ]; then keys+=(.name "$(yaml "$FLEET")"); fi
  if [ -z "$ADVERTISE" ] && ! [ -f "$ETC/master.yml" ]; then ADVERTISE=$(own_names | paste -sd, -); fi
  if [ -n "$ADVERTISE" ]; then keys+=(grpc.advertise "$(yaml_list "$ADVERTISE")"); fi
  matters put_settings master "${keys[@]+"${keys[@]}"}"
  if [ "$DRY" = 0 ]; then
    PORT=$("$RELEASE/bin/aicdn-master" settings --config "$ETC/master.yml" --get grpc.addr)
    HTTP_PORT=$("$RELEASE/bin/aicdn-master" settings --config "$ETC/master.yml" --get http.addr)
  fi
  PORT=${PORT##*:} HTTP_PORT=${HTTP_PORT##*:}
  ports=("${PORT:-50051}" "${HTTP_PORT:-8080}")
  reserve_ports "${ports[@]}"

  if [ -n "$before" ] && [ "$before" != "$RELEASE" ]; then upgrade_host; fi
  matters put_units master
  matters switch_to "$RELEASE"
  put_programs
  if [ "$fresh" = 1 ]; then
    undo_with stop_role master
    act 'have systemd read its units' systemctl daemon-reload
    act 'start the master with this host' systemctl enable --quiet ai-cdn-master.service
  fi
  if [ "$ANEW" = 1 ] || ! is_active ai-cdn-master.service; then
    [ "$fresh" = 1 ] || act 'have systemd read its units' systemctl daemon-reload
    act 'start the master' master_in_force
  fi
  settle
  if [ "$DRY" = 1 ]; then
    say "dry run: $CHANGED acts, none done"
    return 0
  fi
  prune_releases
  if [ "$CHANGED" = 0 ]; then say 'nothing to do: this host is so already'; fi
  master_summary "${ports[@]}"
}

stop_role() {
  local unit
  for unit in $(units_of "$@"); do systemctl disable --quiet --now "$unit"; done
}

# The one-time code of the first admin, while there is none.
bootstrap_code() {
  journalctl --quiet --no-pager --output cat --unit ai-cdn-master.service \
    "_SYSTEMD_INVOCATION_ID=$(systemctl show --property InvocationID --value ai-cdn-master.service)" |
    sed -n 's/.*"code":"\([^"]*\)".*first admin.*/\1/p; s/.*first admin.*"code":"\([^"]*\)".*/\1/p' | tail -n 1
}

master_summary() { # PORT HTTP_PORT
  local name code
  name=$(setting aicdn-master grpc.advertise)
  name=${name%%,*}
  [ -n "$name" ] || name=$(hostname)
  case $name in *:*) name="[$name]" ;; esac
  say ''
  say "the master of ai-cdn $(head -n 1 "$OPT/current/VERSION") runs here"
  say "  agents connect to  $name:$1"
  say "  REST, /metrics     port $2 (CA: $(setting aicdn-master state_dir)/ca.crt)"
  if [ "$(ctl users list -o name 2>/dev/null | wc -l)" = 0 ]; then
    code=$(bootstrap_code)
    if [ -n "$code" ]; then say "the first admin: aicdnctl bootstrap --user NAME --code $code"; else
      say 'the first admin: stop the master; runuser -u ai-cdn -- aicdn-master bootstrap-code; start it; aicdnctl bootstrap'
    fi
  fi
  say "a console on this host, for USER: usermod -aG $USER_NAME USER; logged in anew, aicdn-tui"
  say 'a node:'
  say '  here         aicdnctl tokens create --type edge --region hk'
  say "  on the node  sudo deploy-agent.sh $name:$1 edge hk hk-node-1        (asks for the token)"
  firewall_hint "$1" "$2"
}
