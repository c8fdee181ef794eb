#!/bin/bash
# Inside of a box: the Debian package from its repository, from the first installation to the purge.
# The repositories are below /srv/repo: apt1 has release 1, apt2 releases 1 and 2, whose
# configurations differ.
set -u
source /srv/test/checks.sh
version=$1
apt() { apt-get -q -y -o Dpkg::Use-Pty=0 "$@"; }

rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
useradd --user-group alice
useradd --user-group bob

# What a purge must leave as it was: the paths, and what is in /etc.
contents() {
  find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /root -o -path /srv -o -path /dev \
    -o -path /var/log -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/lib/systemd \
    -o -path /var/backups -o -path '/var/tmp/systemd-private-*-polkit.service-*' \) -prune -o -print | sort
  find /var/log /var/lib/systemd /run -name '*varta*' | sort
  find /etc -type f ! -name '*-' ! -name passwd ! -name group ! -name shadow ! -name gshadow ! -name ld.so.cache \
    -exec md5sum {} + | sort
}
contents >/tmp/before

source_from() {
  install -D -m 0644 "$1/varta-archive-keyring.gpg" /usr/share/keyrings/varta-archive-keyring.gpg
  sed "s|^URIs:.*|URIs: file:$1|" "$1/varta.sources" >/etc/apt/sources.list.d/varta.sources
}

echo "-- installation"
source_from /srv/repo/apt1
check "apt-get update takes the signed repository" 'apt update'
began=$(date +%s%N)
check "apt-get install varta-watch" 'apt install varta-watch'
figure "apt-get install" "$((($(date +%s%N) - began) / 1000000)) ms"
check "it is active" '[ "$(systemctl is-active varta-watch)" = active ]'
check "it is enabled" '[ "$(systemctl is-enabled varta-watch)" = enabled ]'
check "it told systemd that it is ready, and how it is" '[[ "$(unit StatusText)" =~ ^[0-9]+\ agents,\ [0-9]+\ stalled ]]'
started=$(unit ExecMainStartTimestampMonotonic)
ready=$(unit ActiveEnterTimestampMonotonic)
figure "start to READY" "$(((ready - started) / 1000)) ms"
check "it runs as varta" '[ "$(ps -o user=,group= -p "$(unit MainPID)" | tr -s " ")" = "varta varta" ]'
check "the socket is open for its group only" '[ "$(stat -c %U:%G:%a /run/varta/varta.sock)" = varta:varta:660 ]'
check "its directory can be passed by everybody" '[ "$(stat -c %U:%a /run/varta)" = varta:755 ]'
check "state and logs are private" '[ "$(stat -c %U:%a /var/lib/varta /var/log/varta | sort -u)" = varta:750 ]'
check "the length of socket queues was set" '[ "$(cat /proc/sys/net/unix/max_dgram_qlen)" = 4096 ]'
check "and before the socket was made" 'said "listening" && ! said max_dgram_qlen'
# A systemd before 254 says of two lines of the unit that it does not know them, and goes on.
warnings() { journalctl -u varta-watch -p warning -o cat --no-pager | unpaused | grep -vE "Unknown key '(RestartSteps|RestartMaxDelaySec)'"; }
check "it starts without a warning" '[ -z "$(warnings)" ] || { warnings; false; }'
check "no unit failed" '[ -z "$(systemctl --failed --no-legend)" ]'
check "the unit is valid" 'systemd-analyze verify --man=no varta-watch.service varta-watch@a.service varta-watch.socket 2>&1 | grep -v "Restart\(Steps\|MaxDelaySec\)" | (! grep varta)'
check "the unit is hardened: exposure at most 2.0" 'systemd-analyze security --no-pager --threshold=20 varta-watch.service | tail -n 1'
figure "exposure of the unit" "$(systemd-analyze security --no-pager varta-watch.service | sed -n 's/.*: \([0-9.]*\) .*/\1/p' | tail -n 1)"
check "it serves metrics" 'metrics | grep "^varta_watch_uptime_seconds "'
check "schema, manual pages and completions are there" 'ls /usr/share/varta-watch/varta.schema.json /usr/share/zsh/vendor-completions/_varta-watch /usr/share/bash-completion/completions/varta-watch && dpkg -L varta-watch | grep -q man8/varta-watch.8.gz'
check "no log rotation touches its files" '! grep -rs varta /etc/logrotate.d'
figure "RSS, idle" "$(awk '/VmRSS/ {print $2, $3}' "/proc/$(unit MainPID)/status")"

