#!/bin/sh
# A Postfix of its own on 127.0.0.1:$1 that hands the mail for dead.example to the server on port $2, and puts that for
# bounces.example.org into a Maildir. Prints the folder of the Maildir, and goes on until standard input ends.
# Exit code 3: there is no Postfix, or we are not root, without which it does not start.
port=$1 remote=$2
[ -x /usr/sbin/postfix ] && [ "$(id -u)" = 0 ] || exit 3
folder=$(mktemp -d) || exit 1
chmod 755 "$folder"
mkdir "$folder/etc" "$folder/spool" "$folder/data" "$folder/mail" || exit 1
chown postfix "$folder/data" "$folder/mail"
cat >"$folder/etc/main.cf" <<EOF
compatibility_level = 3.6
queue_directory = $folder/spool
data_directory = $folder/data
maillog_file = $folder/maillog
maillog_file_prefixes = $folder
myhostname = relay.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
disable_dns_lookups = yes
recipient_delimiter = +
transport_maps = inline:{ { dead.example = smtp:[127.0.0.1]:$remote } }
virtual_mailbox_domains = bounces.example.org
virtual_mailbox_base = $folder/mail
virtual_mailbox_maps = static:bounce/
virtual_uid_maps = static:$(id -u postfix)
virtual_gid_maps = static:$(id -g postfix)
virtual_minimum_uid = 1
EOF
sed -e 's/^\(smtp  *inet .*\)$/127.0.0.1:'"$port"' inet n - n - - smtpd/' \
    -e 's/^\([a-z]* *unix *[-n] *[-n] *\)y/\1n/' /usr/share/postfix/master.cf.dist >"$folder/etc/master.cf"
trap '' INT
/usr/sbin/postfix -c "$folder/etc" start >"$folder/log" 2>&1 || { cat "$folder/log" "$folder/maillog" >&2; exit 1; }
echo "$folder/mail/bounce"
cat >/dev/null
/usr/sbin/postfix -c "$folder/etc" stop >/dev/null 2>&1
rm -rf "$folder"
