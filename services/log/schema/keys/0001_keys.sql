-- Data keys, one or more per owner (a patient, a clinic, a purpose), wrapped by a key-encryption key.
-- Kept apart from the log, with backups of their own: whoever holds only the log can read no name.
-- The same text for SQLite and PostgreSQL.

CREATE TABLE data_keys (
    key_id       TEXT   NOT NULL PRIMARY KEY,      -- commits to the key: HMAC of its owner under it
    owner        TEXT   NOT NULL,
    wrapped      TEXT,                             -- base64; null once destroyed
    kek_id       TEXT   NOT NULL,
    created_us   BIGINT NOT NULL,
    destroyed_us BIGINT,
    destroyed_by TEXT,
    reason       TEXT,
    CHECK ((wrapped IS NULL) = (destroyed_us IS NOT NULL))
);

-- At most one key in use per owner: of two processes that make the first one, one wins and both use it.
CREATE UNIQUE INDEX data_keys_in_use ON data_keys (owner) WHERE destroyed_us IS NULL;

-- Raised by each destruction, so that every process drops what it has cached.
CREATE TABLE key_epoch (only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1), epoch BIGINT NOT NULL);
INSERT INTO key_epoch VALUES (1, 0);
