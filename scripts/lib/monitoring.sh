# shellcheck shell=bash
# Sourced by deploy-master-full.sh: Prometheus and Alertmanager beside the master, from the distribution's packages.

MONITORING_PACKAGES=(prometheus prometheus-alertmanager)
PROMETHEUS=/etc/prometheus
PROMETHEUS_PORT=9091
# Of ours under /etc/prometheus; what the packages put there is kept as NAME.before-ai-cdn.
MONITORING_FILES=(prometheus.yml alertmanager.yml rules.yml)
KEY_FILE=$PROMETHEUS/ai-cdn.key
CA_FILE=$PROMETHEUS/ai-cdn-ca.crt
DROP_IN=$UNITS/prometheus.service.d/ai-cdn.conf
ALERTMANAGER_DROP_IN=$UNITS/prometheus-alertmanager.service.d/ai-cdn.conf
# Which packages came with us, to go with us.
INSTALLED_BY_US=$PROMETHEUS/ai-cdn.packages

deploy_monitoring() {
  local name missing=() before
  for name in "${MONITORING_PACKAGES[@]}"; do
    dpkg-query --show --showformat '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
  done
  if [ "${#missing[@]}" -gt 0 ]; then
    act "install ${missing[*]}" install_packages "${missing[@]}"
    if [ "$DRY" = 0 ]; then printf '%s\n' "${missing[@]}" >>"$INSTALLED_BY_US"; fi
  fi
  if [ "$DRY" = 1 ]; then
    for name in "${MONITORING_FILES[@]}"; do act "write $PROMETHEUS/$name" place; done
    act "make an API key that may read metrics" ctl api-keys create prometheus --role viewer --scope metrics.read
    act 'start Prometheus and Alertmanager' systemctl restart prometheus prometheus-alertmanager
    say "dry run: $CHANGED acts more, none done"
    return 0
  fi
  before=$ANEW
  ANEW=0
  if ! [ -s "$KEY_FILE" ]; then act 'make an API key that may read metrics' put_api_key; fi
  matters put_file "$CA_FILE" 644 root:root <"$(setting aicdn-master state_dir)/ca.crt"
  for name in "${MONITORING_FILES[@]}"; do
    if [ -f "$OPT/current/config/prometheus/$name" ]; then put_monitoring_file "$name"; fi
  done
  matters put_dir "${DROP_IN%/*}" 755 root:root
  matters put_file "$DROP_IN" 644 root:root <<TEXT
# Written by AI CDN Tunnel's deploy-master-full.sh.
[Service]
ExecStart=
ExecStart=/usr/bin/prometheus --web.listen-address=:$PROMETHEUS_PORT
TEXT
  matters put_dir "${ALERTMANAGER_DROP_IN%/*}" 755 root:root
  matters put_file "$ALERTMANAGER_DROP_IN" 644 root:root <<TEXT
# Written by AI CDN Tunnel's deploy-master-full.sh. One Alertmanager alone: no port for others of it.
[Service]
ExecStart=
ExecStart=/usr/bin/prometheus-alertmanager --web.listen-address=127.0.0.1:9093 --cluster.listen-address=
TEXT
  check_monitoring
  if [ "$ANEW" = 1 ] || ! is_active prometheus.service || ! is_active prometheus-alertmanager.service; then
    act 'start Prometheus and Alertmanager' monitoring_in_force
  fi
  if [ "$ANEW" = 0 ] && [ "$before" = 0 ]; then say 'Prometheus and Alertmanager: nothing to do'; fi
  say "Prometheus is on port $PROMETHEUS_PORT, Alertmanager on 127.0.0.1:9093; who is told: $PROMETHEUS/alertmanager.yml"
}

install_packages() {
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >"$WORK/apt.log" 2>&1 ||
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >"$WORK/apt.log" 2>&1 || {
    tail -n 8 "$WORK/apt.log" >&2
    die 1 "apt-get could not install $*; the master runs" 'see above; then run this again'
  }
}

# Shown by the master once, so straight into the file.
put_api_key() {
  (umask 077 && ctl api-keys create prometheus --role viewer --scope metrics.read --ttl 365d --output name >"$KEY_FILE.new") || {
    rm -f -- "$KEY_FILE.new"
    die 1 'the master made no API key' 'is there one called prometheus? aicdnctl api-keys list, revoke, then this again'
  }
  undo_with rm -f -- "$KEY_FILE"
  chown root:prometheus -- "$KEY_FILE.new"
  chmod 0640 -- "$KEY_FILE.new"
  mv -f -- "$KEY_FILE.new" "$KEY_FILE"
  ANEW=1
}

