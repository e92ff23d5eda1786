"""Reading FHIR R4 bulk exports (NDJSON) made by other software, as a pain clinic's intake would.

`ndjson` reads lines and survives any of them; `mapping` turns a resource into a draft or a reason why not; `spool`
puts the drafts of one patient together; `chart` turns them into commands; `importing` carries those out.
"""
