#!/bin/bash
# Inside of a box: the RPM package from its repository by dnf. The userland is Debian's with dnf and
# rpm; what the package requires of it is provided by the names of debian-shim. Repositories: yum1
# has release 1, yum2 releases 1 and 2.
set -u
source /srv/test/checks.sh
version=$1
dnf() { command dnf --assumeyes --quiet --releasever=12 --setopt=metadata_expire=0 "$@"; }

useradd --user-group alice
rpm --force-debian --install /srv/repo/debian-shim-*.rpm
mkdir -p /etc/yum.repos.d
source_from() {
  dnf clean all >/dev/null 2>&1
  sed -e "s|^baseurl=.*|baseurl=file://$1|" -e "s|^gpgkey=.*|gpgkey=file://${2:-$1/varta-archive-key.asc}|" \
    "$1/varta.repo" >/etc/yum.repos.d/varta.repo
}

echo "-- installation"
source_from /srv/repo/yum1
began=$(date +%s%N)
check "dnf install varta-watch" 'dnf install varta-watch'
figure "dnf install" "$((($(date +%s%N) - began) / 1000000)) ms"
check "the signature of the package is good" 'rpm --checksig /srv/repo/yum1/varta-watch-*.rpm | grep -q "signatures OK"'
check "the user was made" 'id varta'
check "rpm --verify finds nothing changed" 'rpm --verify varta-watch'
check "it starts" 'systemctl enable --now varta-watch'
check "it told systemd that it is ready, and how it is" '[[ "$(unit StatusText)" =~ ^[0-9]+\ agents,\ [0-9]+\ stalled ]]'
check "an agent of another user beats" 'beat'
check "the length of socket queues was set before" '[ "$(cat /proc/sys/net/unix/max_dgram_qlen)" = 4096 ] && ! said max_dgram_qlen'
check "licences are there" 'ls /usr/share/licenses/varta-watch/copyright /usr/share/licenses/varta-watch/LGPL-2'

echo "-- upgrade, downgrade, removal"
echo '# mine' >>/etc/varta/varta.toml
before=$(unit MainPID)
inode=$(stat -c %i /run/varta/varta.sock)
source_from /srv/repo/yum2
check "dnf upgrade" 'dnf upgrade --refresh varta-watch'
check "release 2 is installed" '[ "$(rpm -q --queryformat "%{VERSION}-%{RELEASE}" varta-watch)" = "$version-2" ]'
check_within "the new program runs" 30 '[ "$(unit MainPID)" != "$before" ] && [ "$(readlink "/proc/$(unit MainPID)/exe")" = /usr/bin/varta-watch ] && beat'
check "by the socket of before" '[ "$(stat -c %i /run/varta/varta.sock)" = "$inode" ]'
check "the edited configuration was kept, the new one is beside it" 'grep -q "^# mine" /etc/varta/varta.toml && [ -e /etc/varta/varta.toml.rpmnew ]'
check "it is still enabled" '[ "$(systemctl is-enabled varta-watch)" = enabled ]'
check "dnf downgrade" 'dnf downgrade varta-watch && [ "$(rpm -q --queryformat "%{VERSION}-%{RELEASE}" varta-watch)" = "$version-1" ]'
check_within "and it runs" 30 'beat'
check "dnf remove" 'dnf remove varta-watch'
check "it is stopped, and not enabled" '[ "$(systemctl is-active varta-watch)" != active ] && [ ! -e /etc/systemd/system/multi-user.target.wants/varta-watch.service ]'
check "the program is gone, the edited configuration was saved" '[ ! -e /usr/bin/varta-watch ] && [ -e /etc/varta/varta.toml.rpmsave ]'

echo "-- tampering"
dnf_refuses() {
  rm -rf /var/cache/dnf /var/lib/dnf/repos
  source_from /srv/bad "$@"
  if dnf install varta-watch; then
    echo "it was installed"
    return 1
  fi
  refused test -e /usr/bin/varta-watch
}
fresh() { rm -rf /srv/bad && cp -r /srv/repo/yum1 /srv/bad; }
fresh
check "a repository signed with another key is refused" 'dnf_refuses /srv/repo/other-key.asc'
fresh && sed -i 's|<revision>|<revision>1|' /srv/bad/repodata/repomd.xml
check "a changed index of indexes is refused" 'dnf_refuses'
fresh && for index in /srv/bad/repodata/*primary.xml.*; do printf x >>"$index"; done
check "a changed index is refused" 'dnf_refuses'
fresh && for package in /srv/bad/*.rpm; do printf x | dd of="$package" bs=1 seek=1000000 conv=notrunc status=none; done
check "a changed package is refused" 'dnf_refuses'
fresh && rm /srv/bad/repodata/repomd.xml.asc
check "a repository without a signature is refused" 'dnf_refuses'
fresh
check "and the true one is taken" 'refused dnf_refuses'

tell_counts
