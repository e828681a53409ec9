#!/bin/sh
# Run once by the database's image, when its volume is new: Paravent's role, and a database that it owns.
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username postgres --dbname postgres <<'SQL'
\set password `cat /run/secrets/database_password`
CREATE ROLE paravent LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE DATABASE paravent OWNER paravent;
REVOKE ALL ON DATABASE paravent FROM PUBLIC;
SQL
