# shellcheck shell=bash
# Sourced by manage.sh: how this host is, in a few lines and one number.
#   0 all is well   1 it works, and somebody should look   2 something does not work   3 nothing is installed here

WORST=0
worse() { if [ "$1" -gt "$WORST" ]; then WORST=$1; fi; }

indent() { sed 's/^/  /'; }

# unit_line UNIT NAME: active, for how long, restarts.
unit_line() {
  local state since pid restarts memory age=''
  state=$(systemctl show --property ActiveState --value "$1")
  since=$(systemctl show --property ActiveEnterTimestampMonotonic --value "$1")
  pid=$(systemctl show --property MainPID --value "$1")
  restarts=$(systemctl show --property NRestarts --value "$1")
  memory=$(systemctl show --property MemoryCurrent --value "$1")
  case $memory in '' | *[!0-9]*) memory='' ;; *) memory=", $((memory / 1048576)) MiB" ;; esac
  if [ "$state" = active ]; then
    age=" for $(duration $(($(cut -d. -f1 /proc/uptime) - since / 1000000)))"
    if [ "${restarts:-0}" -gt 0 ]; then worse 1; fi
    printf '%-8s %s%s, pid %s%s, restarted by systemd %s times\n' "$2" "$state" "$age" "$pid" "$memory" "${restarts:-0}"
  else
    worse 2
    printf '%-8s %s (%s): manage.sh logs %s; manage.sh start %s\n' "$2" "$state" \
      "$(systemctl show --property Result --value "$1")" "$2" "$2"
  fi
}

duration() { # SECONDS
  if [ "$1" -lt 60 ]; then printf '%ds' "$1"; elif [ "$1" -lt 3600 ]; then printf '%dm%02ds' $(($1 / 60)) $(($1 % 60)); elif
    [ "$1" -lt 86400 ]
  then printf '%dh%02dm' $(($1 / 3600)) $(($1 / 60 % 60)); else printf '%dd %dh' $(($1 / 86400)) $(($1 / 3600 % 24)); fi
}

host_status() { # WHETHER TO LIST NODES
  local release
  if ! has_master && ! has_agent; then
    say 'nothing of AI CDN Tunnel is installed here: deploy-master.sh, deploy-agent.sh'
    WORST=3
    return 0
  fi
  release=$(current_release)
  say "release  ${release##*/}$(if [ -L "$OPT/previous" ]; then printf ', before it %s' "$(basename "$(readlink "$OPT/previous")")"; fi)"
  if has_master; then master_status "$1"; fi
  if has_agent; then agent_status; fi
}

master_status() {
  local nodes alerts health counts
  unit_line ai-cdn-master.service master
  is_active ai-cdn-master.service || return 0
  if ! nodes=$(ctl nodes list 2>/dev/null); then
    say '  it does not answer on its socket'
    worse 2
    return 0
  fi
  health=$("$OPT/current/bin/aicdn-master" health --config "$ETC/master.yml" || true)
  if [ "$health" != ok ]; then
    worse 1
    say "  health   $health"
  fi
  # The first line is the heads of its columns.
  counts=$(awk 'NR > 1 { n[$4]++; all++ } END {
    printf "%d", all
    split("down disconnected unknown initializing ready", order, " ")
    for (i = 1; i <= 5; i++) if (order[i] in n) printf ", %d %s", n[order[i]], order[i] }' <<<"$nodes")
  say "  nodes    $counts"
  case $counts in *down* | *disconnected* | *unknown*) worse 1 ;; esac
  alerts=$(ctl alerts list 2>/dev/null || true)
  if awk '$3 == "firing" { found = 1 } END { exit !found }' <<<"$alerts"; then worse 1; fi
  if [ -n "$alerts" ]; then printf '%s\n' "$alerts" | indent; fi
  if [ "$1" = 1 ] && [ -n "$nodes" ]; then printf '%s\n' "$nodes" | indent; fi
}

agent_status() {
  local said
  unit_line ai-cdn-agent.service agent
  unit_line ai-cdn-engine.service engine
  if is_active ai-cdn-agent.service; then
    if node_connected; then say "  master   connected to $(setting aicdn-agent master.addr)"; else
      worse 1
      say "  master   not connected to $(setting aicdn-agent master.addr); streams go on: manage.sh logs agent"
    fi
  fi
  said=$(node_status 2>&1) || worse 2
  printf '%s\n' "$said" | indent
  case $said in *refused:*) worse 1 ;; esac
}