echo "-- agents of other users"
check "a member of the group varta beats" 'beat'
check "others are refused, and told why" 'out=$(refused setpriv --reuid=bob --regid=bob --clear-groups varta-watch beat --socket /run/varta/varta.sock 2>&1) && grep -qi "permission" <<<"$out"'
cat >/etc/systemd/system/app.service <<'U'
[Service]
User=alice
SupplementaryGroups=varta
ExecStart=/usr/bin/varta-watch beat --socket /run/varta/varta.sock --count 1000000 --interval 100ms
U
systemctl daemon-reload
sed -i -e 's/^threshold = .*/threshold = "2s"/' -e '/^listen = /a per_pid = true' /etc/varta/varta.toml
cp /etc/varta/varta.toml /tmp/plain.toml
recovery() { { cat /tmp/plain.toml; echo "[recovery]"; printf '%s\n' "$@"; } >/etc/varta/varta.toml; }
recovery 'step = [{ restart_unit = "auto" }]' 'verify_within = "5s"'
mark
systemctl restart varta-watch
systemctl start app
check_within "an agent in a unit of its own is watched" 30 'watches app'

echo "-- a frozen agent"
frozen=$(unit MainPID app)
systemctl kill --signal=STOP app
check_within "its stall is in the journal, with its pid" 30 'said "agent stalled.* pid=$frozen"'
check_within "without a polkit rule the recovery is refused, and its output says so" 30 'said "recovery (did not help|ended|unverified)" && [ "$(unit MainPID app)" = "$frozen" ]'
systemctl kill --signal=CONT app
check_within "the agent is back" 30 'said "agent is back.* pid=$frozen"'
# By a rename: polkitd reads a rule when its file is written, which may be before it is given its
# mode.
install -m 0644 /usr/share/doc/varta-watch/examples/50-varta-watch.rules /etc/polkit-1/new.rules
mv /etc/polkit-1/new.rules /etc/polkit-1/rules.d/50-varta-watch.rules
check_within "with the example rule varta may restart the unit" 20 'setpriv --reuid=varta --regid=varta --clear-groups systemctl restart app.service'
frozen=$(unit MainPID app)
check_within "its new process is watched" 30 'watches app'
mark
systemctl kill --signal=STOP app
check_within "with the example rule the unit of the agent is restarted" 30 '[ "$(unit MainPID app)" != "$frozen" ] && [ "$(systemctl is-active app)" = active ]'
check_within "and the recovery is verified by a beat" 30 'said "recover(y|ed)" && said "exit_code=0"'
check "the rule lets varta restart nothing else" 'refused setpriv --reuid=varta --regid=varta --clear-groups systemctl restart dbus.service'

echo "-- how agents end"
cat >/etc/systemd/system/ending.service <<'U'
[Unit]
StartLimitIntervalSec=0
[Service]
User=alice
SupplementaryGroups=varta
ExecStart=/srv/repo/mortal /run/varta/varta.sock 143 3
U
systemctl daemon-reload
cp /tmp/plain.toml /etc/varta/varta.toml
told() { said "$1.* pid=$ending( |$).*$2"; }
quiet() { ! journal | grep -E "agent stalled|member ended" | grep -q " pid=$ending "; }
# A new process of it, which has beaten.
begin() {
  systemctl start ending
  ending=$(unit MainPID ending)
  check_within "an agent in a service" 30 'watches ending'
}
ends() {
  mark
  begin
  systemctl kill --signal=USR1 ending
  check_within "that ends with 3 is reported with that $1" 10 'told "member ended" "exit_status=3"'
  begin
  systemctl stop ending
  check_within "that ends with 143 because its service is stopped ended cleanly $1" 10 'told "member gone" ""'
  check "without an alarm" quiet
  begin
  systemctl restart ending
  check_within "that ends with 143 in a restart ended cleanly $1" 10 'told "member gone" ""'
  check "without an alarm" quiet
  systemctl stop ending
}
systemctl restart varta-watch
ends "(the kernel says how)"
mkdir -p /etc/systemd/system/varta-watch.service.d
printf '[Service]\nExecStart=\nExecStart=/srv/repo/old_kernel /usr/bin/varta-watch --config /etc/varta/varta.toml\n' \
  >/etc/systemd/system/varta-watch.service.d/old.conf
systemctl daemon-reload
mark
systemctl restart varta-watch
check_within "a kernel before 6.15 does not say how processes end" 10 'said "exit statuses.* kernel=no systemd=yes"'
ends "(systemd says how)"
check "systemd was asked, and answered" 'metrics | grep -q "^varta_unit_questions_total{result=\"answered\"} [1-9]"'
rm -r /etc/systemd/system/varta-watch.service.d /etc/systemd/system/ending.service
systemctl daemon-reload
systemctl restart varta-watch

