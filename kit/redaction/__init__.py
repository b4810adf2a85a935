"""Take out what must not leave the house: found by name and by form, replaced, looked for again at the end.

`case_copy.redacted_case` redacts the recorded answers on a copy and walks it, so that every number is of redacted
data; `scan.scan_file` opens the finished bytes again and must find nothing.
"""
