"""The stages, a Kedro pipeline each: thin nodes over the plain modules of the package."""
