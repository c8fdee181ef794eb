#!/bin/bash
# Inside of a box: systemctl reload with a real systemd. A right file is taken over, and a wrong one
# fails the job with its problems in the output, while the service stays active with the same
# process and no agent is stalled by it.
set -u
source /srv/test/checks.sh
useradd --user-group alice
apt-get -q -y -o Dpkg::Use-Pty=0 install /srv/repo/apt1/pool/main/v/varta-watch/*_amd64.deb >/dev/null 2>&1
figure "systemd" "$(systemctl --version | sed -n '1s/systemd //p')"

file=/etc/varta/varta.toml
cat >/etc/systemd/system/app.service <<'U'
[Service]
User=alice
SupplementaryGroups=varta
ExecStart=/usr/bin/varta-watch beat --socket /run/varta/varta.sock --count 1000000 --interval 100ms
U
systemctl daemon-reload
systemctl start app
# Renamed into place, as the manual says.
write() { cat >/etc/varta/next && mv /etc/varta/next $file; }
threshold() { sed "s/^threshold = .*/threshold = \"$1\"/" /tmp/plain.toml | write; }
reload() { timeout 20 systemctl reload varta-watch; }
# The output of the command, which systemd has in the journal of the unit.
active() { [ "$(systemctl is-active varta-watch)/$(unit MainPID)" = "active/$daemon" ]; }
cp $file /tmp/plain.toml
daemon=$(unit MainPID)

echo "-- a file that is right"
check "an unchanged file is taken" reload
mark
threshold 3s
check "a changed file is taken" reload
check "and the log says what has changed" 'journalctl --sync; said "configuration changed.* change=\"observer.threshold: 5s -> 3s"'
threshold 4s
check "two reloads in a row are taken" 'reload && { threshold 3500ms; reload; }'
check "and the last file is in force" 'journalctl --sync; said "observer.threshold: 4s -> 3500ms"'
check "the status is that of always" '[[ "$(unit StatusText)" =~ ^[0-9]+\ agents ]]'
check "the service is active, with the same process" active
mark
threshold 3s
systemctl kill --signal=HUP --kill-whom=main varta-watch
check_within "SIGHUP does the same" 10 'said "observer.threshold: 3500ms -> 3s"'
check "the service is active, with the same process" active

echo "-- a file that is wrong"
mark
sed 's/^threshold = .*/threshold = 5/' /tmp/plain.toml | write
line=$(grep -n '^threshold' $file | cut -d: -f1)
check "the job fails" 'refused reload'
check "the problem is in the journal, with its place" "journalctl --sync; said '^$file:$line:[0-9]+: .*found'"
check "the status says where" "[[ \"\$(unit StatusText)\" == 'reload failed: $file:$line:'* ]]"
check "the service is active, with the same process" active
check_within "the page says so" 10 'sleep 0.3; metrics | grep -q "^varta_config_last_reload_successful 0"'
rm $file
check "so does the job without a file" 'sleep 0.3; refused reload'
check "the service is active, with the same process" active
: >$file
check "and with an empty one" 'refused reload'
threshold 2s
check "and the next right file is taken" reload
check "the status is that of always" '[[ "$(unit StatusText)" =~ ^[0-9]+\ agents ]]'
check_within "the page says so" 10 'sleep 0.3; metrics | grep -q "^varta_config_last_reload_successful 1"'

echo "-- by hand"
check "root sees what would change" 'threshold 3s; varta-watch reload --dry-run | grep -q "2s -> 3s"'
check "and reloads" 'varta-watch reload | grep -q "2s -> 3s"'
check "who may only ask is refused, with 77" 'setpriv --reuid=alice --regid=alice --groups=varta varta-watch reload; [ $? = 77 ]'

echo "-- a daemon that does not answer"
kill -STOP "$daemon"
began=$SECONDS
check "the job fails soon" 'refused reload'
check "within seconds" '[ $((SECONDS - began)) -le 6 ]'
kill -CONT "$daemon"
check_within "and is taken later" 20 reload
check "no agent was stalled by any of it" '! journalctl -u varta-watch -o cat --no-pager | grep "agent stalled"'

echo "-- a restart with a file that is wrong"
threshold 3s
reload
sed 's/^threshold = .*/threshold = 5/' /tmp/plain.toml | write
check "begins with the configuration that worked last" 'systemctl restart varta-watch && [ "$(systemctl is-active varta-watch)" = active ]'
check "the status says so, and where the problem is" "[[ \"\$(unit StatusText)\" == 'last good configuration: $file:$line:'* ]]"
check_within "and so does the page" 10 'sleep 0.3; metrics | grep -q "^varta_config_last_good_in_use 1"'
check "the copy is private, and the file of before" '[ "$(stat -c %U:%a /var/lib/varta/last-good.toml)" = varta:600 ] && grep -q "threshold = \"3s\"" /var/lib/varta/last-good.toml'
threshold 2s
check "until the file is right" 'reload && [[ "$(unit StatusText)" =~ ^[0-9]+\ agents ]]'
rm $file
check "a file that is missing is no start" 'systemctl restart varta-watch; sleep 1; [ "$(systemctl is-active varta-watch)/$(unit ExecMainStatus)" = failed/78 ]'
threshold 2s
check "and the service starts again with one" 'systemctl reset-failed varta-watch; systemctl start varta-watch'

echo "-- a shard"
printf '[[listener]]\nkind = "unix"\npath = "/run/varta-a/varta.sock"\n' >/etc/varta/a.toml
systemctl start varta-watch@a
printf '[limits]\nglobal_rate = 7\n' >>/etc/varta/a.toml
check "is reloaded by itself" 'timeout 20 systemctl reload varta-watch@a; journalctl --sync; journal varta-watch@a | grep -q "limits.global_rate: 50000 -> 7"'
systemctl stop varta-watch@a

tell_counts
