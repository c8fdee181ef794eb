# shellcheck shell=sh
# Beats from a shell script: ". /usr/share/varta-watch/clients/sh/varta.sh", then varta_beat where
# the script has done a piece of its work. POSIX sh; needs the program varta-watch (VARTA_WATCH
# names another).
# No function ends the script or fails, also under "set -e": what watches must not stop the work.

# The exit code that was said last: each cause is said once.
varta_said=0

# varta_beat [ok|degraded|critical]: one beat of this script, also from a subshell of it.
varta_beat() {
  varta_code=0
  "${VARTA_WATCH:-varta-watch}" beat -q --for "$$" --status "${1:-ok}" 2>/dev/null || varta_code=$?
  [ "$varta_code" -eq "$varta_said" ] || varta_say "$varta_code"
  return 0
}

varta_say() {
  varta_said=$1
  case $1 in
    0) echo "varta: beats are heard again" ;;
    64) echo "varta: no beat: a status that is none, or an older varta-watch" ;;
    69) echo "varta: no beat: the daemon is down" ;;
    75) echo "varta: no beat: the daemon does not answer" ;;
    77) echo "varta: no beat: uid $(id -u) may not beat for pid $$" ;;
    127) echo "varta: no beat: there is no program ${VARTA_WATCH:-varta-watch}" ;;
    *) echo "varta: no beat: exit code $1" ;;
  esac >&2
}

# varta_every SECONDS COMMAND...: as long as this script lives, one beat every so many seconds if
# COMMAND succeeds, which says whether the work goes on, such as by the age of a file. It runs
# beside the script, so without a COMMAND that looks at the work it would beat for a script that
# hangs: that is refused.
varta_every() {
  if [ "$#" -lt 2 ]; then
    echo "varta: varta_every: found no command; want one that says whether the work goes on" >&2
    return 0
  fi
  varta_seconds=$1
  shift
  # In steps of a second: who waits for the output of the script, as cron does, waits for the end of
  # all that could write to it.
  (
    varta_left=0
    while kill -0 "$$" 2>/dev/null; do
      if [ "$varta_left" -le 0 ]; then
        if "$@"; then varta_beat; fi
        varta_left=$varta_seconds
      fi
      sleep 1
      varta_left=$((varta_left - 1))
    done
  ) </dev/null >/dev/null &
  return 0
}
