-- Folded states of long streams: derived from the log, no part of it. Any row may be deleted at any time; services/log/
-- snapshots.py then folds from the beginning. A row counts only while the event it was taken at is still that event.

CREATE TABLE log.{log}_snapshots (
    stream_id   uuid     NOT NULL PRIMARY KEY,
    version     integer  NOT NULL CHECK (version > 0),
    kind        text     NOT NULL,                 -- clinic, staff, diary
    fingerprint text     NOT NULL,                 -- of the state's schema and the rules that folded it
    subject     uuid,                              -- the one patient it is about
    leaf_hash   bytea    NOT NULL,                 -- of the event at that version
    digest      bytea    NOT NULL,                 -- SHA-256 over what stands in the other columns and the payload
    payload     bytea    NOT NULL                  -- JSON, deflated; secrets sealed as in the log
);
ALTER TABLE log.{log}_snapshots ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE INDEX {log}_snapshots_subject ON log.{log}_snapshots (subject) WHERE subject IS NOT NULL;

REVOKE ALL ON log.{log}_snapshots FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON log.{log}_snapshots TO anodyne_app;
