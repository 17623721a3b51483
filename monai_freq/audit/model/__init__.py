"""What a network shows: the bands that it uses, feels and follows."""

__all__ = []
