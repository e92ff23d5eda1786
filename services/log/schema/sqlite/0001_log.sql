-- One log of events ({log}: care, access); the same as on PostgreSQL, ids as text.

CREATE TABLE {log}_events (
    position       INTEGER NOT NULL PRIMARY KEY,
    recorded_us    INTEGER NOT NULL,
    stream_id      TEXT    NOT NULL,
    version        INTEGER NOT NULL CHECK (version > 0),
    name           TEXT    NOT NULL,
    payload        TEXT    NOT NULL,
    clinic_id      TEXT,
    clinic_seq     INTEGER NOT NULL,
    subject        TEXT,
    actor          TEXT    NOT NULL,
    role           TEXT    NOT NULL,
    origin         TEXT    NOT NULL,
    correlation_id TEXT,
    causation_id   TEXT,
    command_id     TEXT,
    claims         TEXT,
    leaf_hash      BLOB    NOT NULL
) STRICT;

CREATE INDEX {log}_events_stream ON {log}_events (stream_id, version);
CREATE INDEX {log}_events_subject ON {log}_events (subject, position) WHERE subject IS NOT NULL;
CREATE INDEX {log}_events_clinic ON {log}_events (clinic_id, clinic_seq) WHERE clinic_id IS NOT NULL;

CREATE TABLE {log}_heads (
    stream_id TEXT    NOT NULL PRIMARY KEY,
    version   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE {log}_claims (
    resource  TEXT    NOT NULL,
    holder    TEXT    NOT NULL,
    starts_us INTEGER NOT NULL,
    ends_us   INTEGER NOT NULL,
    capacity  INTEGER NOT NULL,
    position  INTEGER NOT NULL,
    PRIMARY KEY (resource, holder)
) STRICT, WITHOUT ROWID;
CREATE INDEX {log}_claims_ends ON {log}_claims (resource, ends_us);

CREATE TABLE {log}_idempotency (
    principal      TEXT    NOT NULL,
    key            TEXT    NOT NULL,
    body_hmac      BLOB    NOT NULL,
    status         INTEGER NOT NULL,
    answer         TEXT    NOT NULL,
    first_position INTEGER NOT NULL,
    last_position  INTEGER NOT NULL,
    recorded_us    INTEGER NOT NULL,
    PRIMARY KEY (principal, key)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER {log}_events_no_update BEFORE UPDATE ON {log}_events
BEGIN
    SELECT RAISE(ABORT, 'the log is append-only: UPDATE refused');
END;

-- TRUNCATE, in SQLite, is a DELETE without WHERE; with this trigger in place that too goes row by row, and is refused.
CREATE TRIGGER {log}_events_no_delete BEFORE DELETE ON {log}_events
BEGIN
    SELECT RAISE(ABORT, 'the log is append-only: DELETE refused');
END;

-- INSERT OR REPLACE would delete without firing the trigger above (recursive_triggers is off by default).
CREATE TRIGGER {log}_events_no_replace BEFORE INSERT ON {log}_events
WHEN NEW.position <> (SELECT coalesce(max(position), 0) + 1 FROM {log}_events)
BEGIN
    SELECT RAISE(ABORT, 'the log is append-only: positions are dense');
END;
