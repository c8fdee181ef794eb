#!/bin/bash
# Inside of a box: twenty agents in Python under two services, and what becomes of them: each end and
# each stall is reported once, by name, with what the process was doing; what ends in peace and what
# is restarted is no alarm, and the page has the same rows before and after.
set -u
source /srv/test/checks.sh
useradd --user-group alice
apt-get -q -y -o Dpkg::Use-Pty=0 install /srv/repo/apt1/pool/main/v/varta-watch/*_amd64.deb >/dev/null 2>&1

for service in intake mill@; do
  cat >"/etc/systemd/system/$service.service" <<'U'
[Service]
User=alice
SupplementaryGroups=varta
Delegate=yes
ExecStart=/usr/bin/python3 /srv/test/crew.py /run/varta/varta.sock 10
U
done
sed -i 's/^threshold = .*/threshold = "2s"/' /etc/varta/varta.toml
cat >>/etc/varta/varta.toml <<'T'

[[agent]]
match = { unit = "mill@*.service" }
name = "mill"
threshold = "3s"
T

workers() { pgrep -P "$(unit MainPID "$1")"; }
worker() { workers "$1" | sed -n "$2p"; }
# A value of the page.
value() { metrics | sed -nE "s/^$1 ([^ ]+).*/\1/p"; }
# The rows that the page has, without their values.
rows() { metrics | sed -nE 's/^(varta_[^ ]*) .*/\1/p' | sort; }
# Lines of the journal since mark that match.
count() { journal | grep -cE "$1"; }
alarms() { journal | grep -E 'level=(warn|error)' | unpaused; }

echo "-- twenty agents of two services"
check "check takes the configuration" 'varta-watch check'
mark
systemctl daemon-reload
systemctl restart varta-watch
systemctl start intake mill@3
check_within "the ten of a unit have its name" 30 'sleep 0.3; [ "$(value "varta_agent_members\{agent=\"intake\"\}")" = 10 ]'
check_within "the ten that a rule takes have the name of the rule" 30 'sleep 0.3; [ "$(value "varta_agent_members\{agent=\"mill\"\}")" = 10 ]'
check "all of them beat" '[ "$(value "varta_agents\{agent=\"intake\",state=\"ok\"\}")/$(value "varta_agents\{agent=\"mill\",state=\"ok\"\}")" = 10/10 ]'
check "and no line is a warning" '[ -z "$(alarms)" ] || { alarms; false; }'

echo "-- one is frozen, one stopped, one killed, one crashes, one ends in peace"
frozen=$(worker intake 1) stopped=$(worker mill@3 1) killed=$(worker mill@3 2) crashed=$(worker intake 2) peaceful=$(worker intake 3)
# Version 2 of the control groups, alone or beside version 1.
groups=/sys/fs/cgroup
if [ -d $groups/unified ]; then groups=$groups/unified; fi
cold=$groups$(sed -n 's/^0:://p' "/proc/$frozen/cgroup")/cold
mark
mkdir "$cold" && echo "$frozen" >"$cold/cgroup.procs" && echo 1 >"$cold/cgroup.freeze"
kill -STOP "$stopped"
kill -KILL "$killed"
kill -USR1 "$crashed"
kill -USR2 "$peaceful"
check_within "the frozen one is stalled" 20 'said "agent stalled\" agent=intake pid=$frozen verdict=frozen unit=intake.service "'
check_within "the stopped one is stalled" 20 'said "agent stalled\" agent=mill pid=$stopped verdict=stopped unit=mill@3.service "'
check_within "the killed one is stalled, and its signal is known" 20 'said "agent stalled\" agent=mill pid=$killed verdict=exited .* signal=SIGKILL"'
check_within "the crashed one is stalled, and its status is known" 20 'said "agent stalled\" agent=intake pid=$crashed verdict=exited .* exit_status=1"'
check "the unclean ends were reported when they came" 'said "member ended\" agent=mill pid=$killed .*signal=SIGKILL" && said "member ended\" agent=intake pid=$crashed .*exit_status=1"'
check "the one that ended in peace is gone, and that is all" '[ "$(journal | grep "pid=$peaceful")" = "$(journal | grep "msg=\"member gone\" agent=intake pid=$peaceful")" ]'
sleep 4
check "each is reported once" '[ "$(count "agent stalled")/$(count "member ended")/$(count "member gone")" = 4/2/1 ] || { journal; false; }'
check "the page counts them by name" '[ "$(value "varta_agent_stalls_total\{agent=\"intake\",verdict=\"frozen\"\}")$(value "varta_agent_stalls_total\{agent=\"mill\",verdict=\"stopped\"\}")$(value "varta_agent_stalls_total\{agent=\"intake\",verdict=\"exited\"\}")$(value "varta_agent_stalls_total\{agent=\"mill\",verdict=\"exited\"\}")" = 1111 ]'

echo "-- the services are restarted"
echo 0 >"$cold/cgroup.freeze"
kill -CONT "$stopped"
check_within "the frozen and the stopped one are back" 20 'said "agent is back\" agent=intake pid=$frozen" && said "agent is back\" agent=mill pid=$stopped"'
check_within "the page says so" 20 'sleep 0.3; [ "$(value "varta_agents\{agent=\"intake\",state=\"stalled\"\}")/$(value "varta_agents\{agent=\"mill\",state=\"stalled\"\}")" = 0/0 ]'
rows >/tmp/rows.before
mark
systemctl restart intake mill@3
check_within "all twenty are there" 30 'sleep 0.3; [ "$(value "varta_agents\{agent=\"intake\",state=\"ok\"\}")/$(value "varta_agents\{agent=\"mill\",state=\"ok\"\}")" = 10/10 ]'
sleep 5
check "no line is a warning" '[ -z "$(alarms)" ] || { alarms; false; }'
check "nobody of before is left" '[ "$(value "varta_agent_members\{agent=\"intake\"\}")/$(value "varta_agent_members\{agent=\"mill\"\}")" = 10/10 ]'
rows >/tmp/rows.after
check "the page has the same rows as before" 'diff /tmp/rows.before /tmp/rows.after'

tell_counts
