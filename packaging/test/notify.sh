#!/bin/bash
# Inside of a box: programs that know systemd and nothing of varta-watch are agents by their
# NOTIFY_SOCKET alone. systemd-notify as root and not, freeradius and knot-resolver as Debian has
# them, and sd_notify(3) from C, Python and Go where their helpers were built.
set -u
source /srv/test/checks.sh
file=/etc/varta/varta.toml
useradd --user-group --groups users alice
apt-get -q -y -o Dpkg::Use-Pty=0 install /srv/repo/apt1/pool/main/v/varta-watch/*-1_amd64.deb >/dev/null 2>&1
figure "systemd" "$(systemctl --version | sed -n '1s/systemd //p')"

sed -i 's/^threshold = .*/threshold = "3s"/' $file
# Kind, n: the nth such block of the page about systemd, as the package has it.
page=/usr/share/doc/varta-watch/supervise/systemd.md
block() { awk -v kind="^\`\`\`$1" -v want="$2" '$0 ~ kind { n++; on = n == want; next } /^```/ { on = 0 } on' $page; }

{
  cat <<'T'

[[agent]]
match = { unit = "asks.service" }
threshold_min = "1s"
threshold_max = "60s"

T
  block toml 1
  block toml 2
} >>$file

# Name, lines of [Service]: a service that beats by the notify listener.
service() {
  cat >"/etc/systemd/system/$1.service" <<U
[Service]
Type=exec
User=alice
SupplementaryGroups=varta
Environment=NOTIFY_SOCKET=/run/varta/notify.sock
$2
U
}
# What an agent's page says.
state() { varta-watch status "$1" --members --json | tr ',' '\n' | sed -n 's/.*"state":"\([a-z]*\)".*/\1/p' | head -n 1; }
pids() { varta-watch status "$1" --members --json | sed "s|.*members\":\[||" | tr ",{" "\n\n" | sed -n "s|^\"pid\":\([0-9]*\)\$|\1|p"; }
is() { [ "$(state "$1" 2>/dev/null)" = "$2" ]; }
beats_of() { varta-watch status "$1" --members --json | tr ',{' '\n\n' | sed -n 's/^"beats":\([0-9]*\)$/\1/p' | head -n 1; }
alarms() { journal | grep -E 'level=(warn|error)' | unpaused | grep -v 'receive queue is short'; }
rejected() { metrics | sed -nE "s/^varta_datagrams_rejected_total\{listener=\"notify\",reason=\"$1\"\} (.*)/\1/p"; }

cat >/usr/local/bin/loop <<'S'
#!/bin/sh
# What each line of the loop runs is in the arguments.
while :; do eval "$1"; sleep 0.5; done
S
chmod 755 /usr/local/bin/loop
service by-root "User=root
ExecStart=/usr/local/bin/loop 'systemd-notify WATCHDOG=1'"
service by-user "ExecStart=/usr/local/bin/loop 'systemd-notify --pid=\$\$\$\$ WATCHDOG=1'"
service unblocked "ExecStart=/usr/local/bin/loop 'systemd-notify --no-block --pid=\$\$\$\$ WATCHDOG=1 STATUS=busy'"
service helper "ExecStart=/usr/local/bin/loop 'systemd-notify WATCHDOG=1'"
service asks "ExecStart=/usr/local/bin/loop 'systemd-notify --pid=\$\$\$\$ WATCHDOG=1 WATCHDOG_USEC=20000000'"
block ini 3 >/etc/systemd/system/by-page.service

echo "-- shell scripts by systemd-notify"
check "check takes the configuration" 'varta-watch check'
mark
systemctl daemon-reload
systemctl restart varta-watch
systemctl start by-root by-user unblocked asks by-page
for one in by-root by-user unblocked by-page; do
  check_within "$one is an agent, and its member is the script" 20 "[ \"\$(pids $one)\" = \"\$(unit MainPID $one)\" ] && is $one ok"
done
check_within "what asks for a threshold has it" 20 'varta-watch status asks --json | grep -q "\"threshold_ms\":20000"'
# A helper may have ended before it was looked at, as long as none of its script is known.
sleep 0.3
before=$(rejected mainpid)
sleep 6
check "no script fell silent" '! said "agent stalled" || { journal; false; }'
check_within "none was refused" 10 'sleep 0.3; [ "$(rejected mainpid)" = "$before" ]'
began=$(date +%s%N)
setpriv --reuid=alice --regid=alice --groups=varta env NOTIFY_SOCKET=/run/varta/notify.sock systemd-notify STATUS=x
took=$((($(date +%s%N) - began) / 1000000))
figure "systemd-notify with its barrier" "$took ms"
check "systemd-notify does not wait: its barrier is let go" '[ "$took" -lt 2000 ]'

echo "-- a script that hangs, and one that stops on purpose"
mark
kill -STOP "$(unit MainPID by-user)"
check_within "the stopped one is stalled" 20 'said "agent stalled\" agent=by-user pid=$(unit MainPID by-user) verdict=stopped"'
kill -CONT "$(unit MainPID by-user)"
check_within "and is back" 20 'said "agent is back\" agent=by-user"'
mark
systemctl stop by-root
check_within "a service that is stopped is gone, and no alarm" 20 'said "member gone\" agent=by-root" && [ -z "$(alarms)" ] || { alarms; false; }'

