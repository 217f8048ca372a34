#!/bin/sh
# Installs the servers that the directory tests start: OpenLDAP, and Samba as an Active Directory domain controller; a
# name server; what checks metrics; and what it takes to build rosterd with Kerberos.
# For Debian 12, Ubuntu 24.04, and what came after them; run as root. The tests run it themselves when a program is
# missing. The tests start servers of their own: those that the packages bring are neither started nor enabled.
set -eu
export DEBIAN_FRONTEND=noninteractive

packages="openssl util-linux systemd slapd ldap-utils samba-ad-dc samba-ad-provision ldb-tools dnsmasq-base prometheus \
    krb5-user libsasl2-modules-gssapi-mit libkrb5-dev libclang-dev"
# shellcheck disable=SC2086
if dpkg -s $packages > /dev/null 2>&1; then
    exit 0
fi

policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
fi

known=$(systemctl list-unit-files 2> /dev/null || true)

install() {
    # shellcheck disable=SC2086
    apt-get -o DPkg::Lock::Timeout=600 install -y --no-install-recommends $packages
}
# The package lists of a fresh machine are missing or old.
install || { apt-get -o DPkg::Lock::Timeout=600 update && install; }

for unit in slapd smbd nmbd winbind samba-ad-dc prometheus; do
    case "$known" in
        *"$unit.service"*) ;;
        *) systemctl disable "$unit" > /dev/null 2>&1 || true ;;
    esac
done
