r"""Linear attenuation of X-rays, per metre, as LoDoPaB-CT takes it from Hounsfield units.

.. math:: \mu = \text{HU}\, (20 - 0.02) / 1000 + 20

Reference:
    J. Leuschner et al. (2021), "LoDoPaB-CT, a benchmark dataset for low-dose computed tomography reconstruction",
    Scientific Data 8. DOI 10.1038/s41597-021-00893-z.
"""

__all__ = ["AIR", "HIGHEST", "PER_HU", "WATER"]

#: attenuation of water, at 0 HU
WATER = 20.0
#: attenuation of air, at -1000 HU
AIR = 0.02
#: attenuation added by one Hounsfield unit
PER_HU = (WATER - AIR) / 1000
#: attenuation at 3071 HU, the highest value that scanners store; LoDoPaB-CT's files store it as 1
HIGHEST = 3071 * PER_HU + WATER
