#!/bin/sh
# Write the secrets that compose.yaml names, once; a file that exists is left as it is.
#
#     deploy/compose/secrets.sh 'smtp+tls://user:password@mail.example.org:587'
#
# The folder keeps everybody out; the files in it can be read by all, because a container reads them as a user of its own.
set -eu
mail=${1:?"usage: $0 MAIL_URL [FOLDER]"}
folder=${2:-secrets}
umask 077
mkdir -p "$folder"
chmod 700 "$folder"

write() {
	[ -e "$folder/$1" ] && return
	printf '%s\n' "$2" >"$folder/$1.new"
	chmod 444 "$folder/$1.new"
	mv "$folder/$1.new" "$folder/$1"
}
password() { openssl rand -hex 24; }

write secret_key "$(openssl rand -hex 40)"
write master_key "$(openssl rand -base64 32)"
write database_admin_password "$(password)"
write database_password "$(password)"
write database_url "postgres://paravent:$(cat "$folder/database_password")@database/paravent"
write cache_config "requirepass $(password)"
write cache_url "redis://:$(cut -d ' ' -f 2 "$folder/cache_config")@cache:6379/0"
write mail_url "$mail"
echo "The secrets are in $folder. Keep a copy of $folder/master_key off this machine: without it, what is stored is lost."
