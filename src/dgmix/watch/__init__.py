"""`dgmix watch`: listens to machines day and night, and tells people (docs/watching.md).

A source gives blocks of sound with their time; `windows` cuts them, a `Judge` judges each window,
the `rule` decides when there is something to tell, the `store` keeps it, the `sinks` send it, and
`web` shows it.
"""
