#!/bin/sh
# A throw-away PostgreSQL: prints the address of its socket folder and goes on until standard input ends, as it does
# when the test ends, however it ends. "restart" on standard input restarts it. Exit code 3: there is no PostgreSQL.
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
[ -x "$bin/initdb" ] || exit 3
folder=$(mktemp -d) || exit 1
as=
# initdb refuses to work as root.
if [ "$(id -u)" = 0 ]; then
    chown postgres "$folder" || exit 1
    as="runuser -u postgres --"
fi
cd "$folder" || exit 1
# Out of the reach of an interrupt at the terminal.
trap '' INT
$as "$bin/initdb" -D "$folder/data" -U tidings -A trust -E UTF8 --locale=C --no-sync >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
# Nothing here has to survive a power cut.
options="-k $folder -c listen_addresses= -c fsync=off -c max_connections=200"
$as "$bin/pg_ctl" -D "$folder/data" -o "$options" -l "$folder/data/log" -w start >/dev/null || { cat "$folder/data/log" >&2; exit 1; }
echo "$folder"
while read -r command; do
    case $command in
    restart)
        $as "$bin/pg_ctl" -D "$folder/data" -o "$options" -l "$folder/data/log" -m fast -w restart >/dev/null
        echo restarted
        ;;
    esac
done
$as "$bin/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null
rm -rf "$folder"
