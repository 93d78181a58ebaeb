"""The recipes that ship with dgmix, as YAML files with the shape of `dgmix.config.Recipe`."""
