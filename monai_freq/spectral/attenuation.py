r"""Linear attenuation of X-rays, per metre, as LoDoPaB-CT takes it from Hounsfield units.

.. math:: \mu = \text{HU}\, (20 - 0.02) / 1000 + 20

Reference:
    J. Leuschner et al. (2021), "LoDoPaB-CT, a benchmark dataset for low-dose computed tomography reconstruction",
    Scientific Data 8. DOI 10.1038/s41597-021-00893-z.
"""

__all__ = ["AIR", "HIGHEST", "PER_HU", "WATER"]

#: of water, at 0 HU
WATER = 20.0
#: of air, at -1000 HU
AIR = 0.02
#: of one Hounsfield unit more
PER_HU = (WATER - AIR) / 1000
#: of 3071 HU, the highest that scanners store; 1 in the files of LoDoPaB-CT
HIGHEST = 3071 * PER_HU + WATER
