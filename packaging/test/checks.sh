# What the tests inside of a box share: checks that are counted, and waiting for a condition instead
# of for a time.
passed=0
failed=0

# Name, shell command: holds now or does not.
check() { record "$1" "$2" "$(eval "$2" 2>&1 && echo HOLDS)"; }

# Name, seconds, shell command: comes to hold in time.
check_within() { record "$1" "$3" "$(within "$2" "$3" 2>&1 && echo HOLDS)"; }

record() {
  if [[ $3 == *HOLDS ]]; then
    passed=$((passed + 1))
    printf 'ok    %s\n' "$1"
  else
    failed=$((failed + 1))
    printf 'FAIL  %s   [%s]\n' "$1" "$2"
    printf '%s\n' "$3" | tail -n 12 | sed 's/^/        /'
  fi
}

# Seconds, shell command, what it has for $1.
within() {
  local end=$((SECONDS + $1)) condition=$2
  set -- "${3:-}"
  until eval "$condition"; do
    if [ "$SECONDS" -ge "$end" ]; then return 1; fi
    sleep 0.1
  done
}

refused() {
  if "$@"; then
    echo "this was accepted"
    return 1
  fi
}

# A property of the daemon's unit.
unit() { systemctl show --property "$1" --value "${2:-varta-watch}"; }

# The daemon's journal since the last call of mark.
mark() {
  journalctl --sync
  cursor=$(journalctl --unit varta-watch --lines 0 --show-cursor | sed -n 's/^-- cursor: //p')
}
journal() { journalctl --unit "${1:-varta-watch}" --output cat --no-pager ${cursor:+--after-cursor "$cursor"}; }
said() { journal | grep -qE "$1"; }

# Without what a daemon says of a machine that is too busy to run it.
unpaused() { grep -vE 'msg="observer paused"|found="The observer was paused'; }

# The daemon answers: a beat is taken.
beat() { setpriv --reuid=alice --regid=alice --groups=varta varta-watch beat --socket "${1:-/run/varta/varta.sock}"; }

# The metrics page, or nothing.
metrics() {
  local scrape
  exec {scrape}<>/dev/tcp/127.0.0.1/9469 || return
  printf 'GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&"$scrape"
  timeout 5 cat <&"$scrape"
  exec {scrape}>&-
}

# The daemon knows the main process of this unit; its page has rows by pid (per_pid = true). Scrapes
# are limited to 5 per second.
watches() {
  sleep 0.3
  metrics | grep -q "^varta_beats_total{.*pid=\"$(unit MainPID "$1")\""
}

figure() { printf 'figure  %-34s %s\n' "$1" "$2"; }

tell_counts() {
  printf '\n %d pass\n %d fail\n' "$passed" "$failed"
  [ "$failed" -eq 0 ]
}
