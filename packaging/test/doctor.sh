#!/bin/bash
# Inside of a box: what doctor says of a machine, and whether each of its fixes is one: it is run as
# it stands on the screen.
set -u
source /srv/test/checks.sh
file=/etc/varta/varta.toml
dropins=/etc/systemd/system/varta-watch.service.d
useradd --user-group alice
useradd --user-group bob
apt() { apt-get -q -y -o Dpkg::Use-Pty=0 "$@"; }
check "it is installed" 'apt install /srv/repo/apt1/pool/main/v/varta-watch/*-1_amd64.deb'
cp $file /tmp/plain.toml
figure "systemd" "$(systemctl --version | sed -n '1s/systemd //p')"

doctor() { varta-watch doctor "$@"; }
# Check: "passed", "left_out", "not_asked", or the severity of what was found.
says() {
  doctor --json | sed -n "s/.*\"check\":\"$1\",\"result\":\"\([a-z_]*\)\".*/& \1/p" |
    sed -n 's/.*"severity":"\([a-z]*\)".*/\1/p; t; s/.* \([a-z_]*\)$/\1/p'
}
# Check, what it is to say.
is() { [ "$(says "$1")" = "$2" ] || { echo "it says $(says "$1"), want $2"; false; }; }
comes_to_be() { within 10 "is $1 $2"; }
# Words of the first line of a finding: the lines of its fix, as the screen has them.
fix_of() {
  doctor | sed -n "/^[a-z]* *.*$1/,/^\$/p" | sed -n '/^  *fix: /,$p' | sed -e '1s/^ *fix: //' -e 's/^              //'
}
# Words: its fix is pasted.
cure() {
  fix_of "$1" >/tmp/fix.sh
  [ -s /tmp/fix.sh ] || { echo "no finding has \"$1\""; return 1; }
  sh -e /tmp/fix.sh || { cat /tmp/fix.sh; false; }
}
as() { setpriv --reuid="$1" --regid="$1" --groups="$2" varta-watch doctor "${@:3}"; }
# Whose pauses on a busy machine are no fault of it.
faultless() { ! grep -E '^(fault|warning)' <<<"$1" | grep -v "The observer was paused"; }

echo "-- a machine as it is installed"
within 10 '[ "$(systemctl is-active varta-watch)" = active ]'
check_within "nothing is wrong, and nothing is advised but a clock" 10 'out=$(doctor); faultless "$out" && ! grep "^advice" <<<"$out" | grep -v "clock of this machine is not synchronized"'
check_within "nor for a user of its group" 10 'out=$(as alice varta); faultless "$out"'
check "nor for one who may not ask: he is told what is left out" 'out=$(as bob bob); faultless "$out" && grep -q "they need an answer of the daemon" <<<"$out" || { echo "$out"; false; }'
check "each line of --json is an object, passed ones too" '[ "$(doctor --json | grep -c "^{\"v\":1,\"check\":\".*}$")" -gt 24 ] && [ "$(doctor --json | grep -vc "^{.*}$")" = 0 ]'

echo "-- a daemon that is down"
systemctl stop varta-watch
check "is a fault, exit code 2" 'doctor >/tmp/out; [ "$?" = 2 ] && grep -q "^fault *The daemon on" /tmp/out'
check "the fix starts it" 'cure "The daemon on" && comes_to_be daemon passed'

echo "-- plans"
cat >/etc/systemd/system/app.service <<'U'
[Service]
User=alice
SupplementaryGroups=varta
ExecStart=/usr/bin/varta-watch beat --socket /run/varta/varta.sock --count 1000000 --interval 100ms
U
cat >>$file <<'T'
[[agent]]
name = "app"
match = { exe = "/usr/bin/varta-watch", unit = "app.service" }
recovery = "restart"

[[agent]]
name = "far"
match = { user = "bob" }

[[recovery.plan]]
name = "restart"
step = [{ signal = "SIGTERM" }, { restart_unit = "auto" }]
T
systemctl daemon-reload
systemctl restart app
check "it is reloaded" 'systemctl reload varta-watch'
check_within "the agent is known" 20 'varta-watch status | grep -q "^app "'
check "a user of a rule who may not send is a fault" 'is who_cannot_send fault'
check "the fix lets him" 'cure "may not send" && is who_cannot_send passed'
check "members of others that it may not signal are a warning" 'is signals warning'
check "units that it may not have restarted, too" 'is polkit warning'
check "nobody takes an agent for one without a rule, whoever asks" 'is unnamed_agents passed && as bob varta --json | grep -q "unnamed_agents\",\"result\":\"passed"'
check "the fix gives it the capability" 'cure "no CAP_KILL" && comes_to_be signals passed'
within 20 'varta-watch status | grep -q "^app "'
check "the rule of --print polkit is accepted by polkit" 'cure "polkit has no rule" && comes_to_be polkit passed'
mark
frozen=$(unit MainPID app)
kill -STOP "$frozen"
check_within "and the plan restarts the unit" 30 'said "recovery done.*restart app.service done" && [ "$(unit MainPID app)" != "$frozen" ]'
check "no other unit is restarted by it" 'refused setpriv --reuid=varta --regid=varta --clear-groups systemctl restart dbus.service'
systemctl stop app
cp /tmp/plain.toml $file
rm -rf $dropins /etc/polkit-1/rules.d/50-varta-watch.rules
systemctl daemon-reload
systemctl restart varta-watch

echo "-- a sandbox that hurts"
# Line of [Service]: by systemctl edit, which writes an override.conf.
hurt() {
  mkdir -p $dropins
  printf '[Service]\n%s\n' "$1" >$dropins/override.conf
  systemctl daemon-reload
  timeout 20 systemctl restart varta-watch 2>/dev/null
  return 0
}
for setting in MemoryDenyWriteExecute=yes PrivateUsers=yes WatchdogSec=3s; do
  hurt "$setting"
  check "$setting is found" 'doctor | grep -qE "^(fault|warning) .*${setting%%[!A-Za-z]*}="'
  check "and the fix wins over it" 'cure "${setting%%[!A-Za-z]*}=" && within 10 "[ \"\$(systemctl is-active varta-watch)\" = active ]" && ! doctor | grep -qE "^(fault|warning) .*${setting%%[!A-Za-z]*}="'
  rm -r $dropins
done
systemctl daemon-reload
systemctl restart varta-watch

echo "-- a short queue"
sysctl -q net.unix.max_dgram_qlen=10
printf '[[agent]]\nname = "many"\nmatch = { comm = "many" }\nexpect = 40\n' >>$file
systemctl restart varta-watch
check_within "is a fault, and logged at the start" 10 'journalctl --sync; journal | grep -q "doctor finding.*The receive queue holds 10 beats; 40 expected members"'
check "the fix makes it longer" 'cure "The receive queue" && comes_to_be queue_length passed'

echo "-- a configuration at fault, and a port of somebody else"
echo 'x = = 1' >>$file
check "is a fault" 'is configuration fault'
check "nothing can be printed of it: exit code 3" 'doctor --print polkit; [ "$?" = 3 ]'
cp /tmp/plain.toml $file
systemctl stop varta-watch
systemd-run --quiet --unit=thief python3 -c 'import socket, signal; s = socket.create_server(("127.0.0.1", 9469)); signal.pause()'
check_within "so is a port that another program has" 10 'doctor | grep -q "127.0.0.1:9469"'
systemctl stop thief

tell_counts
