"""The command line `anodyne`: noun, then verb; `--json` for machines; exit codes 0 done, 1 not, 2 asked wrongly."""
