"""The runs of a study: what each of them is, how it is made on one machine or on a Ray cluster, and its result."""

__all__: list[str] = []
