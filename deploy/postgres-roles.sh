#!/bin/sh
# Runs once, when the log's database is created: the roles of least privilege, with passwords from the environment.
# anodyne_owner owns the tables and cannot sign in; anodyne_migrator may become it; anodyne_app may read and append.
set -eu
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
     -v migrator_password="$MIGRATOR_PASSWORD" -v app_password="$APP_PASSWORD" <<'SQL'
CREATE ROLE anodyne_owner NOLOGIN;
CREATE ROLE anodyne_migrator LOGIN PASSWORD :'migrator_password' IN ROLE anodyne_owner;
CREATE ROLE anodyne_app LOGIN PASSWORD :'app_password';
REVOKE ALL ON SCHEMA public FROM PUBLIC;
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SELECT format('GRANT CONNECT, CREATE, TEMPORARY ON DATABASE %I TO anodyne_migrator', current_database()) \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO anodyne_app', current_database()) \gexec
SQL