echo "-- what recovery commands may do"
recovery 'command = ["/bin/sh", "-c", "grep -E ^Cap.*: /proc/self/status > /var/lib/varta/capabilities"]'
systemctl restart varta-watch
check_within "it watches again" 30 'watches app'
systemctl kill --signal=STOP app
check_within "a command ran" 30 '[ -s /var/lib/varta/capabilities ]'
check "it had no capability" '[ "$(grep -cE "^Cap(Prm|Eff|Amb):[[:space:]]0+$" /var/lib/varta/capabilities)" = 3 ]'
systemctl kill --signal=CONT app
install -m 0644 /usr/share/doc/varta-watch/examples/varta-recover@.service /etc/systemd/system/
printf '#!/bin/sh\necho "$(id -u) $1" >/run/recovered\n' >/usr/local/sbin/varta-recover
chmod 755 /usr/local/sbin/varta-recover
systemctl daemon-reload
recovery 'command = ["/usr/bin/systemctl", "start", "varta-recover@{pid}.service"]'
systemctl restart varta-watch
check_within "it watches again" 30 'watches app'
systemctl kill --signal=STOP app
check_within "the template unit of the example runs as root, and is told the pid" 30 '[ "$(cat /run/recovered)" = "0 $(unit MainPID app)" ]'
systemctl kill --signal=KILL app
rm -f /etc/systemd/system/varta-recover@.service /usr/local/sbin/varta-recover /etc/polkit-1/rules.d/50-varta-watch.rules
cp /tmp/plain.toml /etc/varta/varta.toml

echo "-- the daemon's own faults"
systemctl restart varta-watch
mark
before=$(unit MainPID)
restarts=$(unit NRestarts)
inode=$(stat -c %i /run/varta/varta.sock)
kill -9 "$before"
check_within "after kill -9 it is restarted" 30 '[ "$(unit NRestarts)" = $((restarts + 1)) ] && [ "$(systemctl is-active varta-watch)" = active ] && beat'
check "by the sockets that systemd has kept for it" '[ "$(unit NFileDescriptorStore)" = 2 ] && [ "$(stat -c %i /run/varta/varta.sock)" = "$inode" ]'
before=$(unit MainPID)
kill -STOP "$before"
for sender in 1 2 3 4; do
  setpriv --reuid=alice --regid=alice --groups=varta \
    varta-watch beat --socket /run/varta/varta.sock --count 200 --interval 1ms >"/tmp/sender$sender" 2>&1 &
  senders[sender]=$!
done
refusals=0
for sender in 1 2 3 4; do wait "${senders[sender]}" || refusals=$((refusals + 1)); done
check "800 beats wait in the queue of a daemon that hangs" '[ "$refusals" = 0 ] || { cat /tmp/sender*; false; }'
check_within "a daemon that hangs is killed by the watchdog" 30 'journalctl --sync; said "Watchdog timeout"'
check_within "and restarted" 30 '[ "$(unit MainPID)" != "$before" ] && [ "$(systemctl is-active varta-watch)" = active ] && beat'
echo 'x = = 1' >>/etc/varta/varta.toml
# With the one that worked last it would start (reload.sh).
rm /var/lib/varta/last-good.toml /var/lib/varta/last-good.sum
restarts=$(unit NRestarts)
mark
systemctl restart varta-watch 2>/dev/null
sleep 3
check "a configuration at fault, and none that worked: exit code 78, and no loop" '[ "$(unit ActiveState)/$(unit ExecMainStatus)" = failed/78 ] && [ "$(unit NRestarts)" -le "$restarts" ]'
check "the journal says which line" 'said "varta.toml:[0-9]+"'
cp /tmp/plain.toml /etc/varta/varta.toml
check "and it starts when the file is mended" 'systemctl restart varta-watch && beat'

echo "-- shards"
for shard in a b; do
  printf '[[listener]]\nkind = "unix"\npath = "/run/varta-%s/varta.sock"\nmode = "0660"\n' "$shard" >"/etc/varta/$shard.toml"
done
check "shards start" 'systemctl enable --now varta-watch@a varta-watch@b'
check "each takes beats" 'beat /run/varta-a/varta.sock && beat /run/varta-b/varta.sock'
systemctl stop varta-watch@a varta-watch
check "one goes without taking the directories of the others" '[ -S /run/varta-b/varta.sock ] && [ ! -e /run/varta-a ] && beat /run/varta-b/varta.sock'
systemctl disable --now varta-watch@a varta-watch@b 2>/dev/null
rm /etc/varta/[ab].toml
systemctl start varta-watch

