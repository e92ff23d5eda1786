-- Folded states of long streams: derived from the log, no part of it; the same as on PostgreSQL, ids as text.

CREATE TABLE {log}_snapshots (
    stream_id   TEXT    NOT NULL PRIMARY KEY,
    version     INTEGER NOT NULL CHECK (version > 0),
    kind        TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    subject     TEXT,
    leaf_hash   BLOB    NOT NULL,
    digest      BLOB    NOT NULL,
    payload     BLOB    NOT NULL
) STRICT;
CREATE INDEX {log}_snapshots_subject ON {log}_snapshots (subject) WHERE subject IS NOT NULL;
