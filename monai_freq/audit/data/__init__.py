"""What the images alone show: spectra that tell a label, in which bands, how sure, and what fakes it."""

__all__ = []
