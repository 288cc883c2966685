# shellcheck shell=bash
# shellcheck disable=SC2034 # read by what sources this, and by the other parts
# Sourced. What a host has beside the release: user, folders, units, links, reserved ports; and how its units are.

USER_NAME=ai-cdn
ETC=/etc/ai-cdn
STATE=/var/lib/ai-cdn
RUN=/run/ai-cdn
LOGS=/var/log/ai-cdn
UNITS=/etc/systemd/system
LOCK=/run/lock/ai-cdn-host.lock
PORTS_FILE=/etc/sysctl.d/60-ai-cdn-ports.conf
RESERVED=/proc/sys/net/ipv4/ip_local_reserved_ports
PROGRAMS=(aicdn-master aicdn-agent aicdnctl aicdn-tui)
# What each of the two keeps in /var/lib/ai-cdn, which they share on a host that is both.
MASTER_STATE=(db ca ca.crt jwt.secret sealing.key audit rings)
AGENT_STATE=(identity sealed ledger events standing last-known-good engine.log engine.log.1)

# Root on a host that systemd runs. A dry run says what is missing and goes on.
need_host() {
  local lacks=''
  [ "$(uname -s)" = Linux ] || lacks='this is no Linux'
  [ "$(id -u)" = 0 ] || lacks="this wants root: sudo $0 …"
  [ -d /run/systemd/system ] || lacks="${lacks:+$lacks; }systemd does not run here"
  if [ -n "$lacks" ] && [ "$DRY" = 1 ]; then note "note: $lacks"; fi
  [ "$DRY" = 0 ] || return 0
  if [ -z "$lacks" ]; then
    # Two at a time would take each other's changes for their own. It ends with this shell.
    exec 9>"$LOCK"
    flock --nonblock 9 || die 1 'another of these scripts is at work on this host' 'wait for it, then run this again'
    return 0
  fi
  die 1 "$lacks" "run it as root on a Debian or Ubuntu host; --dry-run shows here what it would do"
}

has_master() { [ -f "$UNITS/ai-cdn-master.service" ]; }
has_agent() { [ -f "$UNITS/ai-cdn-agent.service" ]; }

put_user() {
  if ! getent group "$USER_NAME" >/dev/null; then
    undo_with remove_group
    act "make the group $USER_NAME" groupadd --system "$USER_NAME"
  fi
  if ! getent passwd "$USER_NAME" >/dev/null; then
    undo_with userdel "$USER_NAME"
    act "make the user $USER_NAME" useradd --system --gid "$USER_NAME" --home-dir "$STATE" --no-create-home \
      --shell /usr/sbin/nologin "$USER_NAME"
  fi
}

# The agent keeps the node's document here, by a rename; settings, which are root's, it can neither change nor remove.
put_etc() { put_dir "$ETC" 1770 "root:$USER_NAME"; }

# userdel takes the group along where login.defs says so.
remove_group() {
  if getent group "$USER_NAME" >/dev/null; then groupdel "$USER_NAME"; fi
}

# put_units ROLE…: those of the release that are named ai-cdn-ROLE.*, as they are.
put_units() {
  local role unit
  for role in "$@"; do
    for unit in "$RELEASE/units/ai-cdn-$role".*; do
      if [ -f "$unit" ]; then
        put_file "$UNITS/${unit##*/}" 644 root:root <"$unit"
      elif [ "$DRY" = 1 ]; then
        act "write $UNITS/ai-cdn-$role.service" cp "$unit" "$UNITS/"
      fi
    done
  done
}

# The units of a role that are to be started with the host.
units_of() {
  local role unit
  for role in "$@"; do
    for unit in "$UNITS/ai-cdn-$role".socket "$UNITS/ai-cdn-$role".service; do
      [ -f "$unit" ] && printf '%s\n' "${unit##*/}"
    done
  done
  return 0
}

put_programs() {
  local program
  for program in "${PROGRAMS[@]}"; do put_link "$OPT/current/bin/$program" "/usr/local/bin/$program"; done
}

reload_units() {
  systemctl daemon-reload
}

# Ports of ours that lie where the kernel takes ports for outgoing connections must be reserved: one that is in use that
# way cannot be listened on after a restart.
reserve_ports() {
  local low high port wanted='' ours have all before
  read -r low high </proc/sys/net/ipv4/ip_local_port_range
  for port in "$@"; do
    if [ "$port" -ge "$low" ] && [ "$port" -le "$high" ]; then wanted+="${wanted:+,}$port"; fi
  done
  [ -n "$wanted" ] || return 0
  ours=$(reserved_by_us)
  have=$(cat "$RESERVED")
  ours=$(port_list "${ours:+$ours,}$wanted" '')
  all=$(port_list "${have:+$have,}$ours" '')
  before=$CHANGED
  put_file "$PORTS_FILE" 644 root:root <<TEXT
# Written by AI CDN Tunnel: ports it listens on that lie in the range of outgoing connections, and those that were
# reserved before.
# ours: $ours
net.ipv4.ip_local_reserved_ports = $all
TEXT
  [ "$(port_list "$have" '')" != "$all" ] || return 0
  if [ -w "$RESERVED" ]; then
    undo_with set_reserved "$have"
    act "reserve port $wanted" set_reserved "$all"
  elif [ "$before" != "$CHANGED" ]; then
    note "note: ports cannot be reserved here (a container?); $PORTS_FILE says them to the host's kernel at its next start"
  fi
}

