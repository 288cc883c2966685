# shellcheck shell=bash
# Sourced by the scripts that install and run hosts. How they speak, and how they read what they are told.
# stdout is for answers, stderr for what went wrong. PROGRAM is the name of the script.
# Exit status: 0 done, 1 failed (what was changed is put back), 2 the command line is wrong (nothing was touched).

# Sorting, classes of characters and error texts are the same whatever the operator's locale is.
export LC_ALL=C
umask 022

say() { printf '%s\n' "$*"; }
note() { printf '%s\n' "$*" >&2; }

# What somebody typed, fit for a terminal and a log: no control or foreign bytes, not endless.
shown() {
  local text
  text=$(printf '%.160s' "$1" | tr -c '\040-\176' '?')
  printf '"%s"' "$text"
}

# die STATUS WHAT [DO]
die() {
  printf 'error: %s\n' "$2" >&2
  [ -z "${3-}" ] || printf '  do: %s\n' "$3" >&2
  exit "$1"
}

# A command line that is wrong: usage WHAT
usage() { die 2 "$1" "$PROGRAM --help"; }

# nearest WORD CANDIDATE…: the one that is written most alike, or nothing.
nearest() {
  local word=$1
  shift
  printf '%s\n' "$@" | awk -v a="${word:0:64}" '
    function distance(a, b,  i, j, n, m, row, last, here, cost) {
      n = length(a); m = length(b)
      for (j = 0; j <= m; j++) row[j] = j
      for (i = 1; i <= n; i++) {
        last = row[0]; row[0] = i
        for (j = 1; j <= m; j++) {
          here = row[j]
          cost = last + (substr(a, i, 1) != substr(b, j, 1))
          if (row[j] + 1 < cost) cost = row[j] + 1
          if (row[j - 1] + 1 < cost) cost = row[j - 1] + 1
          row[j] = cost; last = here
        }
      }
      return row[m]
    }
    BEGIN { best = 1e9 }
    { d = distance(a, $0); if (d < best) { best = d; word = $0 } }
    END { if (best <= 3 || best * 3 <= length(word)) print word }'
}

# unknown_flag FLAG KNOWN…
unknown_flag() {
  local flag=$1 near
  shift
  near=$(nearest "$flag" "$@")
  usage "there is no $(shown "$flag")${near:+; did you mean $near?}"
}

# need_value FLAG COUNT VALUE: COUNT is what is left of the command line. A value may not look like a flag.
need_value() {
  [ "$2" -gt 0 ] || usage "$1 wants a value"
  case $3 in
    --*) usage "$1 wants a value, and $(shown "$3") is a flag" ;;
  esac
}

# Checks of what is typed. Each ends the script with 2 and the words of what is wrong.
check_port() { # FLAG VALUE
  if ! [[ $2 =~ ^[0-9]{1,5}$ ]] || [ "$((10#$2))" -lt 1 ] || [ "$((10#$2))" -gt 65535 ]; then
    usage "$1 $(shown "$2") is no port: 1 to 65535"
  fi
}

check_word() { # WHAT VALUE
  [[ $2 =~ ^[a-z0-9][a-z0-9._-]{0,62}$ ]] ||
    usage "$1 $(shown "$2"): up to 63 of a-z, 0-9, -, _ and ., such as hk"
}

check_node_name() { # WHAT VALUE
  [[ $2 =~ ^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$ ]] ||
    usage "$1 $(shown "$2"): up to 63 lower-case letters, digits and -, such as hk-node-1"
}

check_host() { # WHAT VALUE
  [[ $2 =~ ^[A-Za-z0-9]([A-Za-z0-9.-]{0,252})$ ]] || [[ $2 =~ ^[0-9A-Fa-f:.]{2,45}$ && $2 == *:* ]] ||
    usage "$1 $(shown "$2") is neither a host name nor an address"
}

check_host_port() { # WHAT VALUE
  local host
  if [[ $2 =~ ^(\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9][A-Za-z0-9.-]{0,252})):([0-9]{1,5})$ ]]; then
    host=${BASH_REMATCH[2]:-${BASH_REMATCH[3]}}
    check_host "$1" "$host"
    check_port "the port of $1" "${2##*:}"
  else
    usage "$1 $(shown "$2"): write it like master.example.org:50051 or [2001:db8::1]:50051"
  fi
}

# The shape of a join token; its text is never repeated.
check_token() { # WHAT VALUE
  [[ $2 =~ ^ct1\.[0-9a-f]{64}\.[A-Za-z0-9_-]{4,32}\.[A-Za-z0-9_-]{22,128}$ ]] ||
    usage "$1 is no join token: one reads ct1.<64 hex digits>.<id>.<secret>; copy all of it"
}

# Asks y or n where somebody is there to answer; without a terminal --yes must have been given.
confirm() { # QUESTION
  local answer
  [ "${YES:-0}" = 0 ] || return 0
  [ "${DRY:-0}" = 0 ] || return 0
  if ! [ -t 0 ] || ! [ -t 2 ]; then
    die 2 "${1%: go on?}, and nobody is here to say that this is meant" 'give --yes'
  fi
  read -r -p "$1 [y/N] " answer
  case $answer in
    y | Y | yes) ;;
    *) die 1 'not confirmed; nothing was changed' ;;
  esac
}
