#!/bin/bash
# Inside of a box: sockets that outlive the daemon, with a hundred agents that beat ten times a second
# into a queue of 512. Over a restart, a package upgrade and kill -9 no send fails, every beat counts,
# and nobody is forgotten. Then what is not kept, and sockets that a socket unit makes.
set -u
source /srv/test/checks.sh
version=$1
file=/etc/varta/varta.toml
socket=/run/varta/varta.sock
tally=/var/tmp/tally
export_file=/var/log/varta/events.tsv
# The administrator's length of queues wins over the package's.
echo 'net.unix.max_dgram_qlen = 512' >/etc/sysctl.d/zz-queue.conf
useradd --user-group alice
apt() { apt-get -q -y -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold "$@"; }
package() { echo /srv/repo/"apt$1"/pool/main/v/varta-watch/*-"$1"_amd64.deb; }
apt install "$(package 1)" >/dev/null 2>&1
cp $file /tmp/plain.toml
figure "systemd" "$(systemctl --version | sed -n '1s/systemd //p')"

inode() { stat -c %i "${1:-$socket}"; }
stored() { unit NFileDescriptorStore; }
active() { [ "$(systemctl is-active varta-watch)" = active ]; }
# It is ready before it has said all of it.
says() { within 10 'journalctl --sync; said "$1"' "$1"; }
inherits() { says 'msg="ready"' && said 'msg="listening".* inherited=true'; }
keeps() { within 10 '[ "$(stored)" = "$1" ]' "$1"; }
fleet() { python3 /srv/test/fleet.py "$@"; }

# Since when the daemon was gone until it was back, in ms: when it was told to go, or was seen dead.
gap() {
  local left back
  left=$(unit ActiveExitTimestampMonotonic)
  back=$(unit ActiveEnterTimestampMonotonic)
  echo $(((back - left) / 1000))
}

# Name, command: the daemon goes and comes back meanwhile. The gap is what a queue of 512 must bear,
# for half a second; a machine that has better things to do is only asked for the figure.
busy=0
outage() {
  local name=$1 before gaps=()
  for _ in 1 2 3; do
    before=$(unit MainPID)
    eval "$2" >/tmp/outage 2>&1
    within 30 'active && [ "$(unit MainPID)" != "$before" ]' || break
    gaps+=("$(gap)")
    if [ "${gaps[-1]}" -lt 400 ]; then break; fi
    busy=1
  done
  figure "gap, $name" "${gaps[*]} ms"
  check "$name: there is another daemon" '[ "$(unit MainPID)" != "$before" ] || { cat /tmp/outage; false; }'
  check "in less than 400 ms, unless the machine is busy" '[ "${gaps[-1]}" -lt 400 ] || loaded'
}
loaded() { awk -v cores="$(nproc)" '{ exit $1 < 2 * cores }' /proc/loadavg; }

echo "-- a hundred agents, ten beats a second each"
cat >>$file <<T

[export]
file = "$export_file"
events = ["beat", "boot", "shutdown", "stall"]
T
systemctl restart varta-watch
mark
systemd-run --quiet --unit=fleet --property=User=alice --property=SupplementaryGroups=varta \
  python3 /srv/test/fleet.py run $socket 100 10 $tally
tell_fleet() { kill -s "$1" -- "-$(unit MainPID fleet)"; }
check_within "all of them beat" 20 '[ "$(cut -f 2,3 $export_file | grep ^beat | sort -u | wc -l)" = 100 ]'
made=$(inode)
check "systemd keeps two sockets, the one of the beats with a queue of 512" 'keeps 2'
outage "restart" 'systemctl restart varta-watch'
# As the first time since it was started by hand: systemd 254 and later wait longer each time.
killing() {
  systemctl reset-failed varta-watch
  kill -9 "$before"
  within 5 '[ ! -e "/proc/$before" ]' && tell_fleet USR1
}
outage "kill -9" killing
outage "upgrade" 'apt install --reinstall "$(package 2)"'
check "release 2 runs now" '[ "$(dpkg-query -W -f "\${Version}" varta-watch)" = "$version-2" ] && [ "$(readlink "/proc/$(unit MainPID)/exe")" = /usr/bin/varta-watch ]'
check "systemd itself is replaced: it has them still" 'systemctl daemon-reexec && keeps 2'
frozen=$(pgrep -P "$(unit MainPID fleet)" | head -n 1)
kill -STOP "$frozen"
check_within "one of them is frozen, and stalled" 20 'said "agent stalled.* pid=$frozen "'
began=$SECONDS
for round in 1 2 3 4 5 6 7 8 9 10; do
  systemctl restart varta-watch
  if [ "$(gap)" -ge 400 ]; then busy=1; fi
  timeout 20 systemctl reload varta-watch
done
figure "ten restarts and ten reloads" "$((SECONDS - began)) s"
check "the store has not grown after twenty restarts and reloads" 'keeps 2'
check "by the socket of the beginning" '[ "$(inode)" = "$made" ] && inherits'
stalled() { journalctl --sync; journal | grep -c 'msg="agent stalled"'; }
check_within "the frozen one is stalled still, and was told once" 10 'sleep 0.3; metrics | grep -q "^varta_agents{.*state=\"stalled\"} 1" && [ "$(stalled)" = 1 ]'
kill -CONT "$frozen"
check_within "until it is back" 10 'said "agent is back.* pid=$frozen "'
check "nobody is new: the state came back each time" '[ "$(journal | grep -c "msg=\"member came\"")" = 100 ]'
tell_fleet TERM
check_within "the agents end" 10 '[ "$(grep -c ^end $tally)" = 100 ]'
failures=$(fleet failed $tally)
check "no send of theirs was refused" '[[ "$failures" =~ ^ECONNREFUSED\ 0,\ ENOENT\ 0,\ EAGAIN\ [0-9]+,\ other\ 0$ ]]'
# A queue of 512 lasts for half a second.
check "and none met a full queue, unless the machine was busy" '[ "$busy" = 1 ] || loaded || [[ "$failures" =~ EAGAIN\ 0, ]]'
figure "sends that failed" "$failures"
check_within "and every beat counted" 10 'fleet missed $tally $export_file'
figure "beats" "$(fleet missed $tally $export_file | head -n 1)"
check "nobody else was stalled" '[ "$(grep -cP "\tstall\t" $export_file)" = 1 ]'

echo "-- what is not as it was"
# Line or key, and what stands in its place.
configure() { sed "s|$1|$2|" /tmp/plain.toml >$file; }
restart_says() {
  mark
  systemctl restart varta-watch && says 'msg="ready"' && said "$1" && beat "${2:-$socket}"
}
cp /tmp/plain.toml $file
systemctl restart varta-watch
configure /run/varta/varta.sock /run/varta/other.sock
check "another path: the old one is closed, and its file removed" 'restart_says "descriptor closed.* reason=\"no configured path has its file" /run/varta/other.sock && [ ! -e $socket ]'
cp /tmp/plain.toml $file
check "and back again" 'restart_says "listening" && [ ! -e /run/varta/other.sock ]'
# Kind, address: a second listener.
udp() { printf '[[listener]]\nkind = "udp"\naddress = "%s"\nport = 7878\naccept_plaintext = true\n' "$1" | cat /tmp/plain.toml - >$file; }
udp 127.0.0.1
systemctl restart varta-watch
check "a UDP listener is kept, too" 'restart_says "kind=udp address=127.0.0.1 port=7878 inherited=true" && keeps 3'
udp 0.0.0.0
check "another address of its port: made anew" 'restart_says "kind=udp address=0.0.0.0 port=7878$" && keeps 3'
cp /tmp/plain.toml $file
systemctl restart varta-watch
sysctl -q net.unix.max_dgram_qlen=256
check "another length of queues: made anew" 'restart_says "stored socket made anew.* reason=\"its queue has length 512, net.unix.max_dgram_qlen is 256"'
sysctl -q net.unix.max_dgram_qlen=512
configure '"0660"' '"0666"'
check "another mode: made anew" 'restart_says "stored socket made anew.* reason=\"it was made with mode 0660, want 0666"'
cp /tmp/plain.toml $file
check "another mode by a reload: it is the same socket" 'before=$(inode) && systemctl reload varta-watch && [ "$(inode)" = "$before" ] && keeps 2 && restart_says inherited'
check "a socket that was removed by hand: made anew" 'rm $socket && restart_says "listening" && ! said "listening.* inherited"'
check "and the store has not grown" 'keeps 2'

echo "-- a start that fails"
configure 127.0.0.1:9469 127.0.0.1:9470
systemd-run --quiet --unit=thief python3 -c 'import socket, signal; s = socket.create_server(("127.0.0.1", 9470)); signal.pause()'
before=$(inode)
mark
check "fails, and is tried again" 'within 10 "ss -ltn | grep -q 127.0.0.1:9470"; refused systemctl restart varta-watch; within 10 "[ \"\$(unit NRestarts)\" -ge 1 ]"'
waiting=$(beat | sed -nE 's/^sent .* pid ([0-9]+) .*/\1/p')
check "and beats wait meanwhile" '[ -n "$waiting" ] && [ "$(inode)/$(stored)" = "$before/2" ]'
systemctl stop thief
check_within "and count when it comes up" 30 'active && journalctl --sync && said "member came.* pid=$waiting "'
cp /tmp/plain.toml $file
systemctl restart varta-watch

echo "-- what is not kept"
check "stop: neither socket nor directory" 'systemctl stop varta-watch && [ "$(stored)" = 0 ] && [ ! -e /run/varta ]'
check "start: new ones" 'mark; systemctl start varta-watch && beat && says "msg=\"ready\"" && ! said "inherited=true"'
# With the configuration that worked last it would start. A daemon that has just begun writes it.
mkdir -p /etc/systemd/system/varta-watch.s{ervice,ocket}.d
printf '[Service]\nExecStopPost=+/bin/sh -c "rm -f /var/lib/varta/last-good.*"\n' \
  >/etc/systemd/system/varta-watch.service.d/forget.conf
systemctl daemon-reload
echo 'x = = 1' >>$file
check "exit 78: no socket is left that nobody reads" 'refused systemctl restart varta-watch; within 5 "[ \"\$(unit ExecMainStatus)/\$(stored)\" = 78/0 ]"'
cp /tmp/plain.toml $file

echo "-- a socket unit"
printf '[Service]\nRuntimeDirectoryPreserve=yes\n' >/etc/systemd/system/varta-watch.service.d/keep.conf
systemctl daemon-reload
check "it is enabled as is written in it" 'systemctl enable --now varta-watch.socket'
mark
check "the first beat starts the daemon" 'beat && within 20 active && says "member came"'
check "which takes the socket as it is, and stores its control socket alone" 'inherits && keeps 1 && ! journal | unpaused | grep -q level=warn'
made=$(inode)
check "after a stop the socket is there, and a beat starts it again" 'mark; systemctl stop varta-watch; [ "$(inode)" = "$made" ] && beat && within 20 active && says "member came"'
check "a restart of the socket unit under it fails, and no beat does" 'refused systemctl restart varta-watch.socket; [ "$(inode)" = "$made" ] && beat'
both() { systemctl stop varta-watch.socket varta-watch && systemctl start varta-watch.socket varta-watch; }
check "both are stopped and started" 'mark; both && beat && inherits'
printf '[Socket]\nSocketMode=0666\n' >/etc/systemd/system/varta-watch.socket.d/mode.conf
systemctl daemon-reload
mark
check "another mode than the listener's is one warning" 'both && beat && says "msg=\"ready\"" && [ "$(journal | grep level=warn | grep -c "socket unit differs.*SocketMode=0666, mode is 0660")/$(journal | unpaused | grep -c level=warn)" = 1/1 ]'
printf '[Socket]\nRemoveOnStop=yes\n' >/etc/systemd/system/varta-watch.socket.d/remove.conf
systemctl daemon-reload
check "one that takes its path along: it is said" 'mark; systemctl stop varta-watch.socket; [ ! -e $socket ] && says "socket file lost"'
check "and doctor says so, and the cure" 'out=$(refused varta-watch doctor) && grep -q "1 socket of the daemon cannot be reached: $socket" <<<"$out" && grep -q "systemctl restart varta-watch" <<<"$out" && systemctl restart varta-watch && beat'
both
echo 'x = = 1' >>$file
systemctl restart varta-watch 2>/dev/null
beat >/dev/null 2>&1
check_within "a configuration at fault ends the socket unit after five tries" 30 '[ "$(unit Result varta-watch.socket)/$(unit ExecMainStatus)" = trigger-limit-hit/78 ]'

tell_counts
