#!/bin/bash
# Inside of a box: `varta-watch exec` in units of a real systemd, and the five lines of a cron job of
# the page about shell scripts, run by cron. What exec starts is what the unit would have started:
# the same main process, descriptors and signal mask, also without a daemon.
set -u
source /srv/test/checks.sh
file=/etc/varta/varta.toml
apt-get -q -y -o Dpkg::Use-Pty=0 install /srv/repo/apt1/pool/main/v/varta-watch/*-1_amd64.deb >/dev/null 2>&1
figure "systemd" "$(systemctl --version | sed -n '1s/systemd //p')"
# The page of what the package has.
page=/usr/share/doc/varta-watch/supervise/shell.md

cat >>$file <<'T'

[[listener]]
kind = "unix-stream"
path = "/run/varta/stream.sock"

[[listener]]
kind = "notify"
path = "/run/varta/notify.sock"

[[agent]]
match = { unit = "quiet*.service" }
name = "quiet"
announce = ["nightly"]
threshold = "7s"
T
# The rule of the page, whose job has ten minutes.
awk '/^```toml/ { on = 1; next } /^```/ { on = 0 } on' $page >>$file

# Name, lines of [Service].
service() { printf '[Service]\n%s\n' "$2" >"/etc/systemd/system/$1.service"; }
pids() { varta-watch status "$1" --members --json | sed "s|.*members\":\[||" | tr ",{" "\n\n" | sed -n "s|^\"pid\":\([0-9]*\)\$|\1|p"; }
alarms() { journal | grep -E 'level=(warn|error)' | unpaused | grep -v 'receive queue is short'; }
exits() { [ "$(unit ActiveState "$1")/$(unit ExecMainStatus "$1")" = "failed/$2" ]; }
word() { tr '\0' '\n' <"/proc/$(unit MainPID "$1")/environ" | sed -n "s/^$2=//p"; }

cat >/usr/local/bin/show <<'S'
#!/usr/bin/python3
# What a program finds that was started with no more than it is told to have.
import os, sys
def is_open(fd):
    try:
        return os.fstat(int(fd)) is not None
    except OSError:
        return False
with open("/run/show." + sys.argv[1], "w") as out:
    found = [fd for fd in os.listdir("/proc/self/fd") if is_open(fd) and int(fd) != out.fileno()]
    print("fds", *sorted(found), file=out)
    for line in open("/proc/self/status"):
        if line.startswith(("SigBlk", "SigPnd")):
            print(line, end="", file=out)
    out.writelines(line for line in open("/proc/self/limits") if "open files" in line)
    print(oct(os.umask(0)), file=out)
S
printf '#!/bin/sh\nexec sleep 1000\n' >/usr/local/bin/quiet
printf 'no program' >/usr/local/bin/junk
chmod 755 /usr/local/bin/show /usr/local/bin/quiet /usr/local/bin/junk
printf 'no program' >/usr/local/bin/unmarked
begin='ExecStart=/usr/bin/varta-watch exec'
service quiet "Type=notify
$begin --name nightly -- /usr/local/bin/quiet"
service plain "Type=oneshot
ExecStart=/usr/local/bin/show plain"
service by-exec "Type=oneshot
$begin -- /usr/local/bin/show by-exec"
service watchdog "Type=notify
WatchdogSec=5
$begin -- /usr/local/bin/quiet"
service unfound "$begin -- /usr/local/bin/no-such-program"
service unmarked "$begin --name nightly -- /usr/local/bin/unmarked"
service junk "$begin --name nightly -- /usr/local/bin/junk"
service quiet-ends "$begin --name nightly -- /bin/sh -c 'exit 3'"

echo "-- a program that never beats, in a unit that waits for READY=1"
check "check takes the configuration" 'varta-watch check'
mark
systemctl daemon-reload
systemctl restart varta-watch
systemctl start quiet
check "it is up for systemd: it was told READY=1" '[ "$(systemctl is-active quiet)" = active ]'
main=$(unit MainPID quiet)
check_within "no process stays around it" 20 '[ "$(cat /proc/$main/comm)" = sleep ] && ! pgrep -f "varta-watch exec"'
check_within "it is a member by its hello, under its own name" 20 '[ "$(pids nightly)" = "$main" ] || { varta-watch status; journal; false; }'
check "it finds the doors of the daemon" '[ "$(word quiet VARTA_SOCKET) $(word quiet VARTA_STREAM) $(word quiet NOTIFY_SOCKET)" = "/run/varta/varta.sock /run/varta/stream.sock /run/varta/notify.sock" ]'
check "and the threshold of its rule, for its own pid" '[ "$(word quiet WATCHDOG_USEC) $(word quiet WATCHDOG_PID)" = "7000000 $main" ]'
systemctl stop quiet
check_within "its end is reported, and is no alarm" 20 'said "member gone\" agent=nightly pid=$main" && [ -z "$(alarms)" ] || { alarms; false; }'
mark
systemctl start quiet-ends
check_within "one that ends with 3 is a stall when its threshold is over" 30 'said "agent stalled\" agent=nightly pid=[0-9]* verdict=exited .*exit_status=3"'

echo "-- what it is started with"
systemctl start plain by-exec
check "descriptors, signal mask, umask and limits are those of the unit" 'diff /run/show.plain /run/show.by-exec'
check "that is no descriptor but the first three, and an empty mask" 'grep -qx "fds 0 1 2" /run/show.by-exec && grep -q "^SigBlk:[[:space:]]*0*$" /run/show.by-exec || { cat /run/show.by-exec; false; }'

echo "-- refusals"
mark
systemctl start --no-block watchdog unfound unmarked junk
check_within "WatchdogSec= of the unit: 78" 20 'exits watchdog 78 || { systemctl status watchdog; false; }'
check "with what to do about it" 'journal watchdog | grep -q "hint: WatchdogSec=0 in its unit"'
check_within "no such program: 127" 20 'exits unfound 127'
check_within "no program that may be executed: 126" 20 'exits unmarked 126'
check_within "none that the kernel takes: 126" 20 'exits junk 126'
check_within "and no ghost of them stays, and none is an alarm" 20 '[ -z "$(pids nightly 2>/dev/null)" ] && ! said "agent stalled|member ended" || { journal; false; }'

echo "-- a daemon that is down, and one that stands still"
daemon=$(unit MainPID)
kill -STOP "$daemon"
began=$(date +%s%N)
systemctl start quiet
took=$((($(date +%s%N) - began) / 1000000))
kill -CONT "$daemon"
figure "start beside a daemon that stands still" "$took ms"
check "one that stands still is waited for, for a second" '[ "$took" -ge 1000 ] && [ "$took" -lt 15000 ]'
check "and the program runs all the same" '[ "$(systemctl is-active quiet)" = active ]'
systemctl stop quiet
systemctl stop varta-watch.service varta-watch.socket 2>/dev/null
systemctl start quiet
check "it runs without a daemon" '[ "$(systemctl is-active quiet)/$(word quiet WATCHDOG_USEC)" = active/5000000 ]'
check "and says so once" '[ "$(journalctl --sync; journalctl -u quiet -o cat | grep -c "the daemon .* is down")" = 1 ] || { journalctl -u quiet -o cat; false; }'
systemctl stop quiet

if command -v cron >/dev/null; then
  echo "-- the job of five lines, by cron"
  systemctl start varta-watch
  mkdir -p /srv/site /var/backups
  echo page >/srv/site/index.html
  awk '/^```sh/ && !n { n = on = 1; next } /^```/ { on = 0 } on' $page >/usr/local/bin/backup.sh
  chmod 755 /usr/local/bin/backup.sh
  check "it has five lines" '[ "$(wc -l </usr/local/bin/backup.sh)" = 5 ]'
  mark
  printf 'PATH=/usr/bin:/bin\n* * * * * root /usr/local/bin/backup.sh\n' >/etc/cron.d/backup
  systemctl restart cron
  check_within "cron's job is a member by its own beat" 90 'said "member came\" agent=backup" || { journal; false; }'
  check_within "its end is clean" 20 'said "member gone\" agent=backup pid=[0-9]* .*exit_status=0" || { journal; false; }'
  check "it did its work" '[ -s /var/backups/site.tar ]'
  rm /etc/cron.d/backup
  check "and nothing was an alarm" '[ -z "$(alarms)" ] || { alarms; false; }'
fi
tell_counts
