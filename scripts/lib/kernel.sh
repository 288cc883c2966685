# shellcheck shell=bash
# Sourced by optimize.sh. Keys of the kernel, read and written under $ROOT/proc/sys, and what they are to be.

# MiB of memory of this machine.
memory_mib() {
  awk '/^MemTotal:/ { print int($2 / 1024) }' "$ROOT/proc/meminfo"
}

key_path() {
  printf '%s/proc/sys/%s\n' "$ROOT" "${1//.//}"
}

# One blank between the values of a key, none around.
plain() {
  local words
  read -r -a words <<<"$1" || true
  printf '%s\n' "${words[*]-}"
}

# The kernel's value of a key; status 1 where the kernel has none of that name.
read_key() {
  local path value
  path=$(key_path "$1")
  [ -f "$path" ] || return 1
  value=$(cat -- "$path" 2>/dev/null) || return 1
  plain "$value"
}

# Asks the kernel for a value; whether it took it is told by reading it back.
write_key() {
  local path
  path=$(key_path "$1")
  [ -f "$path" ] || return 1
  { printf '%s\n' "$2" >"$path"; } 2>/dev/null
}

# clamp N LEAST MOST
clamp() {
  if (($1 < $2)); then
    echo "$2"
  elif (($1 > $3)); then
    echo "$3"
  else
    echo "$1"
  fi
}

# sized KEY VALUE MIB: the value of the file, or what this much memory allows.
sized() {
  local most
  case $1 in
    net.core.netdev_max_backlog) clamp $(($3 * 16)) 16384 300000 ;;
    net.core.rmem_max | net.core.wmem_max) clamp $(($3 * 4096)) 4194304 67108864 ;;
    net.ipv4.tcp_rmem | net.ipv4.tcp_wmem)
      most=$(clamp $(($3 * 4096)) 4194304 67108864)
      echo "${2% *} $most"
      ;;
    net.ipv4.tcp_max_tw_buckets) clamp $(($3 * 64)) 16384 1048576 ;;
    net.netfilter.nf_conntrack_max) clamp $(($3 * 64)) 65536 2097152 ;;
    fs.file-max) clamp $(($3 * 256)) 1048576 16777216 ;;
    *) echo "$2" ;;
  esac
}

# larger A B: of two whole numbers, however long (fs.file-max may be 2^63 - 1).
larger() {
  if ((${#1} > ${#2})) || { ((${#1} == ${#2})) && [[ $1 > $2 ]]; }; then
    echo "$1"
  else
    echo "$2"
  fi
}

# wanted KEY VALUE NOW: what to set where NOW holds: a limit is not lowered, a range not narrowed, a reservation kept.
wanted() {
  local -a new old
  local i
  read -r -a new <<<"$2" || true
  read -r -a old <<<"$3" || true
  case $1 in
    net.core.somaxconn | net.core.netdev_max_backlog | net.core.[rw]mem_max | net.ipv4.tcp_[rw]mem | \
      net.ipv4.tcp_max_syn_backlog | net.ipv4.tcp_max_tw_buckets | net.netfilter.nf_conntrack_max | fs.*)
      for i in "${!new[@]}"; do new[i]=$(larger "${new[i]}" "${old[i]-0}"); done
      echo "${new[*]}"
      ;;
    net.ipv4.ip_local_port_range)
      echo "$((new[0] < old[0] ? new[0] : old[0])) $((new[1] > old[1] ? new[1] : old[1]))"
      ;;
    net.ipv4.ip_local_reserved_ports) reserve "$3" "$2" ;;
    *) echo "$2" ;;
  esac
}

# reserve LIST PORT: the list with the port, unless a number or a range of it has it already.
reserve() {
  local part
  local -a parts
  IFS=, read -r -a parts <<<"$1" || true
  for part in "${parts[@]-}"; do
    if [ -n "$part" ] && ((${part%-*} <= $2 && $2 <= ${part#*-})); then
      echo "$1"
      return
    fi
  done
  echo "${1:+$1,}$2"
}

# Whether the kernel has BBR, or can load it. MODULES tells whether it may be asked to: not where it is a twin.
has_bbr() {
  local available
  available=$(read_key net.ipv4.tcp_available_congestion_control) || return 1
  [[ " $available " == *" bbr "* ]] && return
  [ -n "$ROOT" ] && return 1
  modinfo tcp_bbr >/dev/null 2>&1
}