echo "-- helpers that beat for nobody"
mark
systemctl start helper
sleep 8
systemctl stop helper
check_within "none of them is stalled, and none stays" 20 '[ -z "$(pids helper 2>/dev/null)" ] && ! said "agent stalled"'
check "and none was an alarm" '[ -z "$(alarms)" ] || { alarms; false; }'

echo "-- who speaks for a process of another user"
before=$(rejected mainpid)
setpriv --reuid=alice --regid=alice --groups=varta env NOTIFY_SOCKET=/run/varta/notify.sock systemd-notify --no-block "--pid=$(unit MainPID dbus)" WATCHDOG=1
check_within "is refused" 10 'sleep 0.3; [ "$(rejected mainpid)" -gt "${before:-0}" ]'

for vendor in freeradius kresd@1; do
  unit=$vendor.service
  [ -e "/usr/lib/systemd/system/${unit/@1/@}" ] || [ -e "/lib/systemd/system/${unit/@1/@}" ] || continue
  echo "-- $vendor as Debian has it"
  line=$(systemctl cat "$unit" | sed -n 's/^ExecStart=//p' | tail -n 1)
  mkdir -p "/etc/systemd/system/$unit.d"
  cat >"/etc/systemd/system/$unit.d/varta.conf" <<U
[Service]
ExecStart=
ExecStart=/usr/bin/varta-watch exec -- $line
WatchdogSec=0
SupplementaryGroups=varta
U
  if [ $vendor = freeradius ]; then block ini 2 >/etc/systemd/system/$unit.d/varta.conf; fi
  mark
  systemctl daemon-reload
  systemctl restart "$unit"
  name=$unit
  check_within "it is up for systemd" 30 '[ "$(systemctl is-active $unit)" = active ] || { systemctl status $unit; false; }'
  check_within "it is an agent, and its member is the main process" 30 '[ "$(pids ${name%.service})" = "$(unit MainPID $unit)" ]'
  check_within "it beats by itself, again and again" 30 '[ "$(beats_of ${name%.service})" -gt 3 ]'
  kill -STOP "$(unit MainPID "$unit")"
  check_within "and is stalled when it is stopped" 30 'said "agent stalled\" agent=${name%.service} pid=$(unit MainPID $unit) verdict=stopped"'
  kill -CONT "$(unit MainPID "$unit")"
  check_within "and is back" 30 'said "agent is back\" agent=${name%.service}"'
  systemctl stop "$unit"
  check_within "it is gone when it is stopped" 30 'said "member gone\" agent=${name%.service}"'
done

for language in c python go; do
  case $language in
  python) program="/usr/bin/python3 /srv/test/notify.py" ;;
  *) program=/srv/repo/notify-$language ;;
  esac
  [ -e "${program##* }" ] || continue
  echo "-- sd_notify from $language"
  service "by-$language" "ExecStart=$program"
  # The service of the page, with its own program.
  if [ $language = python ]; then
    mkdir -p /srv/app && cp /srv/test/notify.py /srv/app/app.py
    block ini 1 >"/etc/systemd/system/by-$language.service"
  fi
  mark
  systemctl daemon-reload
  systemctl start "by-$language"
  check_within "it is an agent" 20 "[ \"\$(pids by-$language)\" = \"\$(unit MainPID by-$language)\" ] && is by-$language ok"
  check_within "its status is shown" 20 "varta-watch status by-$language --members --json | grep -q 'ready to serve'"
  systemctl kill --signal USR1 "by-$language"
  check_within "WATCHDOG=trigger is a stall at once" 10 "said 'agent stalled\" agent=by-$language .*status=critical'"
  check_within "and its next beat ends it" 10 "said 'agent is back\" agent=by-$language'"
  systemctl stop "by-$language"
  check_within "STOPPING=1 before its end with status 3 makes that clean" 20 "said 'member gone\" agent=by-$language .*exit_status=3'"
done

echo "-- a daemon that stands still, and one that comes back"
daemon=$(unit MainPID)
kill -STOP "$daemon"
began=$(date +%s%N)
setpriv --reuid=alice --regid=alice --groups=varta env NOTIFY_SOCKET=/run/varta/notify.sock systemd-notify --no-block STATUS=x
took=$((($(date +%s%N) - began) / 1000000))
kill -CONT "$daemon"
figure "systemd-notify --no-block, stopped daemon" "$took ms"
check "systemd-notify --no-block does not wait for a daemon that stands still" '[ "$took" -lt 2000 ]'
mark
systemctl restart varta-watch
check_within "after a restart the scripts beat as before" 30 'is by-user ok && [ "$(pids by-user)" = "$(unit MainPID by-user)" ]'
check "with the socket that was there before" 'journalctl --sync; said "listening\" listener=notify .*inherited=true" || { journal; false; }'
sleep 5
check "and no false alarm" '[ -z "$(alarms | grep stalled)" ] || { alarms; false; }'
tell_counts