echo "-- the Unix-only example"
install -D -m 0644 /usr/share/doc/varta-watch/examples/unix-only.conf /etc/systemd/system/varta-watch.service.d/unix-only.conf
sed 's|^listen = .*|listen = "unix:/run/varta/metrics.sock"|' /tmp/plain.toml >/etc/varta/varta.toml
systemctl daemon-reload
mark
check "it starts, and takes beats" 'systemctl restart varta-watch && beat && [ -S /run/varta/metrics.sock ]'
check "its queues have their length in its own network, too" '[ "$(nsenter --target "$(unit MainPID)" --net cat /proc/sys/net/unix/max_dgram_qlen)" = 4096 ] && ! said max_dgram_qlen'
check "exposure at most 1.0" 'systemd-analyze security --no-pager --threshold=10 varta-watch.service | tail -n 1'
figure "exposure, Unix only" "$(systemd-analyze security --no-pager varta-watch.service | sed -n 's/.*: \([0-9.]*\) .*/\1/p' | tail -n 1)"
rm -r /etc/systemd/system/varta-watch.service.d
cp /tmp/plain.toml /etc/varta/varta.toml
systemctl daemon-reload
systemctl restart varta-watch

echo "-- upgrade and downgrade"
echo '# mine' >>/etc/varta/varta.toml
source_from /srv/repo/apt2
before=$(unit MainPID)
check "apt-get upgrade" 'apt update && apt -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold install --only-upgrade varta-watch'
check "release 2 is installed" '[ "$(dpkg-query -W -f "\${Version}" varta-watch)" = "$version-2" ]'
check "the edited configuration was kept, the new one is beside it" 'grep -q "^# mine" /etc/varta/varta.toml && [ -e /etc/varta/varta.toml.dpkg-dist ]'
check_within "the new program runs" 30 '[ "$(unit MainPID)" != "$before" ] && [ "$(readlink "/proc/$(unit MainPID)/exe")" = /usr/bin/varta-watch ] && beat'
check "apt-get install of the release before" 'apt -o Dpkg::Options::=--force-confold install --allow-downgrades varta-watch="$version-1" && [ "$(dpkg-query -W -f "\${Version}" varta-watch)" = "$version-1" ] && beat'
check "what the administrator disabled stays so" 'systemctl disable --now varta-watch && apt install --reinstall varta-watch="$version-1" && [ "$(systemctl is-enabled varta-watch)/$(systemctl is-active varta-watch)" = disabled/inactive ]'
systemctl enable --now varta-watch 2>/dev/null

echo "-- removal"
touch /var/lib/varta/audit.log
check "apt-get remove" 'apt remove varta-watch'
check "it is stopped" '[ "$(systemctl is-active varta-watch)" != active ] && [ -z "$(pgrep -u varta)" ] && [ ! -e /run/varta ]'
check "configuration and state are kept" '[ -e /etc/varta/varta.toml ] && [ -e /var/lib/varta/audit.log ] && [ ! -e /usr/bin/varta-watch ]'
check "apt-get purge" 'apt purge varta-watch'
rm -f /etc/systemd/system/app.service /etc/apt/sources.list.d/varta.sources /usr/share/keyrings/varta-archive-keyring.gpg
rmdir /etc/polkit-1/rules.d 2>/dev/null || true
contents >/tmp/after
check "nothing is left, and nothing else has changed" 'diff <(grep -v "/rules.d$" /tmp/before) <(grep -v "/rules.d$" /tmp/after)'
check "dpkg knows nothing of it" 'refused dpkg -s varta-watch'

echo "-- tampering"
# Apt must refuse the repository in /srv/bad.
apt_refuses() {
  rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
  source_from /srv/bad
  if [ -n "${1:-}" ]; then cp "$1" /usr/share/keyrings/varta-archive-keyring.gpg; fi
  if apt update && apt install varta-watch; then
    echo "it was installed"
    return 1
  fi
  refused test -e /usr/bin/varta-watch
}
fresh() { rm -rf /srv/bad && cp -r /srv/repo/apt1 /srv/bad; }
fresh && find /srv/bad -path '*binary-amd64*' -type f -exec sh -c 'zcat -f "$1" | sed "s/^Depends: /&bash, /" >/tmp/x; case $1 in *.gz) gzip -9n </tmp/x >"$1" ;; *) cp /tmp/x "$1" ;; esac' sh {} \;
check "an index changed after signing is refused" 'apt_refuses'
fresh && deb=$(ls /srv/bad/pool/main/v/varta-watch/*_amd64.deb) && printf x | dd of="$deb" bs=1 seek=1000000 conv=notrunc status=none
check "a changed package is refused" 'apt_refuses'
fresh
check "a repository signed with another key is refused" 'apt_refuses /srv/repo/other-keyring.gpg'
fresh && rm /srv/bad/dists/stable/InRelease /srv/bad/dists/stable/Release.gpg
check "a repository without a signature is refused" 'apt_refuses'
fresh && sed -i 's/^Suite: stable/Suite: stablE/' /srv/bad/dists/stable/InRelease && rm /srv/bad/dists/stable/Release.gpg
check "a changed release file is refused" 'apt_refuses'
fresh
check "and the true one is taken" 'refused apt_refuses'

tell_counts
