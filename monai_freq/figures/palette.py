"""Colours that stay distinct under the common colour deficiencies: those of Okabe and Ito, and Tol's wine.

Reference:
    M. Okabe, K. Ito (2008), "Color universal design".
    P. Tol (2021), "Colour schemes", SRON/EPS/TN/09-002.
"""

__all__ = ["BLUE", "BLUISH_GREEN", "GREY", "ORANGE", "REDDISH_PURPLE", "SKY_BLUE", "VERMILLION", "WINE", "YELLOW"]

ORANGE = "#E69F00"
SKY_BLUE = "#56B4E9"
BLUISH_GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
REDDISH_PURPLE = "#CC79A7"
WINE = "#882255"
GREY = "#7F7F7F"