# The shipped one, aimed at this master; an operator's changes to it stay.
put_monitoring_file() {
  local name=$1 file=$PROMETHEUS/$1 kept=$PROMETHEUS/$1.before-ai-cdn made=$WORK/$1 marker='ai-cdn: set up by deploy-master-full.sh'
  if [ -f "$file" ] && head -n 1 -- "$file" | grep -q "$marker"; then return 0; fi
  if [ -f "$file" ] && ! [ -e "$kept" ]; then
    undo_with rm -f -- "$kept"
    act "keep $file as $kept" cp -a -- "$file" "$kept"
  fi
  {
    printf '# %s; change it as you like, it is not written again\n' "$marker"
    aimed <"$OPT/current/config/prometheus/$name"
  } >"$made"
  matters put_file "$file" 644 root:root <"$made"
}

# The master's address, its scheme and name, and the key, in place of what the shipped file has for a loopback.
aimed() {
  local addr port name
  addr=$(setting aicdn-master http.addr)
  port=${addr##*:}
  name=$(setting aicdn-master grpc.advertise)
  name=${name%%,*}
  if "$OPT/current/bin/aicdn-master" settings --config "$ETC/master.yml" --get http.tls | grep -qx off || [[ $addr =~ ^(127\.|\[::1\]|localhost) ]]; then
    sed "s/127\\.0\\.0\\.1:8080/127.0.0.1:$port/"
  else
    sed -E -e "s/127\\.0\\.0\\.1:8080/127.0.0.1:$port/" \
      -e "s|^( *)scheme: http\$|\\1scheme: https\\n\\1tls_config: {ca_file: $CA_FILE, server_name: \"${name:-$(hostname)}\"}\\n\\1authorization: {credentials_file: $KEY_FILE}|"
  fi
}

check_monitoring() {
  local said
  said=$(promtool check config "$PROMETHEUS/prometheus.yml" 2>&1) ||
    die 1 "$PROMETHEUS/prometheus.yml is refused: $said" 'correct it, then run this again'
  said=$(amtool check-config "$PROMETHEUS/alertmanager.yml" 2>&1) ||
    die 1 "$PROMETHEUS/alertmanager.yml is refused: $said" 'correct it, then run this again'
}

monitoring_in_force() {
  systemctl daemon-reload
  systemctl enable --quiet prometheus.service prometheus-alertmanager.service
  systemctl restart prometheus.service prometheus-alertmanager.service
  wait_for "$DEADLINE" listens 127.0.0.1 "$PROMETHEUS_PORT" || {
    last_lines prometheus.service
    die 1 "Prometheus does not listen on port $PROMETHEUS_PORT; the master runs" 'see above'
  }
  wait_for "$DEADLINE" listens 127.0.0.1 9093 || {
    last_lines prometheus-alertmanager.service
    die 1 'Alertmanager does not listen on port 9093; the master runs' 'see above'
  }
}

listens() { (: <>"/dev/tcp/$1/$2") 2>/dev/null; }

remove_monitoring() {
  local name gone=() packages=()
  if [ -f "$INSTALLED_BY_US" ]; then mapfile -t packages <"$INSTALLED_BY_US"; fi
  if ! [ -f "$DROP_IN" ] && ! [ -f "$KEY_FILE" ]; then return 0; fi
  if has_master && master_ready; then
    name=$(ctl api-keys list 2>/dev/null | awk '$2 == "prometheus" { print $1; exit }')
    if [ -n "$name" ]; then act "revoke Prometheus's API key" ctl --yes api-keys revoke "$name"; fi
  fi
  act 'stop Prometheus and Alertmanager' systemctl stop prometheus.service prometheus-alertmanager.service
  remove "${DROP_IN%/*}" "${ALERTMANAGER_DROP_IN%/*}" "$KEY_FILE" "$CA_FILE" "$INSTALLED_BY_US"
  for name in "${MONITORING_FILES[@]}"; do
    if [ -f "$PROMETHEUS/$name.before-ai-cdn" ]; then
      act "bring back $PROMETHEUS/$name" mv -f -- "$PROMETHEUS/$name.before-ai-cdn" "$PROMETHEUS/$name"
    elif [ "$name" = rules.yml ]; then remove "$PROMETHEUS/$name"; fi
  done
  act 'have systemd read its units' systemctl daemon-reload
  for name in "${packages[@]+"${packages[@]}"}"; do
    case " ${MONITORING_PACKAGES[*]} " in *" $name "*) gone+=("$name") ;; esac
  done
  if [ "${#gone[@]}" -gt 0 ]; then
    act "remove ${gone[*]}, which came with us" env DEBIAN_FRONTEND=noninteractive apt-get purge -y -qq "${gone[@]}"
  else
    act 'start Prometheus and Alertmanager with what they had' systemctl start prometheus.service prometheus-alertmanager.service
  fi
}