reserved_by_us() {
  [ -f "$PORTS_FILE" ] || return 0
  sed -n 's/^# ours: \([0-9,]*\)$/\1/p' "$PORTS_FILE"
}

unreserve_ports() {
  local ours
  [ -f "$PORTS_FILE" ] || return 0
  ours=$(reserved_by_us)
  remove "$PORTS_FILE"
  if [ -w "$RESERVED" ]; then
    act "free the reserved port $ours" set_reserved "$(port_list "$(cat "$RESERVED")" "$ours")"
  fi
}

set_reserved() { printf '%s\n' "$1" >"$RESERVED"; }

# port_list LIST WITHOUT: `7,9-11` and `10` make `7,9,11`: sorted, each once.
port_list() {
  awk -v list="$1" -v without="$2" 'BEGIN {
    n = split(without, out, ",")
    for (i = 1; i <= n; i++) gone[out[i]] = 1
    n = split(list, parts, ",")
    for (i = 1; i <= n; i++) {
      if (parts[i] == "") continue
      m = split(parts[i], ends, "-")
      to = m == 2 ? ends[2] : ends[1]
      for (p = ends[1] + 0; p <= to + 0; p++) if (!(p in gone)) has[p] = 1
    }
    for (p = 1; p <= 65535; p++) if (p in has) { printf "%s%d", sep, p; sep = "," }
  }'
}

# Printed, never applied: a rule in the wrong place locks people out.
firewall_hint() {
  local port
  [ "$#" -gt 0 ] || return 0
  if command -v ufw >/dev/null && ufw status 2>/dev/null | grep -q '^Status: active'; then
    say 'ufw is active here; what has to come in:'
    for port in "$@"; do say "  ufw allow $port/tcp"; done
  elif command -v firewall-cmd >/dev/null && firewall-cmd --state >/dev/null 2>&1; then
    say 'firewalld runs here; what has to come in:'
    for port in "$@"; do say "  firewall-cmd --permanent --add-port=$port/tcp"; done
    say '  firewall-cmd --reload'
  elif command -v nft >/dev/null && nft list ruleset 2>/dev/null | grep -q 'hook input'; then
    say 'nftables filters what comes in here; it needs rules like these, in its input chain:'
    for port in "$@"; do say "  tcp dport $port accept"; done
  else
    say "no firewall was found on this host; where one stands before it, open $(printf '%s/tcp ' "$@")"
  fi
}

# The environment of whoever runs this may name another master.
ctl() { env -u AICDN_SOCKET -u AICDN_ADDR -u AICDN_CA_PIN -u AICDN_API_KEY -u AICDN_TOKEN "$OPT/current/bin/aicdnctl" --socket "$(master_socket)" "$@"; }

as_user() { setpriv --reuid "$USER_NAME" --regid "$USER_NAME" --init-groups -- "$@"; }

setting() { # PROGRAM KEY
  local file=$ETC/${1#aicdn-}.yml
  "$OPT/current/bin/$1" settings --config "$file" --get "$2"
}

master_socket() { setting aicdn-master socket 2>/dev/null || printf '%s' "$RUN/master.sock"; }

is_active() { systemctl is-active --quiet "$1"; }

master_ready() { is_active ai-cdn-master.service && ctl whoami >/dev/null 2>&1; }

# Its engine answers.
node_ready() {
  is_active ai-cdn-engine.service && is_active ai-cdn-agent.service && node_status >/dev/null 2>&1
}

node_status() { "$OPT/current/bin/aicdn-agent" status --config "$ETC/agent.yml"; }

node_connected() { [ "$(last_said ai-cdn-agent '"message":"connected to the master"' '"message":"not connected to the master')" = 1 ]; }

# last_said UNIT A B: 1 when the unit said A after B in its present life, 2 for B, 0 when neither.
last_said() {
  journalctl --quiet --no-pager --output cat --unit "$1.service" \
    "_SYSTEMD_INVOCATION_ID=$(systemctl show --property InvocationID --value "$1.service")" |
    awk -v a="$2" -v b="$3" 'index($0, a) { last = 1 } index($0, b) { last = 2 } END { print last + 0 }'
}

# Why a unit does not run, for whoever has to mend it.
last_lines() { # UNIT
  note "the last lines of $1:"
  journalctl --quiet --no-pager --output cat --lines 8 --unit "$1" | cut -c1-400 | sed 's/^/  /' >&2 || true
}

# How many streams its engine carries; nothing when it does not answer.
streams_here() { node_status 2>/dev/null | sed -n 's/^ *service: .*, \([0-9]*\) streams$/\1/p' | awk '{ n += $1 } END { print n + 0 }'; }
