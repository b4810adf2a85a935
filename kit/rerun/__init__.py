"""The walk again, over recorded answers alone, in a process without network or secrets; and compared."""
